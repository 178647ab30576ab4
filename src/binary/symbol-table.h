/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From an address to a name. A table is one flat piece of memory: disjoint ranges in ascending order
 * and the names they point to. The same bytes are the table in memory, what a sandboxed child hands
 * over and what a disk cache holds (host byte order; both stay on this machine). 16 bytes per range
 * and the name; one is made with symbol-builder.h.
 *
 *   struct symbol_image
 *   u32 or u64 start[n]     minus image.base; u64 only where the ranges span more than 4 GiB
 *   u32        size[n]      in bytes, never 0
 *   u32        name[n]      offset in names
 *   u32        into[n]      of a symbol that is split: bytes of it before this range
 *   char       names[]      each with a NUL
 *
 * Names are bytes of strangers: mangled as they were found, at most SYMBOL_NAME_MAX, not empty.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define SYMBOLS_MAX \
	(2U << 20) /* that one table takes; libLLVM has 0.3 million, Chromium about one */
#define SYMBOL_NAMES_MAX (256U << 20) /* bytes of all names */
#define SYMBOL_NAME_MAX 4096 /* bytes; longer ones are cut */

#define SYMBOL_IMAGE_MAGIC 0x6d795362 /* "bSym" */
#define SYMBOL_IMAGE_VERSION 1

/* What became of the symbols that were offered: seen = shown + hidden + over. */
struct symbol_counts {
	uint64_t seen;
	uint64_t hidden; /* aliases, and what others cover */
	uint64_t over; /* beyond the builder's limits */
	uint64_t cut; /* of those shown or hidden: names that were longer than SYMBOL_NAME_MAX */
};

struct symbol_image {
	uint32_t magic;
	uint32_t version;
	uint64_t base;
	uint32_t n;
	uint32_t start_size; /* 4 or 8 */
	uint64_t names_size;
	struct symbol_counts counts;
};

struct symbol_table;

/*
 * A view of size bytes at data, which stay the caller's, outlive the table, do not change meanwhile
 * and begin at a multiple of 8. All of it is checked. -EBADMSG: these are not bytes of ours.
 */
int symbol_table_load(const void *data, size_t size, struct symbol_table **ret);
/* The same of memory from malloc(), which is the table's even if this fails. */
int symbol_table_take(void *data, size_t size, struct symbol_table **ret);
struct symbol_table *symbol_table_free(struct symbol_table *table); /* takes NULL, returns NULL */

/* Its bytes. The table's. */
const void *symbol_table_data(const struct symbol_table *table, size_t *ret_size);
const struct symbol_counts *symbol_table_counts(const struct symbol_table *table);

struct symbol_range {
	const char *name; /* the table's */
	uint64_t start;
	uint32_t size;
	uint32_t into; /* start is so many bytes behind the symbol's own start */
};

/* The number of ranges, and one of them. */
size_t symbol_table_size(const struct symbol_table *table);
struct symbol_range symbol_table_get(const struct symbol_table *table, size_t i);

/* The name at address, and how far behind the symbol's start it is; NULL where there is none. */
const char *symbol_table_find(const struct symbol_table *table, uint64_t address,
			      uint64_t *ret_offset);

DEFINE_CLEANUP(struct symbol_table *, symbol_table_free)
#define _cleanup_symbol_table_ _cleanup_(symbol_table_free_p)
