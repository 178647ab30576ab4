/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which code a file holds: the same for each copy of it, under any path. */
#pragma once

#include "binary/elf.h"
#include "model/sample.h"

#define CODE_ID_HASH_BYTES 16 /* of a file without a build id */
#define CODE_ID_SAMPLE_BYTES 65536 /* of its beginning and of its end that are hashed */

/*
 * Fills kind (CODE_FILE) and id: the build id, or else a hash of the file's size, beginning and end,
 * which tells apart what a linker wrote, but does not stand up to somebody who makes two alike on
 * purpose. It blocks; errors are pread(2)'s and fstat(2)'s.
 */
int code_identify(const struct elf_file *elf, struct code *ret);
