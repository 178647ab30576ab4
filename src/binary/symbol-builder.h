/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes a symbol table of symbols that come in any order, have aliases, overlap, or do not say how
 * long they are. Each address gets one name:
 *
 * 1. A symbol of size 0 reaches to where the next one starts, and not beyond its .reach.
 * 2. Where symbols overlap, the higher rank wins: a function hides labels within it, a later entry
 *    of a perf map an earlier one. What is left of the other on either side keeps its name.
 * 3. With equal rank the one that starts later wins: the inner of two.
 * 4. Aliases (equal rank and start): the higher preference; then fewer leading underscores, since
 *    "write" is what people call "__write" (of _Z, which begins C++ names, and _R, Rust's, the
 *    underscore does not count); then the first in the alphabet, so that the outcome does not
 *    depend on the order.
 */
#pragma once

#include "binary/symbol-table.h"

struct symbol {
	const char *name; /* copied */
	uint64_t start;
	uint64_t size; /* in bytes; cut to 32 bits */
	uint64_t reach; /* of size 0: the address where it ends at the latest */
	uint32_t rank;
	uint32_t preference;
	uint32_t into; /* as in struct symbol_range; 0 if start is the symbol's own */
};

struct symbol_builder;

/* For at most max symbols, whose names take max_names bytes: SYMBOLS_MAX and SYMBOL_NAMES_MAX, or less
 * where memory is dear. */
int symbol_builder_new(size_t max, size_t max_names, struct symbol_builder **ret);
struct symbol_builder *symbol_builder_free(struct symbol_builder *b); /* takes NULL, returns NULL */

/* Adds one. -ENOMEM alone; what is beyond a limit or has no name is counted or ignored. */
int symbol_builder_add(struct symbol_builder *b, const struct symbol *symbol);

/* Makes the table, empty if there were no symbols. The builder is of no use afterwards. */
int symbol_builder_finish(struct symbol_builder *b, struct symbol_table **ret);

DEFINE_CLEANUP(struct symbol_builder *, symbol_builder_free)
#define _cleanup_symbol_builder_ _cleanup_(symbol_builder_free_p)
