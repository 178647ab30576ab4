/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs against a bitmap that knows the same: no place twice, every free one found again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "collect/profile/runs.h"

#define PLACES 1000

static void all_of_it(void **state)
{
	struct runs *runs;
	uint32_t first;

	assert_int_equal(runs_new(10, &runs), 0);
	assert_int_equal(runs_take(runs, 11, &first), -ENOSPC);
	assert_int_equal(runs_take(runs, 10, &first), 0);
	assert_int_equal(first, 0);
	assert_int_equal(runs_taken(runs), 10);
	assert_int_equal(runs_take(runs, 1, &first), -ENOSPC);
	runs_give(runs, 0, 10);
	assert_int_equal(runs_taken(runs), 0);
	assert_int_equal(runs_take(runs, 10, &first), 0);
	runs_free(runs);
}

static void the_smallest_that_fits(void **state)
{
	struct runs *runs;
	uint32_t a, b, c, d;

	assert_int_equal(runs_new(100, &runs), 0);
	assert_int_equal(runs_take(runs, 20, &a), 0);
	assert_int_equal(runs_take(runs, 5, &b), 0);
	assert_int_equal(runs_take(runs, 10, &c), 0);
	assert_int_equal(runs_take(runs, 5, &d), 0);
	runs_give(runs, a, 20);
	runs_give(runs, c, 10);
	assert_int_equal(runs_take(runs, 8, &d), 0);
	assert_int_equal(d, c);
	runs_free(runs);
}

/* The runs that are taken, and whose each place is. */
static struct {
	uint32_t first, n;
} taken[PLACES];
static size_t n_taken;
static uint8_t used[PLACES];

static void take(struct runs *runs, uint32_t n)
{
	uint32_t first;

	if (runs_take(runs, n, &first) < 0) {
		uint32_t longest = 0, here = 0;

		for (uint32_t i = 0; i < PLACES; i++) {
			here = used[i] ? 0 : here + 1;
			longest = MAX(longest, here);
		}
		assert_true(longest < n);
		return;
	}
	assert_true(first + n <= PLACES);
	for (uint32_t i = first; i < first + n; i++) {
		assert_int_equal(used[i], 0);
		used[i] = 1;
	}
	taken[n_taken].first = first;
	taken[n_taken++].n = n;
}

static void give(struct runs *runs, size_t which)
{
	runs_give(runs, taken[which].first, taken[which].n);
	memset(&used[taken[which].first], 0, taken[which].n);
	taken[which] = taken[--n_taken];
}

static void at_random(void **state)
{
	unsigned seed = 1, sum;
	struct runs *runs;

	assert_int_equal(runs_new(PLACES, &runs), 0);
	for (int i = 0; i < 20000; i++) {
		if (n_taken && rand_r(&seed) % 2)
			give(runs, rand_r(&seed) % n_taken);
		else
			take(runs, 1 + rand_r(&seed) % 60);
		sum = 0;
		for (uint32_t place = 0; place < PLACES; place++)
			sum += used[place];
		assert_int_equal(runs_taken(runs), sum);
	}
	while (n_taken)
		give(runs, 0);
	take(runs, PLACES);
	assert_int_equal(n_taken, 1);
	runs_free(runs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it),
		cmocka_unit_test(the_smallest_that_fits),
		cmocka_unit_test(at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
