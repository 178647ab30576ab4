/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The separate file that has the symbols and the debug info of a stripped one, where distributions
 * put it ("Debugging Information in Separate Files", GDB manual):
 *
 *   /usr/lib/debug/.build-id/ab/cdef....debug    it has the same build id
 *   DIR/NAME, DIR/.debug/NAME, /usr/lib/debug/DIR/NAME
 *                                                NAME and the CRC of the file are in .gnu_debuglink
 *
 * It is looked for below a root directory: a container has its own.
 */
#pragma once

#include "binary/elf.h"

#define DEBUG_FILE_BYTES_MAX (UINT64_C(4) << 30) /* what is larger is not summed up for its CRC */

/*
 * Opens the debug file of elf, whose path is path below the directory root; *ret_fd is the caller's.
 * -ENOENT: there is none; -E2BIG: it is larger than DEBUG_FILE_BYTES_MAX; -EBADMSG: .gnu_debuglink is
 * damaged. Opens files and reads headers, and for a debuglink the whole file: it can block.
 */
int debug_file_open(const struct elf_file *elf, int root, const char *path, int *ret_fd);
