/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where stacks begin in code without call frame information: the entry point (nobody called it), and
 * what calls main() or a thread's function. musl is built without any such information, so each stack of
 * a program with musl would end there, at an address without a rule. For the sandboxed child.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "binary/elf.h"

#define START_CODE_MAX 16 /* in a piece of code; musl has 4 */
#define START_CODE_BYTES_MAX (4U << 20) /* of code; more than that is data, or Go */

struct start_code {
	uint64_t begin, end; /* addresses, of which the last one is not in it */
};

/*
 * The start code between two addresses, ascending; returns how many. There is none in what cannot be
 * read. Of AArch64 only the entry point is known.
 */
size_t start_code_find(const struct elf_file *elf, uint64_t begin, uint64_t end,
		       struct start_code ret[static START_CODE_MAX]);
