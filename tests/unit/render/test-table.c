/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables as they stand on terminals of several widths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "render/human.h"
#include "render/table.h"

static const struct text_table_column columns[] = {
	{ .title = "NAME", .min = 8, .keep_port = true },
	{ .title = "N", .right = true },
	{ .title = "EMPTY", .optional = true },
	{ .title = "LESS", .drop = 1 },
	{ .title = "LEAST", .drop = 2 },
};

static void add_row(struct text_table *table, const char *name, const char *n)
{
	assert_int_equal(text_table_cell(table, STYLE_PLAIN, "%s", name), 0);
	assert_int_equal(text_table_cell(table, STYLE_GOOD, "%s", n), 0);
	assert_int_equal(text_table_cell(table, STYLE_PLAIN, "%s", ""), 0);
	assert_int_equal(text_table_cell(table, STYLE_PLAIN, "less"), 0);
	assert_int_equal(text_table_cell(table, STYLE_PLAIN, "least"), 0);
}

static void expect(const struct text_table *table, const struct text_look *look,
		   const char *expected)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	text_table_print(table, look, out);
	fclose(out);
	assert_string_equal(text, expected);
}

static void test_widths(void **state)
{
	_cleanup_(text_table_free_p) struct text_table *table = NULL;

	assert_int_equal(text_table_new(columns, ARRAY_SIZE(columns), &table), 0);
	add_row(table, "nginx.service:443", "5");
	add_row(table, "a", "123");
	expect(table, &(struct text_look){},
	       "NAME                 N  LESS  LEAST\n"
	       "nginx.service:443    5  less  least\n"
	       "a                  123  less  least\n");
	/* Cut as long as that is enough, ... */
	expect(table, &(struct text_look){ .width = 30, .utf8 = true },
	       "NAME            N  LESS  LEAST\n"
	       "nginx.s…:443    5  less  least\n"
	       "a             123  less  least\n");
	/* ... then the least important columns go, ... */
	expect(table, &(struct text_look){ .width = 20 },
	       "NAME         N  LESS\n"
	       "ngin~:443    5  less\n"
	       "a          123  less\n");
	/* ... and where nothing helps, the line is too long. */
	expect(table, &(struct text_look){ .width = 1 },
	       "NAME        N\n"
	       "ngi~:443    5\n"
	       "a         123\n");
}

static void test_changes(void **state)
{
	_cleanup_(text_table_free_p) struct text_table *table = NULL;

	assert_int_equal(text_table_new(columns, ARRAY_SIZE(columns), &table), 0);
	add_row(table, "a", "1");
	assert_int_equal(text_table_set(table, 0, 1, STYLE_PLAIN, "%d", 4567), 0);
	text_table_hide(table, 0);
	text_table_hide(table, 4);
	expect(table, &(struct text_look){}, "   N  LESS\n4567  less\n");
	assert_int_equal(text_table_rows(table), 1);
}

static void test_color(void **state)
{
	static const struct text_table_column two[] = { { .title = "A" }, { .title = "B" } };
	_cleanup_(text_table_free_p) struct text_table *table = NULL;

	assert_int_equal(text_table_new(two, 2, &table), 0);
	text_table_cell(table, STYLE_BAD, "x");
	text_table_cell(table, STYLE_BAD, "%s", "");
	expect(table, &(struct text_look){ .color = true },
	       "\033[1mA\033[0m  \033[1mB\033[0m\n\033[1;31mx\033[0m\n");
}

/* Wide characters take two columns, combining ones none; control characters do nothing. */
static void test_strangers_text(void **state)
{
	static const struct text_table_column two[] = { { .title = "A" }, { .title = "B" } };
	_cleanup_(text_table_free_p) struct text_table *table = NULL;

	assert_int_equal(text_width("日本"), 4);
	assert_int_equal(text_width("e\xcc\x81"), 1);
	assert_int_equal(text_table_new(two, 2, &table), 0);
	text_table_cell(table, STYLE_PLAIN, "日本");
	text_table_cell(table, STYLE_PLAIN, "\033[31mred\n");
	text_table_cell(table, STYLE_PLAIN, "\xff");
	text_table_cell(table, STYLE_PLAIN, "y");
	expect(table, &(struct text_look){},
	       "A     B\n"
	       "日本  \\x1b[31mred\\n\n"
	       "\\xff  y\n");
}

static void test_wrap(void **state)
{
	static const struct text_table_column two[] = {
		{ .title = "A" },
		{ .title = "REASON", .wrap = true, .min = 5 },
	};
	_cleanup_(text_table_free_p) struct text_table *table = NULL;

	assert_int_equal(text_table_new(two, 2, &table), 0);
	text_table_cell(table, STYLE_PLAIN, "x");
	text_table_cell(table, STYLE_PLAIN, "one two three abcdefghijklmnop q");
	expect(table, &(struct text_look){ .width = 13 },
	       "A  REASON\n"
	       "x  one two\n"
	       "   three\n"
	       "   abcdefghij\n"
	       "   klmnop q\n");
}

static void test_human(void **state)
{
	char buf[HUMAN_LEN];

	assert_string_equal(human_bytes(0, buf), "0 B");
	assert_string_equal(human_bytes(1023, buf), "1023 B");
	assert_string_equal(human_bytes(1024, buf), "1.0 KiB");
	assert_string_equal(human_bytes(10240, buf), "10 KiB");
	assert_string_equal(human_bytes((1 << 20) - 1, buf), "1.0 MiB");
	assert_string_equal(human_bytes(UINT64_MAX, buf), "16 EiB");
	assert_string_equal(human_rate(125, buf), "1.0 kb/s");
	assert_string_equal(human_rate(1.25e9, buf), "10 Gb/s");
	assert_string_equal(human_latency(850, buf), "0.85 ms");
	assert_string_equal(human_latency(1500, buf), "1.5 ms");
	assert_string_equal(human_latency(12000, buf), "12 ms");
	assert_string_equal(human_latency(2500000, buf), "2.5 s");
	assert_string_equal(human_span(45, buf), "45 s");
	assert_string_equal(human_span(12345, buf), "3 h 25 min");
	assert_string_equal(human_span(450000, buf), "5 d 5 h");
	assert_string_equal(human_number(9999, buf), "9999");
	assert_string_equal(human_number(56000, buf), "56 k");
	assert_string_equal(human_number(7800000, buf), "7.8 M");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_widths), cmocka_unit_test(test_changes),
		cmocka_unit_test(test_color),  cmocka_unit_test(test_strangers_text),
		cmocka_unit_test(test_wrap),   cmocka_unit_test(test_human),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
