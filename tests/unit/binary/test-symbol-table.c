/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Symbol tables: which of several names an address gets, and bytes that are no table. What a table
 * says of real files is compared with nm in test-symbols-elf.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "binary/symbol-builder.h"

static struct symbol_table *build(const struct symbol *symbols, size_t n)
{
	_cleanup_symbol_builder_ struct symbol_builder *b = NULL;
	struct symbol_table *table = NULL;

	assert_int_equal(symbol_builder_new(SYMBOLS_MAX, SYMBOL_NAMES_MAX, &b), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(symbol_builder_add(b, &symbols[i]), 0);
	assert_int_equal(symbol_builder_finish(b, &table), 0);
	return table;
}

/* name NULL: nothing is there. */
static void assert_at(const struct symbol_table *table, uint64_t address, const char *name,
		      uint64_t offset)
{
	uint64_t found_offset = 4711;
	const char *found = symbol_table_find(table, address, &found_offset);

	if (!name) {
		assert_null(found);
		assert_int_equal(found_offset, 4711);
		return;
	}
	assert_non_null(found);
	assert_string_equal(found, name);
	assert_int_equal(found_offset, offset);
}

/* seen = shown + hidden + over, always */
static void assert_counts(const struct symbol_table *table, uint64_t seen, uint64_t hidden)
{
	const struct symbol_counts *counts = symbol_table_counts(table);

	assert_int_equal(counts->seen, seen);
	assert_int_equal(counts->hidden, hidden);
	assert_int_equal(counts->over, 0);
}

static void test_empty(void **state)
{
	_cleanup_symbol_table_ struct symbol_table *table = build(NULL, 0);

	assert_int_equal(symbol_table_size(table), 0);
	assert_at(table, 0, NULL, 0);
	assert_at(table, UINT64_MAX, NULL, 0);
}

static void test_edges(void **state)
{
	static const struct symbol symbols[] = {
		{ .name = "b", .start = 0x2000, .size = 0x10 },
		{ .name = "a", .start = 0x1000, .size = 0x1000 },
		{ .name = "", .start = 0x5000, .size = 0x1000 },
	};
	_cleanup_symbol_table_ struct symbol_table *table = build(symbols, ARRAY_SIZE(symbols));

	assert_at(table, 0xfff, NULL, 0);
	assert_at(table, 0x1000, "a", 0);
	assert_at(table, 0x1fff, "a", 0xfff);
	assert_at(table, 0x2000, "b", 0);
	assert_at(table, 0x200f, "b", 15);
	assert_at(table, 0x2010, NULL, 0);
	assert_at(table, 0x5000, NULL, 0);
	assert_counts(table, 2, 0);
}

/* Size 0: to the next one, but within its section. */
static void test_open_ends(void **state)
{
	static const struct symbol symbols[] = {
		{ .name = "first", .start = 0x100, .reach = 0x10000 },
		{ .name = "second", .start = 0x200, .reach = 0x300 },
		{ .name = "third", .start = 0x400, .size = 0x10 },
		{ .name = "outside", .start = 0x500, .reach = 0x400 },
	};
	_cleanup_symbol_table_ struct symbol_table *table = build(symbols, ARRAY_SIZE(symbols));

	assert_at(table, 0x1ff, "first", 0xff);
	assert_at(table, 0x2ff, "second", 0xff);
	assert_at(table, 0x300, NULL, 0);
	assert_at(table, 0x410, NULL, 0);
	assert_at(table, 0x500, NULL, 0);
	assert_counts(table, 4, 1);
}

static void test_aliases(void **state)
{
	static const struct symbol symbols[] = {
		{ .name = "__write", .start = 0x100, .size = 16, .rank = 1, .preference = 1 },
		{ .name = "write", .start = 0x100, .size = 16, .rank = 1, .preference = 1 },
		{ .name = "_write", .start = 0x100, .size = 16, .rank = 1, .preference = 1 },
		{ .name = "awkward", .start = 0x100, .size = 16, .rank = 1, .preference = 0 },
		{ .name = "label", .start = 0x100, .size = 16, .rank = 0, .preference = 9 },
		/* C1 and C2: one constructor, two names; and a C name of it */
		{ .name = "_ZN1AC2Ev", .start = 0x200, .size = 16 },
		{ .name = "_ZN1AC1Ev", .start = 0x200, .size = 16 },
		{ .name = "__ctor", .start = 0x200, .size = 16 },
	};
	_cleanup_symbol_table_ struct symbol_table *table = build(symbols, ARRAY_SIZE(symbols));

	assert_at(table, 0x10f, "write", 15);
	assert_at(table, 0x200, "_ZN1AC1Ev", 0);
	assert_counts(table, 8, 6);
}

static void test_overlaps(void **state)
{
	static const struct symbol symbols[] = {
		/* equal rank: the inner one, and the outer goes on behind it */
		{ .name = "outer", .start = 0x100, .size = 0x100 },
		{ .name = "inner", .start = 0x140, .size = 0x10 },
		/* a label of lower rank does not split a function */
		{ .name = "function", .start = 0x300, .size = 0x100, .rank = 1 },
		{ .name = "label", .start = 0x340, .reach = 0x1000 },
		/* a later entry of a perf map, over the end of one and the start of another */
		{ .name = "old", .start = 0x500, .size = 0x100, .rank = 1 },
		{ .name = "older", .start = 0x620, .size = 0x100, .rank = 0, .into = 0x20 },
		{ .name = "new", .start = 0x580, .size = 0x100, .rank = 2 },
		/* hidden whole */
		{ .name = "gone", .start = 0x590, .size = 0x20, .rank = 1 },
	};
	_cleanup_symbol_table_ struct symbol_table *table = build(symbols, ARRAY_SIZE(symbols));

	assert_at(table, 0x13f, "outer", 0x3f);
	assert_at(table, 0x14f, "inner", 0xf);
	assert_at(table, 0x150, "outer", 0x50);
	assert_at(table, 0x1ff, "outer", 0xff);
	assert_at(table, 0x340, "function", 0x40);
	assert_at(table, 0x3ff, "function", 0xff);
	assert_at(table, 0x400, "label", 0xc0);
	assert_at(table, 0x500, "old", 0);
	assert_at(table, 0x57f, "old", 0x7f);
	assert_at(table, 0x590, "new", 0x10);
	assert_at(table, 0x67f, "new", 0xff);
	assert_at(table, 0x680, "older", 0x80);
	assert_counts(table, 8, 1);
	assert_int_equal(symbol_table_size(table), 8);
}

/* Beyond 4 GiB, at the end of the address space, longer than 32 bits. */
static void test_wide(void **state)
{
	static const struct symbol symbols[] = {
		{ .name = "low", .start = 0x10, .size = 0x10 },
		{ .name = "kernel", .start = 0xffffffff81000000, .size = 0x10 },
		{ .name = "last", .start = UINT64_MAX - 0xf, .size = 0x1000 },
		{ .name = "huge", .start = 0x100000000, .size = UINT64_MAX, .into = 0x10 },
	};
	_cleanup_symbol_table_ struct symbol_table *table = build(symbols, ARRAY_SIZE(symbols));

	assert_at(table, 0x1f, "low", 0xf);
	assert_at(table, 0xffffffff8100000f, "kernel", 0xf);
	assert_at(table, UINT64_MAX - 1, "last", 0xe);
	assert_at(table, 0x1ffffffee, "huge", 0xfffffffe);
	assert_at(table, 0x1ffffffef, NULL, 0);
}

static void test_long_name(void **state)
{
	char name[SYMBOL_NAME_MAX + 2];
	struct symbol symbol = { .name = name, .size = 1 };
	_cleanup_symbol_table_ struct symbol_table *table = NULL;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	table = build(&symbol, 1);
	assert_int_equal(strlen(symbol_table_get(table, 0).name), SYMBOL_NAME_MAX);
	assert_int_equal(symbol_table_counts(table)->cut, 1);
}

/* Random tangles against the rules, applied to each address by itself. */
static const struct symbol *expected_at(const struct symbol *symbols, size_t n, uint64_t address)
{
	const struct symbol *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct symbol *s = &symbols[i];

		if (address < s->start || address >= s->start + s->size)
			continue;
		if (!best || s->rank > best->rank ||
		    (s->rank == best->rank &&
		     (s->start > best->start ||
		      (s->start == best->start && strcmp(s->name, best->name) < 0))))
			best = s;
	}
	return best;
}

static void test_tangles(void **state)
{
	enum { N = 24, SPACE = 64, ROUNDS = 2000 };
	char names[N][4];
	struct symbol symbols[N];

	srandom(1);
	for (unsigned i = 0; i < N; i++)
		snprintf(names[i], sizeof(names[i]), "s%02u", i);
	for (unsigned round = 0; round < ROUNDS; round++) {
		_cleanup_symbol_table_ struct symbol_table *table = NULL;

		for (unsigned i = 0; i < N; i++)
			symbols[i] = (struct symbol){
				.name = names[i],
				.start = (uint64_t)random() % SPACE,
				.size = 1 + (uint64_t)random() % (1 + (uint64_t)random() % SPACE),
				.rank = (uint32_t)random() % 3,
			};
		table = build(symbols, N);
		for (uint64_t address = 0; address < 2 * SPACE; address++) {
			const struct symbol *s = expected_at(symbols, N, address);

			assert_at(table, address, s ? s->name : NULL, s ? address - s->start : 0);
		}
	}
}

/* The bytes of a table are a table, wherever they are kept. */
static void test_image(void **state)
{
	static const struct symbol symbols[] = {
		{ .name = "outer", .start = 0x100, .size = 0x100 },
		{ .name = "inner", .start = 0x140, .size = 0x10 },
	};
	_cleanup_symbol_table_ struct symbol_table *table = build(symbols, ARRAY_SIZE(symbols));
	_cleanup_symbol_table_ struct symbol_table *again = NULL, *borrowed = NULL;
	const void *data;
	size_t size;
	void *copy;

	data = symbol_table_data(table, &size);
	copy = malloc(size);
	memcpy(copy, data, size);
	assert_int_equal(symbol_table_load(data, size, &borrowed), 0);
	assert_int_equal(symbol_table_take(copy, size, &again), 0);
	assert_at(again, 0x150, "outer", 0x50);
	assert_at(borrowed, 0x14f, "inner", 0xf);
	assert_counts(again, 2, 0);
}

/* No changed byte makes a table that leaves its bytes or answers out of order. */
static void probe(const struct symbol_table *table)
{
	uint64_t end = 0, offset;

	for (size_t i = 0; i < symbol_table_size(table); i++) {
		struct symbol_range range = symbol_table_get(table, i);

		assert_true(range.start >= end && range.size > 0);
		end = range.start + range.size;
		assert_in_range(strlen(range.name), 1, SYMBOL_NAME_MAX);
		assert_ptr_equal(symbol_table_find(table, range.start, &offset), range.name);
		assert_int_equal(offset, range.into);
	}
}

static void test_hostile_image(void **state)
{
	static const struct symbol symbols[] = {
		{ .name = "a", .start = 0x100, .size = 0x100 },
		{ .name = "b", .start = 0x140, .size = 0x10 },
		{ .name = "c", .start = 0x300, .size = 0x10 },
	};
	_cleanup_symbol_table_ struct symbol_table *table = build(symbols, ARRAY_SIZE(symbols));
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	size_t size, accepted = 0, refused = 0;
	const void *data = symbol_table_data(table, &size);

	for (size_t at = 0; at < size; at++)
		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			_cleanup_symbol_table_ struct symbol_table *bad = NULL;
			uint8_t *copy = malloc(size);
			int r;

			memcpy(copy, data, size);
			copy[at] = values[v];
			r = symbol_table_take(copy, size, &bad);
			assert_true(r == 0 || r == -EBADMSG);
			*(r == 0 ? &accepted : &refused) += 1;
			if (bad)
				probe(bad);
		}
	assert_true(accepted > 0 && refused > 100);
	for (size_t cut = 0; cut < size; cut++) {
		struct symbol_table *bad = NULL;
		uint8_t *copy = malloc(cut + 1);

		memcpy(copy, data, cut);
		assert_int_equal(symbol_table_take(copy, cut, &bad), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),	  cmocka_unit_test(test_edges),
		cmocka_unit_test(test_open_ends), cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_overlaps),  cmocka_unit_test(test_wide),
		cmocka_unit_test(test_long_name), cmocka_unit_test(test_tangles),
		cmocka_unit_test(test_image),	  cmocka_unit_test(test_hostile_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
