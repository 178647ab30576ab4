/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * File, line and inlined functions at an address, from DWARF (.debug_info of the file itself or of its
 * debug file, see debug-file.h), by libdw.
 *
 * For a sandboxed child with limits on memory and time: libelf and libdw allocate what a file claims to
 * need. They also look for the file that .gnu_debugaltlink names (dwz), by themselves; where that is
 * not to be opened, what is in there is not known.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define LINES_RANGES_MAX (1U << 20) /* address ranges of all compilation units */
#define LINES_DIES_MAX (1U << 20) /* entries of a unit that one look-up visits */
#define LINES_DEPTH_MAX 256 /* of an entry in its unit */
#define LINES_FRAMES_MAX 64 /* functions inlined into each other at one address */

struct line_frame {
	const char *function; /* mangled if it has such a name; NULL: not known */
	const char *file; /* as the compiler was given it, with its directory; NULL: not known */
	unsigned line; /* 0: not known */
};

struct lines;

/* Reads which unit is where. fd stays the caller's and outlives the result. -ENODATA: there is no
 * debug info; -ENOEXEC: no ELF file; -EBADMSG: damaged; -E2BIG: beyond LINES_RANGES_MAX. */
int lines_open(int fd, struct lines **ret);
struct lines *lines_free(struct lines *lines); /* takes NULL, returns NULL */

/*
 * What is at address (of the file): the function and line of the code, then where that is inlined, to
 * the function that has the code; for that one the symbol table's name is as good, and the only one
 * if DWARF gives it none that is mangled. A return address is behind the call: ask for the byte before.
 * Returns the number of frames, whose strings are those of lines; 0: nothing is known; -E2BIG: beyond
 * a limit above.
 */
int lines_find(struct lines *lines, uint64_t address, struct line_frame frames[LINES_FRAMES_MAX]);

DEFINE_CLEANUP(struct lines *, lines_free)
#define _cleanup_lines_ _cleanup_(lines_free_p)
