/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which addresses packets for us may have, from RTM_NEWADDR messages as the kernel sends them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "host/link-message.h"
#include "host/rtnl.h"

static void put(struct nl_msg *message, int type, const char *text)
{
	struct ip_address a;
	size_t skip;

	if (!text)
		return;
	assert_int_equal(ip_parse(text, &a), 0);
	skip = ip_is_v4(&a) ? 12 : 0;
	assert_int_equal(nla_put(message, type, (int)(16 - skip), a.bytes + skip), 0);
}

static struct nl_msg *address_message(int family, unsigned prefix, const char *local,
				      const char *address, const char *broadcast)
{
	struct ifaddrmsg header = { .ifa_family = family, .ifa_prefixlen = prefix };
	struct nl_msg *message = rtnl_message(RTM_NEWADDR, 0, &header, sizeof(header));

	assert_non_null(message);
	put(message, IFA_LOCAL, local);
	put(message, IFA_ADDRESS, address);
	put(message, IFA_BROADCAST, broadcast);
	return message;
}

static void assert_address(const struct link_address *found, const char *text, bool broadcast)
{
	char buf[IP_ADDRESS_STRLEN];

	assert_string_equal(ip_format(&found->address, buf), text);
	assert_true(found->broadcast == broadcast);
}

static void test_addresses(void **state)
{
	static const struct {
		int family;
		unsigned prefix;
		const char *local, *address, *broadcast;
		const char *own, *second; /* NULL: none */
	} cases[] = {
		{ AF_INET, 24, "10.1.2.3", "10.1.2.3", "10.1.2.255", "10.1.2.3", "10.1.2.255" },
		{ AF_INET, 24, "10.1.2.3", "10.1.2.3", NULL, "10.1.2.3", "10.1.2.255" },
		{ AF_INET, 21, "10.1.2.3", "10.1.2.3", NULL, "10.1.2.3", "10.1.7.255" },
		{ AF_INET, 24, "10.1.2.3", "10.1.2.3", "10.1.255.255", "10.1.2.3", "10.1.255.255" },
		{ AF_INET, 30, "10.1.2.1", "10.1.2.1", NULL, "10.1.2.1", "10.1.2.3" },
		{ AF_INET, 31, "10.1.2.2", "10.1.2.2", NULL, "10.1.2.2", NULL },
		{ AF_INET, 32, "10.1.2.3", "10.9.9.9", NULL, "10.1.2.3", NULL }, /* to a peer */
		{ AF_INET6, 64, NULL, "fd77::1", NULL, "fd77::1", "fd77::" },
		{ AF_INET6, 60, NULL, "fd77:0:0:1f::1", NULL, "fd77:0:0:1f::1", "fd77:0:0:10::" },
		{ AF_INET6, 127, NULL, "fd77::1", NULL, "fd77::1", NULL },
		{ AF_INET6, 128, "fd77::1", "fd77::2", NULL, "fd77::1", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(nlmsg_free_p) struct nl_msg *message =
			address_message(cases[i].family, cases[i].prefix, cases[i].local,
					cases[i].address, cases[i].broadcast);
		struct link_address found[LINK_ADDRESSES_PER_MESSAGE];

		assert_int_equal(address_parse(nlmsg_hdr(message), found), cases[i].second ? 2 : 1);
		assert_address(&found[0], cases[i].own, false);
		if (cases[i].second)
			assert_address(&found[1], cases[i].second, cases[i].family == AF_INET);
	}
}

static void test_no_addresses(void **state)
{
	struct link_address found[LINK_ADDRESSES_PER_MESSAGE];
	struct nl_msg *messages[] = {
		address_message(AF_INET, 24, NULL, NULL, "10.1.2.255"),
		address_message(AF_INET, 24, "fd77::1", NULL, NULL), /* 16 bytes */
		address_message(AF_INET6, 64, NULL, "10.1.2.3", NULL),
		address_message(AF_PACKET, 8, "10.1.2.3", NULL, NULL),
	};

	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		assert_int_equal(address_parse(nlmsg_hdr(messages[i]), found), 0);
		nlmsg_free(messages[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_no_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
