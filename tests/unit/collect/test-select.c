/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which interfaces and namespaces the user's lists choose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "collect/shared/select.h"
#include "host/netns-find.h"

/* The list borrows literals, which nobody writes to. */
#define LIST(...)                                                                         \
	(&(struct option_list){ sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *), \
				(char **)(const char *[]){ __VA_ARGS__ } })

static void test_interfaces(void **state)
{
	static const struct option_list none;

	assert_true(select_interface(NULL, "eth0"));
	assert_true(select_interface(&none, "eth0"));
	assert_true(select_interface(LIST("eth0"), "eth0"));
	assert_false(select_interface(LIST("eth0"), "eth01"));
	assert_true(select_interface(LIST("lo", "e*"), "enp3s0"));
	assert_false(select_interface(LIST("lo", "e*"), "wlan0"));
	assert_false(select_interface(LIST("!veth*"), "veth1234"));
	assert_true(select_interface(LIST("!veth*"), "eth0"));
	assert_false(select_interface(LIST("*", "!veth*"), "veth1234"));
	assert_false(select_interface(LIST("!veth*", "*"), "veth1234")); /* in any order */
	assert_true(select_interface(LIST("eth[0-3]", "!eth2"), "eth3"));
	assert_false(select_interface(LIST("eth[0-3]", "!eth2"), "eth2"));
}

static void test_netns(void **state)
{
	const struct netns_ref blue = { .inode = 100, .path = "/run/netns/blue" };
	const struct scope anywhere = { .n_netns = 0 };
	const struct scope only_blue = { .n_netns = 1, .netns = { 100 } };
	struct netns_ref own = { .nsid = NETNS_NSID_NONE };

	assert_int_equal(netns_own_inode(&own.inode), 0);
	assert_true(select_netns(NULL, NULL, &own));
	assert_false(select_netns(NULL, NULL, &blue));
	assert_true(select_netns(NULL, &anywhere, &own));
	/* the scope is the list when there is none */
	assert_true(select_netns(NULL, &only_blue, &blue));
	assert_false(select_netns(NULL, &only_blue, &own));
	/* and bounds it when there is one */
	assert_true(select_netns(LIST("all"), &only_blue, &blue));
	assert_false(select_netns(LIST("all"), &only_blue, &own));
	assert_false(select_netns(LIST("default"), &only_blue, &blue));
	assert_true(select_netns(LIST("red", "blue"), NULL, &blue));
	assert_false(select_netns(LIST("red"), NULL, &blue));

	assert_false(select_foreign(NULL, NULL));
	assert_false(select_foreign(LIST("default"), &anywhere));
	assert_true(select_foreign(LIST("default", "blue"), NULL));
	assert_true(select_foreign(NULL, &only_blue));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_netns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
