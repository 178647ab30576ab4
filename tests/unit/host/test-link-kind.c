/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kinds of interfaces: role, header, and the units of their counters. */
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

static const struct link_offloads defaults = { .tso = true };
static const struct link_offloads gro = { .tso = true, .gro = true };
static const struct link_offloads no_tso = { .peer_seen = true };
static const struct link_offloads pair = { .tso = true, .peer_seen = true, .peer_tso = true };
static const struct link_offloads pair_gro = { .tso = true,
					       .gro = true,
					       .peer_seen = true,
					       .peer_tso = true,
					       .peer_gro = true };
static const struct link_offloads from_no_tso = { .tso = true, .gro = true, .peer_seen = true };

/* What was measured on 6.18: single packets, and TCP over pairs. */
static const struct {
	const char *kind;
	uint16_t type;
	bool transmit;
	const struct link_offloads *offloads;
	struct flow_count tc;
	struct link_counter own;
} measured[] = {
	{ "",
	  ARPHRD_LOOPBACK,
	  false,
	  &defaults,
	  { .skbs = 10, .bytes = 1420, .packets = 10, .bytes_wire = 1420 },
	  { 10, 1280 } },
	{ "",
	  ARPHRD_LOOPBACK,
	  true,
	  &defaults,
	  { .skbs = 10, .bytes = 1420, .packets = 10, .bytes_wire = 1420 },
	  { 10, 1280 } },
	{ "bridge",
	  ARPHRD_ETHER,
	  false,
	  &gro,
	  { .skbs = 17, .bytes = 2482, .packets = 17, .bytes_wire = 2482 },
	  { 17, 2244 } },
	{ "bridge",
	  ARPHRD_ETHER,
	  true,
	  &gro,
	  { .skbs = 17, .bytes = 2482, .packets = 17, .bytes_wire = 2482 },
	  { 17, 2482 } },
	{ "veth",
	  ARPHRD_ETHER,
	  false,
	  &pair,
	  { .skbs = 142, .bytes = 5252742, .packets = 3657, .bytes_wire = 5484732 },
	  { 142, 5252742 } },
	{ "veth",
	  ARPHRD_ETHER,
	  false,
	  &pair_gro, /* GRO alone changes nothing while the sender has TSO */
	  { .skbs = 146, .bytes = 5384104, .packets = 3748, .bytes_wire = 5621836 },
	  { 146, 5384104 } },
	{ "veth",
	  ARPHRD_ETHER,
	  false,
	  &from_no_tso,
	  { .skbs = 1026,
	    .bytes = 52628112,
	    .packets = 36395,
	    .bytes_wire = 54452936 + 14 * 36395 },
	  { 36395, 54452936 } },
	{ "veth",
	  ARPHRD_ETHER,
	  true,
	  &no_tso,
	  { .skbs = 121, .bytes = 4595269, .packets = 3200, .bytes_wire = 4798483 },
	  { 3200, 4798483 } },
	{ "vxlan",
	  ARPHRD_ETHER,
	  true,
	  &defaults,
	  { .skbs = 127, .bytes = 5251756, .packets = 3773, .bytes_wire = 5492436 },
	  { 127, 5249978 } },
	{ "gretap",
	  ARPHRD_ETHER,
	  false,
	  &defaults,
	  { .skbs = 143, .bytes = 5252831, .packets = 3742, .bytes_wire = 5490365 },
	  { 143, 5252831 } },
};

static void test_units(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(measured); i++) {
		struct link_units units = link_units(measured[i].kind, measured[i].type,
						     measured[i].transmit, measured[i].offloads);
		struct link_counter own = link_convert(&units, &measured[i].tc);

		print_message("%zu: %s\n", i, measured[i].kind);
		assert_true(units.known || measured[i].offloads == &from_no_tso);
		assert_int_equal(own.packets, measured[i].own.packets);
		assert_int_equal(own.bytes, measured[i].own.bytes);
	}
}

/* Where it cannot be told, it is said. */
static void test_doubt(void **state)
{
	struct link_units units;

	units = link_units("", ARPHRD_ETHER, true, &gro); /* a network card */
	assert_false(units.known);
	assert_true(units.omitted_known);
	units = link_units("wireguard", ARPHRD_NONE, false, &gro);
	assert_false(units.known || units.omitted_known);
	units = link_units("vxlan", ARPHRD_ETHER, false, &gro); /* were they merged below? */
	assert_false(units.known);
	assert_true(units.omitted_known);
	units = link_units("veth", ARPHRD_ETHER, false, &gro); /* what does the sender do? */
	assert_false(units.known || units.omitted_known);
	units = link_units("veth", ARPHRD_ETHER, false, &from_no_tso); /* not before 5.13 */
	assert_false(units.omitted_known);
	units = link_units("veth", ARPHRD_ETHER, true, &gro); /* it sends with TSO: no doubt */
	assert_true(units.known && units.omitted_known);
	units = link_units("veth", ARPHRD_ETHER, false, &defaults); /* no GRO: no doubt */
	assert_true(units.known && units.omitted_known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_doubt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
