/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kinds of interfaces: role, header, and the units of their counters (notes/network.md section 13). */
#include <net/if_arp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "host/link-kind.h"

static const struct {
	const char *kind;
	uint16_t type;
	enum flow_role role;
	bool l3;
} cases[] = {
	{ "", ARPHRD_ETHER, FLOW_ROLE_WIRE, false },
	{ "", ARPHRD_LOOPBACK, FLOW_ROLE_LOOPBACK, false },
	{ "veth", ARPHRD_ETHER, FLOW_ROLE_VETH, false },
	{ "netkit", ARPHRD_NONE, FLOW_ROLE_VETH, true },
	{ "bridge", ARPHRD_ETHER, FLOW_ROLE_BRIDGE, false },
	{ "bond", ARPHRD_ETHER, FLOW_ROLE_BRIDGE, false },
	{ "vxlan", ARPHRD_ETHER, FLOW_ROLE_TUNNEL, false },
	{ "vlan", ARPHRD_ETHER, FLOW_ROLE_TUNNEL, false },
	{ "macvlan", ARPHRD_ETHER, FLOW_ROLE_TUNNEL, false },
	{ "ipip", ARPHRD_TUNNEL, FLOW_ROLE_TUNNEL, true },
	{ "sit", ARPHRD_SIT, FLOW_ROLE_TUNNEL, true },
	{ "wireguard", ARPHRD_NONE, FLOW_ROLE_TUNNEL, true },
	{ "tun", ARPHRD_NONE, FLOW_ROLE_TUNNEL, true },
	{ "tun", ARPHRD_ETHER, FLOW_ROLE_TUNNEL, false },
	{ "", ARPHRD_RAWIP, FLOW_ROLE_TUNNEL, true }, /* a modem */
	{ "dummy", ARPHRD_ETHER, FLOW_ROLE_WIRE, false },
	{ "of-tomorrow", ARPHRD_ETHER, FLOW_ROLE_WIRE, false },
};

static void test_kinds(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("%s/%u\n", cases[i].kind, cases[i].type);
		assert_int_equal(link_role(cases[i].kind, cases[i].type), cases[i].role);
		assert_int_equal(link_is_l3(cases[i].type), cases[i].l3);
		assert_true(link_is_supported(cases[i].type));
	}
	assert_false(link_is_supported(ARPHRD_INFINIBAND));
	assert_false(link_is_supported(ARPHRD_IEEE80211_RADIOTAP));
}

/* The four rows of the table in notes/network.md section 13, to the byte. */
static const struct {
	const char *kind;
	uint16_t type;
	bool transmit, merges;
	struct flow_count tc;
	struct link_counter own;
} measured[] = {
	{ "",
	  ARPHRD_LOOPBACK,
	  false,
	  false,
	  { .skbs = 10, .bytes = 1420, .packets = 10, .bytes_wire = 1420 },
	  { 10, 1280 } },
	{ "",
	  ARPHRD_LOOPBACK,
	  true,
	  false,
	  { .skbs = 10, .bytes = 1420, .packets = 10, .bytes_wire = 1420 },
	  { 10, 1280 } },
	{ "bridge",
	  ARPHRD_ETHER,
	  false,
	  false,
	  { .skbs = 17, .bytes = 2482, .packets = 17, .bytes_wire = 2482 },
	  { 17, 2244 } },
	{ "bridge",
	  ARPHRD_ETHER,
	  true,
	  false,
	  { .skbs = 17, .bytes = 2482, .packets = 17, .bytes_wire = 2482 },
	  { 17, 2482 } },
	{ "veth",
	  ARPHRD_ETHER,
	  false,
	  false,
	  { .skbs = 900, .bytes = 50719748, .packets = 35000, .bytes_wire = 53029748 },
	  { 900, 50719748 } },
	{ "veth",
	  ARPHRD_ETHER,
	  false,
	  true,
	  { .skbs = 1026,
	    .bytes = 52628112,
	    .packets = 36395,
	    .bytes_wire = 54452936 + 14 * 36395 },
	  { 36395, 54452936 } },
};

static void test_units(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(measured); i++) {
		struct link_units units = link_units(measured[i].kind, measured[i].type,
						     measured[i].transmit, measured[i].merges);
		struct link_counter own = link_convert(&units, &measured[i].tc);

		assert_true(units.known);
		assert_int_equal(own.packets, measured[i].own.packets);
		assert_int_equal(own.bytes, measured[i].own.bytes);
	}
	/* A network card: its driver's secret. */
	assert_false(link_units("", ARPHRD_ETHER, true, true).known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
