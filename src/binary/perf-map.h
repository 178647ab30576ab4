/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The names of just-in-time compiled code, as runtimes write them to /tmp/perf-PID.map for perf(1)
 * (tools/perf/Documentation/jit-interface.txt in Linux): lines of START SIZE NAME, numbers in hex, a
 * name with any characters to the end of its line. Node, .NET, Julia and Erlang do it, and Python and
 * Java when they are asked to.
 *
 * Some only ever append: we read on from where we were, and a later entry wins over what it overlaps,
 * for its code took that place. Some write the file anew: it shrank, is another inode, or no longer has
 * what we read last, and is read from its start.
 *
 * struct perf_map is plain data, so that a sandboxed child can hand it back together with the table.
 */
#pragma once

#include <stdbool.h>

#include "binary/symbol-table.h"

#define PERF_MAP_STEP_BYTES \
	((size_t)1 << 20) /* of the file that one call reads: fewer entries than are
						 kept, so that the new ones always fit */
#define PERF_MAP_LINE_MAX (SYMBOL_NAME_MAX + 64) /* bytes; what is behind it in a line is skipped */
#define PERF_MAP_ENTRIES_MAX 200000 /* that are kept; a large JVM has 50,000 methods compiled */
#define PERF_MAP_NAMES_MAX ((size_t)24 << 20) /* bytes of their names */

struct perf_map {
	uint64_t device, inode; /* of the file that was read */
	uint64_t offset; /* how far: behind the last whole line */
	uint32_t check; /* CRC-32 of the bytes before that */
	bool skipping; /* the line at offset is too long, its beginning was read */
	/* counters; lines = entries that were added + malformed */
	uint64_t lines;
	uint64_t malformed; /* no START SIZE NAME, or a size of 0 */
	uint64_t over; /* older entries for which there was no room any more */
	uint64_t restarts; /* the file was another one */
};

/*
 * Reads on: a step of the regular file fd. table (NULL at first) is what the last call gave; *ret is a
 * new one that replaces it, or NULL if nothing was added. Returns 1 if there is more to read, 0 at the
 * end, or -errno; then map is untouched.
 */
int perf_map_read(struct perf_map *map, int fd, const struct symbol_table *table,
		  struct symbol_table **ret);
