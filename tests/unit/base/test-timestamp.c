/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times as people write them, in a zone that has summer time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/timestamp.h"
#include "base/util.h"

#define NOW (UINT64_C(1763634938) * NSEC_PER_SEC) /* 2025-11-20T10:35:38Z */

static void test_format(void **state)
{
	char buf[TIMESTAMP_LEN];
	uint64_t back;

	assert_string_equal(timestamp_format(NOW + 5, buf), "2025-11-20T10:35:38.000000005Z");
	assert_string_equal(timestamp_format(0, buf), "1970-01-01T00:00:00.000000000Z");
	assert_string_equal(timestamp_format(UINT64_MAX, buf), "2554-07-21T23:34:33.709551615Z");
	timestamp_format(NOW + 123456789, buf);
	assert_int_equal(timestamp_parse(buf, 0, &back), 0);
	assert_int_equal(back, NOW + 123456789);
}

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* after NOW */
	} cases[] = {
		{ "now", 0 },
		{ "10m ago", -600000 },
		{ "-1h30m", -5400000 },
		{ "-0", 0 },
		{ "@1763634938", 0 },
		{ "@1763634937.25", -750 },
		{ "2025-11-20T10:35:38Z", 0 },
		{ "2025-11-20 10:35Z", -38000 },
		{ "2025-11-20T11:35:38.5+01:00", 500 },
		{ "2025-11-20T05:05:38-0530", 0 },
		{ "2025-11-20 11:35:38", 0 }, /* Vienna */
		{ "2025-11-20", -(10 * 3600 + 35 * 60 + 38 + 3600) * INT64_C(1000) },
		{ "11:35", -38000 },
		{ "11:35:40.001", 2001 },
		{ "2025-07-20T12:35:38", -123 * INT64_C(86400000) }, /* summer time */
	};
	uint64_t t;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(timestamp_parse(cases[i].text, NOW, &t), 0);
		assert_int_equal(((int64_t)t - (int64_t)NOW) / (int64_t)NSEC_PER_MSEC, cases[i].ms);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{ "", -EINVAL },
		{ "10m", -EINVAL },
		{ "-10", -EINVAL },
		{ "10m  ago", -EINVAL },
		{ "-10m ago", -EINVAL },
		{ "10m ago ", -EINVAL },
		{ "@", -EINVAL },
		{ "@-5", -EINVAL },
		{ "@1.", -EINVAL },
		{ "@1x", -EINVAL },
		{ "@18446744074", -ERANGE },
		{ "100000d ago", -ERANGE },
		{ "1969-12-31T00:00Z", -ERANGE },
		{ "2600-01-01T00:00Z", -ERANGE },
		{ "2025-02-30", -EINVAL },
		{ "2025-13-01", -EINVAL },
		{ "2025-11-20T24:00", -EINVAL },
		{ "2025-11-20T10:60", -EINVAL },
		{ "2025-11-20T10", -EINVAL },
		{ "2025-11-20T", -EINVAL },
		{ "2025-11-20T10:35Zx", -EINVAL },
		{ "10:35Z", -EINVAL },
		{ "10:3", -EINVAL },
		{ "yesterday", -EINVAL },
	};
	uint64_t t = 42;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(timestamp_parse(cases[i].text, NOW, &t), cases[i].r);
	assert_int_equal(t, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refused),
	};

	/* Spelt out, so that no zone file is needed. */
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
