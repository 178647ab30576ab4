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

static void test_bytes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
		const char *printed;
	} cases[] = {
		{ "0", 0, "0" },
		{ "4096", 4096, "4K" },
		{ "4097", 4097, "4097" },
		{ "64M", UINT64_C(64) << 20, "64M" },
		{ "64Mi", UINT64_C(64) << 20, "64M" },
		{ "1024K", UINT64_C(1) << 20, "1M" },
		{ "1536M", UINT64_C(1536) << 20, "1536M" },
		{ "2T", UINT64_C(2) << 40, "2T" },
		{ "18446744073709551615", UINT64_MAX, "18446744073709551615" },
	};
	static const char *const bad[] = { "",	 "M",	"64MB", "64m",	"-1",
					   " 1", "1 M", "1.5G", "0x10", "1M1K" };
	char buf[TEXT_NUMBER_LEN];
	uint64_t n = 77;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(text_parse_bytes(cases[i].text, &n), 0);
		assert_int_equal(n, cases[i].bytes);
		assert_string_equal(text_format_bytes(n, buf), cases[i].printed);
	}
	n = 77;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (text_parse_bytes(bad[i], &n) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(text_parse_bytes("18446744073709551616", &n), -ERANGE);
	assert_int_equal(text_parse_bytes("16777216T", &n), -ERANGE);
	assert_int_equal(n, 77);
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
		const char *printed;
	} cases[] = {
		{ "0", 0, "0" },
		{ "5s", 5 * NSEC_PER_SEC, "5s" },
		{ "100ms", 100 * NSEC_PER_MSEC, "100ms" },
		{ "1500ms", 1500 * NSEC_PER_MSEC, "1500ms" },
		{ "10m", 600 * NSEC_PER_SEC, "10m" },
		{ "90s", 90 * NSEC_PER_SEC, "90s" },
		{ "24h", 86400 * NSEC_PER_SEC, "24h" },
		{ "7d", 7 * 86400 * NSEC_PER_SEC, "168h" },
		{ "1h30m", 5400 * NSEC_PER_SEC, "90m" },
		{ "3us", 3000, "3us" },
		{ "1ns", 1, "1ns" },
	};
	static const char *const bad[] = { "",	  "5",	  "s",	 "5 s",	 "5S",
					   "-5s", "1.5s", "5s ", "5sec", "1h30" };
	char buf[TEXT_NUMBER_LEN];
	uint64_t n = 77;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(text_parse_duration(cases[i].text, &n), 0);
		assert_int_equal(n, cases[i].ns);
		assert_string_equal(text_format_duration(n, buf), cases[i].printed);
	}
	n = 77;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (text_parse_duration(bad[i], &n) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(text_parse_duration("213504d", &n), -ERANGE);
	assert_int_equal(text_parse_duration("213503d213503d", &n), -ERANGE);
	assert_int_equal(n, 77);
}

static void test_ratios(void **state)
{
	static const char *const bad[] = { "",	   "%",	  ".",	  "-0.1", "nan",
					   "1e-1", "0x1", "0.5 ", "5%%",  "0.1.2" };
	double ratio = 7;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (text_parse_ratio(bad[i], &ratio) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(text_parse_ratio("1.01", &ratio), -ERANGE);
	assert_int_equal(text_parse_ratio("101%", &ratio), -ERANGE);
	assert_true(ratio == 7);
	assert_int_equal(text_parse_ratio("0.25", &ratio), 0);
	assert_true(ratio == 0.25);
	assert_int_equal(text_parse_ratio("25%", &ratio), 0);
	assert_true(ratio == 0.25);
	assert_int_equal(text_parse_ratio("100%", &ratio), 0);
	assert_true(ratio == 1);
}

static void test_nearest(void **state)
{
	static const char *const words[] = { "max_flows", "interval", "interfaces", "netns",
					     "attach" };
	char longest[200];

	assert_string_equal(text_nearest("max_flow", words, ARRAY_SIZE(words)), "max_flows");
	assert_string_equal(text_nearest("maxflows", words, ARRAY_SIZE(words)), "max_flows");
	assert_string_equal(text_nearest("nents", words, ARRAY_SIZE(words)), "netns");
	assert_string_equal(text_nearest("interface", words, ARRAY_SIZE(words)), "interfaces");
	assert_null(text_nearest("colour", words, ARRAY_SIZE(words)));
	assert_null(text_nearest("", words, ARRAY_SIZE(words)));
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_null(text_nearest(longest, words, ARRAY_SIZE(words)));
	assert_null(text_nearest("a", NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_cut_between_characters),
		cmocka_unit_test(test_longest_growth_fits),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_ratios),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
