/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a user may write to mean a network namespace. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/netns-find.h"

static const struct netns_ref blue = { .inode = 4026532281, .path = "/run/netns/blue" };

static void test_names(void **state)
{
	const struct netns_ref nameless = { .inode = 4026532281 };

	assert_string_equal(netns_name(&blue), "blue");
	assert_string_equal(netns_name(&nameless), "");
	assert_true(netns_matches(&blue, "blue"));
	assert_true(netns_matches(&blue, "all"));
	assert_true(netns_matches(&blue, "4026532281"));
	assert_false(netns_matches(&blue, "4026532281x"));
	assert_false(netns_matches(&blue, "402653228"));
	assert_false(netns_matches(&blue, "blu"));
	assert_false(netns_matches(&blue, "default"));
	assert_false(netns_matches(&blue, ""));
	assert_false(netns_matches(&nameless, ""));
	assert_false(netns_matches(&blue, "/nonexistent"));
}

static void test_own(void **state)
{
	struct netns_ref own = { .nsid = NETNS_NSID_NONE };
	int back;

	assert_int_equal(netns_own_inode(&own.inode), 0);
	assert_true(netns_matches(&own, "default"));
	assert_true(netns_matches(&own, "/proc/self/ns/net"));
	assert_false(netns_matches(&own, "/proc/self/ns/mnt"));
	/* Needs no privilege: it is where we are. */
	assert_int_equal(netns_enter(&own, &back), 0);
	netns_leave(back);
}

/* An inode that no namespace has: found by no path, no process, no scan. */
static void test_gone(void **state)
{
	const struct netns_ref gone = {
		.inode = 1, .nsid = NETNS_NSID_NONE, .pid = 1, .path = "/proc/self/ns/net"
	};
	int back = 77;

	assert_int_equal(netns_enter(&gone, &back), -ESTALE);
	assert_int_equal(back, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
