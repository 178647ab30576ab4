/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/pool.h"

#define THINGS 20000U

struct thing {
	uint64_t a;
	uint32_t b, c;
};

static struct thing thing_of(unsigned n)
{
	return (struct thing){ .a = (uint64_t)n * 64, .b = n / 7, .c = 1 };
}

/* Each is given the next number once, in whatever order it comes again. */
static void test_numbers(void **state)
{
	static uint32_t numbers[THINGS]; /* + 1 */
	unsigned seed = 1, known = 0;
	struct thing thing;
	struct pool *pool;
	uint32_t number;

	assert_int_equal(pool_new(sizeof(thing), SIZE_MAX, &pool), 0);
	for (unsigned i = 0; i < 5 * THINGS; i++) {
		unsigned n = (unsigned)rand_r(&seed) % THINGS;

		thing = thing_of(n);
		number = 77;
		assert_int_equal(pool_number(pool, &thing, false, &number),
				 numbers[n] ? 0 : -ENOENT);
		assert_int_equal(number, numbers[n] ? numbers[n] - 1 : 77);
		assert_int_equal(pool_number(pool, &thing, true, &number), 0);
		if (!numbers[n])
			numbers[n] = ++known;
		assert_int_equal(number, numbers[n] - 1);
		assert_int_equal(pool_size(pool), known);
	}
	for (unsigned n = 0; n < THINGS; n++) {
		thing = thing_of(n);
		if (numbers[n])
			assert_memory_equal(pool_get(pool, numbers[n] - 1), &thing, sizeof(thing));
	}
	assert_in_range(pool_bytes(pool), known * (sizeof(thing) + 5),
			known * (sizeof(thing) * 3 / 2 + 11));
	pool_free(pool);
}

/* Things that differ in their last bytes only, as IPv4 addresses do, find different slots: by the
 * thousand they would take seconds otherwise. */
static void test_last_bytes(void **state)
{
	struct timespec ts;
	struct pool *pool;
	uint32_t number;
	double cpu;

	assert_int_equal(pool_new(16, SIZE_MAX, &pool), 0);
	for (unsigned n = 0; n < 65536; n++) {
		unsigned char thing[16] = {
			[14] = (unsigned char)(n >> 8), [15] = (unsigned char)n
		};

		assert_int_equal(pool_number(pool, thing, true, &number), 0);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	cpu = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
	assert_true(cpu < 1); /* of all tests so far; 0.03 */
	pool_free(pool);
}

static void test_limit(void **state)
{
	struct pool *pool;
	uint32_t number;

	assert_int_equal(pool_new(sizeof(unsigned), 100, &pool), 0);
	for (unsigned n = 0; n < 200; n++)
		assert_int_equal(pool_number(pool, &n, true, &number), n < 100 ? 0 : -ENOSPC);
	for (unsigned n = 0; n < 100; n++) {
		assert_int_equal(pool_number(pool, &n, true, &number), 0);
		assert_int_equal(number, n);
	}
	assert_int_equal(pool_size(pool), 100);
	pool_free(pool);
	assert_null(pool_free(NULL));
}

static void test_strings(void **state)
{
	struct string_pool *pool;
	char text[2 * POOL_STRING_MAX] = "";
	uint32_t number;

	assert_int_equal(string_pool_new(3000, &pool), 0);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned n = 0; n < 3000; n++) {
			snprintf(text, sizeof(text), "string %u", n);
			assert_int_equal(string_pool_number(pool, text, round == 0, &number), 0);
			assert_int_equal(number, n);
			assert_string_equal(string_pool_get(pool, n), text);
		}
	assert_int_equal(string_pool_number(pool, "one more", false, &number), -ENOENT);
	assert_int_equal(string_pool_number(pool, "one more", true, &number), -ENOSPC);
	string_pool_free(pool);

	assert_int_equal(string_pool_new(10, &pool), 0);
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(string_pool_number(pool, text, true, &number), 0);
	assert_int_equal(strlen(string_pool_get(pool, number)), POOL_STRING_MAX);
	string_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_last_bytes),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
