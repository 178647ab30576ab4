/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Go's table of functions, which the runtime itself needs, so that it is in stripped programs, too
 * (src/runtime/symtab.go, type pcHeader, and src/debug/gosym/pclntab.go in Go). Layouts:
 *
 *   Go 1.16  magic 0xfffffffa   entries are addresses
 *   Go 1.18        0xfffffff0   entries are 32-bit offsets from the start of the text
 *   Go 1.20        0xfffffff1   the same
 *
 * The header: magic, 0, 0, instruction size, pointer size, then words: number of functions, of files,
 * [since 1.18: start of the text; 0 since 1.26,] offsets of names, cu, files, pc tables, functions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binary/cursor.h"

#define GO_PCLNTAB_HEADER 16 /* bytes that go_pclntab_is_header() looks at */

struct go_pclntab {
	const uint8_t *data; /* borrowed */
	size_t size;
	bool relative; /* entries are offsets from the text's start */
	uint64_t text; /* the text's start; 0: the table does not say */
	size_t n; /* functions */
	size_t names, pc_tables, functions; /* offsets in data */
	size_t flags; /* of a function, behind the entry of its struct _func */
	uint8_t quantum; /* bytes: addresses of code are multiples of it */
};

/* A function's flags (internal/abi/symtab.go, FuncFlag). */
#define GO_TOP_FRAME 1 /* the end of each stack that it is on */
#define GO_SP_WRITE 2 /* assembly that changes stacks, or aligns its own */

/* How deep the stack is within a function: a run of its addresses, relative to where it begins. */
struct go_depths {
	struct cursor left;
	uint32_t quantum;
	uint64_t begin, end; /* of the run */
	int32_t depth; /* bytes that the function has pushed behind the return address */
};

/* Could these bytes, GO_PCLNTAB_HEADER at least, be the beginning of a table? */
bool go_pclntab_is_header(const uint8_t *data);

/* A view of the table that begins at data and may end before size, with a 0 in data[size]. -EBADMSG. */
int go_pclntab_open(const uint8_t *data, size_t size, struct go_pclntab *ret);

/* Start and end of function i, as addresses or, if .relative, offsets. The end of the last one is that
 * of all Go text. */
uint64_t go_pclntab_start(const struct go_pclntab *table, size_t i);
static inline uint64_t go_pclntab_end(const struct go_pclntab *table, size_t i)
{
	return go_pclntab_start(table, i + 1);
}

/* Its name, NULL if it is outside of the table. Ends with a NUL. */
const char *go_pclntab_name(const struct go_pclntab *table, size_t i);

/* Its flags, GO_*; 0 if they are outside of the table, and before Go 1.17. */
uint8_t go_pclntab_flags(const struct go_pclntab *table, size_t i);

/* In front of its first run of depths. False: it has none (C that Go's linker put in), or is damaged. */
bool go_pclntab_depths(const struct go_pclntab *table, size_t i, struct go_depths *ret);
/* The next run, never an empty one. False: there is none. */
bool go_depths_next(struct go_depths *depths);
