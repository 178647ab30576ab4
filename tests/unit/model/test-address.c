/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "model/address.h"

static struct ip_address ip(const char *text)
{
	struct ip_address a;

	assert_int_equal(ip_parse(text, &a), 0);
	return a;
}

static void test_round_trip(void **state)
{
	static const char *const texts[] = { "10.1.2.3", "0.0.0.0", "255.255.255.255",	     "::",
					     "::1",	 "fe80::1", "2001:db8::ff00:42:8329" };
	char buf[IP_ADDRESS_STRLEN];
	struct ip_address a;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		a = ip(texts[i]);
		assert_string_equal(ip_format(&a, buf), texts[i]);
		assert_int_equal(ip_is_v4(&a), strchr(texts[i], '.') != NULL);
	}
	a = ip("::ffff:10.1.2.3");
	assert_string_equal(ip_format(&a, buf), "10.1.2.3");
}

static void test_bad_addresses(void **state)
{
	static const char *const texts[] = {
		"",	      "10.1.2",	   "10.1.2.3.4", "256.0.0.1",	     "fe80::1%eth0",
		"10.0.0.0/8", "localhost", ":",		 "1:2:3:4:5:6:7:8:9"
	};
	struct ip_address untouched = ip("1.2.3.4"), a = untouched;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(ip_parse(texts[i], &a), -EINVAL);
	assert_int_equal(ip_compare(&a, &untouched), 0);
}

static void test_prefix(void **state)
{
	static const struct {
		const char *prefix, *address;
		bool in;
	} cases[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "10.0.0.0/8", "::a00:1", false },
		{ "10.1.2.3/8", "10.9.9.9", true },
		{ "172.16.0.0/12", "172.31.9.9", true },
		{ "172.16.0.0/12", "172.32.0.0", false },
		{ "0.0.0.0/0", "8.8.8.8", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "8.8.8.8", true },
		{ "10.1.2.3", "10.1.2.3", true },
		{ "10.1.2.3", "10.1.2.2", false },
		{ "10.1.2.3/32", "10.1.2.3", true },
		{ "10.1.2.2/31", "10.1.2.3", true },
		{ "fc00::/7", "fdff::1", true },
		{ "fc00::/7", "fe00::1", false },
		{ "2001:db8::/33", "2001:db8:7fff::", true },
		{ "2001:db8::/33", "2001:db8:8000::", false },
		{ "::ffff:10.0.0.0/104", "10.255.0.1", true },
	};
	struct ip_prefix prefix;
	struct ip_address a;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(ip_prefix_parse(cases[i].prefix, &prefix), 0);
		a = ip(cases[i].address);
		assert_int_equal(ip_prefix_contains(&prefix, &a), cases[i].in);
	}
}

static void test_bad_prefixes(void **state)
{
	static const char *const texts[] = {
		"10.0.0.0/33",
		"::/129",
		"10.0.0.0/",
		"10.0.0.0/-1",
		"10.0.0.0/+8",
		"10.0.0.0/ 8",
		"10.0.0.0/8 ",
		"/8",
		"",
		"10.0.0.0/08888",
		"10.0.0.0/0x8",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/8",
	};
	struct ip_prefix prefix;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(ip_prefix_parse(texts[i], &prefix), -EINVAL);
}

static void test_ranges(void **state)
{
	static const char *const private[] = { "10.0.0.1",    "172.16.0.1",  "192.168.255.255",
					       "100.64.0.1",  "169.254.1.1", "127.0.0.1",
					       "::1",	      "fd00::1",     "fe80::1",
					       "224.0.0.251", "ff02::1",     "255.255.255.255",
					       "0.0.0.0",     "::" };
	static const char *const public[] = {
		"8.8.8.8",  "172.15.255.255",	    "172.32.0.1", "192.169.0.1", "100.128.0.1",
		"11.0.0.0", "2001:4860:4860::8888", "fec0::1",	  "::2"
	};
	struct ip_address a;

	for (size_t i = 0; i < ARRAY_SIZE(private); i++) {
		a = ip(private[i]);
		assert_true(ip_is_private(&a));
	}
	for (size_t i = 0; i < ARRAY_SIZE(public); i++) {
		a = ip(public[i]);
		assert_false(ip_is_private(&a));
	}
	a = ip("239.1.1.1");
	assert_true(ip_is_multicast(&a) && !ip_is_loopback(&a));
	a = ip("127.9.9.9");
	assert_true(ip_is_loopback(&a) && !ip_is_multicast(&a));
	a = ip("169.254.169.254");
	assert_true(ip_is_link_local(&a));
	a = ip("febf::1");
	assert_true(ip_is_link_local(&a));
	a = ip("fec0::1");
	assert_false(ip_is_link_local(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_bad_addresses),
		cmocka_unit_test(test_prefix),	   cmocka_unit_test(test_bad_prefixes),
		cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
