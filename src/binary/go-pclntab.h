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

#define GO_PCLNTAB_HEADER 16 /* bytes that go_pclntab_is_header() looks at */

struct go_pclntab {
	const uint8_t *data; /* borrowed */
	size_t size;
	bool relative; /* entries are offsets from the text's start */
	uint64_t text; /* the text's start; 0: the table does not say */
	size_t n; /* functions */
	size_t names, functions; /* offsets in data */
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
