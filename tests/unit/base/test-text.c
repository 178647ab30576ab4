/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"
#include "base/util.h"

#define REPLACEMENT "\xef\xbf\xbd"

static void check(enum text_place place, const char *in, const char *out)
{
	char buf[256], *copy = text_escape_dup(place, in);

	assert_int_equal(text_escape(place, in, buf, sizeof(buf)), strlen(out));
	assert_string_equal(buf, out);
	assert_string_equal(copy, out);
	free(copy);
}

static void test_utf8(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		uint32_t c;
	} cases[] = {
		{ "a", 1, 'a' },
		{ "\x7f", 1, 0x7f },
		{ "\xc2\x80", 2, 0x80 },
		{ "\xe2\x82\xac", 3, 0x20ac },
		{ "\xf0\x9f\x98\x80", 4, 0x1f600 },
		{ "\xf4\x8f\xbf\xbf", 4, 0x10ffff },
		{ "\x80", 0, 0 }, /* continuation alone */
		{ "\xc0\x80", 0, 0 }, /* overlong NUL */
		{ "\xc1\xbf", 0, 0 },
		{ "\xe0\x9f\xbf", 0, 0 }, /* overlong */
		{ "\xed\xa0\x80", 0, 0 }, /* surrogate */
		{ "\xf4\x90\x80\x80", 0, 0 }, /* beyond Unicode */
		{ "\xf8\x88\x80\x80\x80", 0, 0 },
		{ "\xe2\x82", 0, 0 }, /* ends early: reads the NUL, not beyond */
		{ "\xff", 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t c = 0;

		assert_int_equal(text_utf8_char(cases[i].bytes, &c), cases[i].length);
		assert_int_equal(c, cases[i].c);
	}
}

static void test_places(void **state)
{
	check(TEXT_PLAIN, "a\"\\\n\x1b", "a\"\\\n\x1b");
	check(TEXT_PLAIN, "\xc3\xa9\xc3", "\xc3\xa9" REPLACEMENT);
	check(TEXT_TERMINAL, "ok \xc3\xa9 dev-\\x2d", "ok \xc3\xa9 dev-\\x2d");
	check(TEXT_TERMINAL, "a\n\t\x1b[31m\x7f\xff", "a\\n\\t\\x1b[31m\\x7f\\xff");
	check(TEXT_TERMINAL,
	      "\xc2\x9b"
	      "2J",
	      "\\x9b2J"); /* the 8-bit CSI */
	check(TEXT_TERMINAL,
	      "\xe2\x80\xae"
	      "txt",
	      "\\u202etxt"); /* right-to-left override */
	check(TEXT_LABEL, "a\"b\\c\nd\te", "a\\\"b\\\\c\\nd\te");
	check(TEXT_JSON, "a\"b\\c\nd\x01", "a\\\"b\\\\c\\u000ad\\u0001");
	check(TEXT_JSON, "\xff", REPLACEMENT);
}

static void test_csv(void **state)
{
	check(TEXT_CSV, "", "");
	check(TEXT_CSV, "plain text", "plain text");
	check(TEXT_CSV, "a,b", "\"a,b\"");
	check(TEXT_CSV, "say \"hi\"", "\"say \"\"hi\"\"\"");
	check(TEXT_CSV, "two\r\nlines", "\"two\r\nlines\"");
}

static void test_cut_between_characters(void **state)
{
	char buf[16];

	assert_int_equal(text_escape(TEXT_PLAIN, "ab\xe2\x82\xac", buf, 5), 2);
	assert_string_equal(buf, "ab");
	assert_int_equal(text_escape(TEXT_PLAIN, "ab\xe2\x82\xac", buf, 6), 5);
	assert_int_equal(text_escape(TEXT_JSON, "aaa\"", buf, 5), 3);
	/* No half of a doubled quote, and the closing quote is there. */
	assert_int_equal(text_escape(TEXT_CSV, "ab\"c", buf, 6), 4);
	assert_string_equal(buf, "\"ab\"");
}

static void test_longest_growth_fits(void **state)
{
	char in[101], *out;

	memset(in, 1, sizeof(in) - 1);
	in[100] = '\0';
	out = text_escape_dup(TEXT_JSON, in);
	assert_int_equal(strlen(out), 600);
	free(out);
	memset(in, '"', sizeof(in) - 1);
	out = text_escape_dup(TEXT_CSV, in);
	assert_int_equal(strlen(out), 202);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_cut_between_characters),
		cmocka_unit_test(test_longest_growth_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
