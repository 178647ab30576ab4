/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which cgroups the kernel is told: those of the units, as far as they lie in the cgroups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "collect/shared/scope-maps.h"

/* The path is borrowed here, and never written to. */
#define CGROUP(id_, path_)           \
	{                            \
		id_, (char *)(path_) \
	}

/* The ids in force, as a number: 1, 2 -> 12. */
static unsigned ids(const struct scope *scope)
{
	const struct scope_cgroup *cgroups[SCOPE_VALUES_MAX];
	unsigned number = 0;
	size_t n;

	scope_cgroups_in_force(scope, cgroups, &n);
	for (size_t i = 0; i < n; i++)
		number = number * 10 + (unsigned)cgroups[i]->id;
	return number;
}

static void test_none(void **state)
{
	const struct scope by_pid = { .n_pids = 1, .pids = { 7 } };

	assert_int_equal(ids(NULL), 0);
	assert_int_equal(ids(&by_pid), 0);
	assert_false(scope_wants_cgroups(NULL));
	assert_false(scope_wants_cgroups(&by_pid));
}

static void test_one_key(void **state)
{
	const struct scope cgroups = {
		.n_cgroups = 2, .cgroups = { CGROUP(1, "/a.slice"), CGROUP(2, "/b.slice") }
	};
	const struct scope units = {
		.n_units = 2, .units = { CGROUP(3, "/a.slice/x.service"), CGROUP(4, "/y.service") }
	};

	assert_int_equal(ids(&cgroups), 12);
	assert_int_equal(ids(&units), 34);
	assert_true(scope_wants_cgroups(&cgroups) && scope_wants_cgroups(&units));
}

/* Values of a key OR, keys AND: a unit counts if it is below one of the cgroups. */
static void test_both_keys(void **state)
{
	struct scope scope = {
		.n_cgroups = 2,
		.cgroups = { CGROUP(1, "/a.slice"), CGROUP(2, "/b.slice/") },
		.n_units = 5,
		.units = { CGROUP(3, "/a.slice/x.service"), CGROUP(4, "/a.slice-not/x.service"),
			   CGROUP(5, "/b.slice/deep/y.service"), CGROUP(6, "/z.service"),
			   CGROUP(7, "/a.slice") },
	};

	assert_int_equal(ids(&scope), 357);
	scope.n_cgroups = 1;
	scope.cgroups[0] = (struct scope_cgroup)CGROUP(1, "/");
	assert_int_equal(ids(&scope), 34567);
}

/* A unit that does not run has no cgroup. It is in scope all the same: nothing else is. */
static void test_not_running(void **state)
{
	const struct scope scope = { .n_units = 1, .units = { { 0, NULL } } };
	const struct scope below = { .n_cgroups = 1,
				     .cgroups = { CGROUP(1, "/a.slice") },
				     .n_units = 1,
				     .units = { { 0, NULL } } };

	assert_int_equal(ids(&scope), 0);
	assert_true(scope_wants_cgroups(&scope));
	assert_int_equal(ids(&below), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_one_key),
		cmocka_unit_test(test_both_keys),
		cmocka_unit_test(test_not_running),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
