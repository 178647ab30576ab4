/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many interfaces get TCX links when they come at once, one by one, or for long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "collect/shared/pace.h"

#define BEGIN (1000 * NSEC_PER_SEC)

/* Of n interfaces, one every step_ns from start on: how many get links. */
static unsigned links_of(struct pace *pace, uint64_t start, unsigned n, uint64_t step_ns)
{
	unsigned links = 0;

	for (unsigned i = 0; i < n; i++)
		links += pace_next(pace, start + i * step_ns) == TC_AUTO;
	return links;
}

static void test_at_once(void **state)
{
	struct pace pace = { 0 };

	assert_int_equal(links_of(&pace, BEGIN, 100, 0), PACE_AT_ONCE);
	assert_int_equal(pace_next(&pace, BEGIN), TC_CLSACT);
	assert_int_equal(pace_next(&pace, BEGIN + NSEC_PER_SEC), TC_AUTO);
	assert_int_equal(pace_next(&pace, BEGIN + NSEC_PER_SEC), TC_CLSACT);
	/* and all again after a while, no more for a longer one */
	assert_int_equal(links_of(&pace, BEGIN + 3600 * NSEC_PER_SEC, 100, 0), PACE_AT_ONCE);
}

static void test_now_and_then(void **state)
{
	struct pace pace = { 0 };

	assert_int_equal(links_of(&pace, BEGIN, 1000, NSEC_PER_SEC), 1000);
}

/* 400 in ten seconds: what may come at once, and one a second. */
static void test_churn(void **state)
{
	struct pace pace = { 0 };
	unsigned links = links_of(&pace, BEGIN, 400, 10 * NSEC_PER_SEC / 400);

	assert_in_range(links, PACE_AT_ONCE + 9, PACE_AT_ONCE + 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_now_and_then),
		cmocka_unit_test(test_churn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
