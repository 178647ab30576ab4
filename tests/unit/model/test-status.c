/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/util.h"
#include "model/status.h"

static void test_state_only_falls(void **state)
{
	struct part_status s = { .state = PART_ON };

	part_degrade(&s, PART_OFF, "no %s", "BTF");
	part_degrade(&s, PART_DEGRADED, "no port %d", 80);
	assert_int_equal(s.state, PART_OFF);
	assert_string_equal(s.reason, "no BTF; no port 80");
}

static void test_whole_sentences_or_none(void **state)
{
	struct part_status s = { .state = PART_ON };
	char expected[PART_REASON_LEN + 100] = "";

	for (int i = 0; i < 100; i++)
		part_degrade(&s, PART_DEGRADED, "sentence number %04d", i);
	/* "sentence number 0000; " is 22 bytes; 23 of them and the end fit into 511. */
	for (int i = 0; i < 23; i++)
		snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
			 "sentence number %04d; ", i);
	strcat(expected, "...");
	assert_string_equal(s.reason, expected);
}

static void test_one_long_sentence(void **state)
{
	struct part_status s = { .state = PART_ON };

	part_degrade(&s, PART_DEGRADED, "%01000d", 7);
	assert_int_equal(strlen(s.reason), PART_REASON_LEN - 1);
	part_degrade(&s, PART_DEGRADED, "another");
	assert_int_equal(strlen(s.reason), PART_REASON_LEN - 1);
}

static void test_one_mark_for_all_that_found_no_room(void **state)
{
	struct part_status s = { .state = PART_ON };

	part_degrade(&s, PART_DEGRADED, "short");
	part_degrade(&s, PART_DEGRADED, "%0505d", 7);
	part_degrade(&s, PART_DEGRADED, "%0505d", 7);
	assert_string_equal(s.reason, "short; ...");
}

static void test_switched_off_is_no_trouble(void **state)
{
	struct part_status s = { .state = PART_ON };

	part_switch_off(&s, "health.listen is empty");
	assert_int_equal(s.state, PART_OFF);
	assert_true(s.as_configured);
	assert_string_equal(s.reason, "health.listen is empty");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state_only_falls),
		cmocka_unit_test(test_whole_sentences_or_none),
		cmocka_unit_test(test_one_long_sentence),
		cmocka_unit_test(test_one_mark_for_all_that_found_no_room),
		cmocka_unit_test(test_switched_off_is_no_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
