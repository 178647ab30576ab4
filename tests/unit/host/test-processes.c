/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process table: reuse of pids, the dead, late and lost news, the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/processes.h"

#define TICK(n) ((n)*PROCESS_TICK_NS)

static int setup(void **state)
{
	return processes_new("boot", (struct processes **)state);
}

static int teardown(void **state)
{
	processes_free(*state);
	return 0;
}

static void test_reuse(void **state)
{
	struct processes *p = *state;
	struct process *first = processes_put(p, 7, 100, TICK(100)), *second;

	assert_string_equal(processes_id(p, first), "boot/7/100");
	assert_ptr_equal(processes_put(p, 7, 100, TICK(101)), first);

	/* The exit of the first was lost: a second start is the proof of it. */
	second = processes_put(p, 7, 200, TICK(200));
	assert_ptr_not_equal(second, first);
	assert_true(first->dead);
	assert_false(second->dead);
	assert_ptr_equal(processes_get(p, 7, 0), second);
	assert_ptr_equal(processes_get(p, 7, 100), first);
	assert_null(processes_get(p, 7, 150));
	assert_string_equal(processes_id(p, second), "boot/7/200");

	processes_expire(p, TICK(201));
	assert_null(processes_get(p, 7, 100));
	assert_ptr_equal(processes_get(p, 7, 0), second);
}

static void test_late_news_of_a_predecessor(void **state)
{
	struct processes *p = *state;
	struct process *now = processes_put(p, 7, 300, TICK(300)),
		       *before = processes_put(p, 7, 100, TICK(301));

	assert_true(before->dead);
	assert_false(now->dead);
	assert_ptr_equal(processes_get(p, 7, 0), now);
	assert_ptr_equal(processes_put(p, 7, 200, TICK(302))->older, before);
}

static void test_unknown_start(void **state)
{
	struct processes *p = *state;
	struct process *process = processes_put(p, 7, 0, TICK(150));

	processes_bury(p, process, TICK(150));
	/* One that started before that death can be the same, one that started later cannot. */
	assert_ptr_equal(processes_get(p, 7, 100), process);
	assert_null(processes_get(p, 7, 151));
	assert_ptr_equal(processes_put(p, 7, 100, TICK(160)), process);
	assert_int_equal(process->start_tick, 100);
}

static void test_linger(void **state)
{
	struct processes *p = *state;
	struct process *a, *b, *c;

	a = processes_put(p, 1, 1, 0);
	b = processes_put(p, 2, 1, 0);
	c = processes_put(p, 3, 1, 0);
	processes_bury(p, a, TICK(10));
	processes_bury(p, b, TICK(20));
	processes_bury(p, c, TICK(30));
	processes_revive(p, b);
	processes_bury(p, a, TICK(40)); /* heard of again */
	processes_expire(p, TICK(35));
	assert_ptr_equal(processes_get(p, 1, 0), a);
	assert_ptr_equal(processes_get(p, 2, 0), b);
	assert_null(processes_get(p, 3, 0));
	processes_expire(p, UINT64_MAX);
	assert_null(processes_get(p, 1, 0));
	assert_ptr_equal(processes_get(p, 2, 0), b);
	processes_revive(p, b);
	assert_false(b->dead);
}

static void test_scan_buries_the_unseen(void **state)
{
	struct processes *p = *state;
	struct process *lost = processes_put(p, 1, 10, 0), *there = processes_put(p, 2, 10, 0),
		       *young;

	processes_scan_begin(p);
	young = processes_put(p, 3, 51, 0);
	there->seen = true;
	processes_scan_end(p, 50, TICK(60));
	assert_true(lost->dead);
	assert_false(there->dead);
	assert_false(young->dead);
}

static void test_limit(void **state)
{
	struct processes *p = *state;

	for (pid_t pid = 1; pid <= PROCESSES_MAX; pid++)
		assert_non_null(processes_put(p, pid, 1, 0));
	assert_null(processes_put(p, PROCESSES_MAX + 1, 1, 0));
	assert_int_equal(processes_full(p), 1);

	/* The longest dead makes room. */
	processes_bury(p, processes_get(p, 5, 0), 1);
	processes_bury(p, processes_get(p, 6, 0), 2);
	assert_non_null(processes_put(p, PROCESSES_MAX + 1, 1, 0));
	assert_null(processes_get(p, 5, 0));
	assert_non_null(processes_get(p, 6, 0));
	assert_int_equal(processes_full(p), 1);
	assert_true(processes_bytes(p) < 16 * 1024 * 1024);
}

static void test_bytes(void **state)
{
	struct processes *p = *state;
	struct process *process = processes_put(p, 1, 1, 0);
	size_t before = processes_bytes(p);

	processes_set_exe(p, process, strdup("/usr/sbin/nginx"));
	processes_id(p, process);
	assert_int_equal(processes_bytes(p),
			 before + strlen("/usr/sbin/nginx") + 1 + strlen("boot/1/1") + 1);
	processes_set_exe(p, process, NULL);
	assert_int_equal(processes_bytes(p), before + strlen("boot/1/1") + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reuse, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late_news_of_a_predecessor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_linger, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scan_buries_the_unseen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
