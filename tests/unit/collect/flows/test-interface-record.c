/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an interface's record tells while it is attached, once it is, and after it has gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collect/flows/interface-record.h"

#define HEADER 14

static struct interface make_interface(enum interface_state state)
{
	return (struct interface){
		.state = state,
		.slot = 3,
		.link = { .netns = 40, .ifindex = 5, .name = "eth0", .role = FLOW_ROLE_VETH },
		.exact = true,
		.before = { [TC_INGRESS] = { .packets = 100, .bytes = 10000 },
			    [TC_EGRESS] = { .packets = 200, .bytes = 20000 } },
	};
}

/* 2 skbs of 5 packets in, 1 skb out that another role has. */
static const struct wire_interface_count some = {
	.counted[WIRE_INGRESS] = { 2, 500, 3, 60 },
	.duplicate[WIRE_EGRESS] = { 1, 100, 0, 0 },
};
static const struct wire_interface_count nothing;

static void test_pending(void **state)
{
	struct interface interface = make_interface(INTERFACE_PENDING);
	struct before_attach before = { 0 };
	struct record record;

	assert_false(record_from_interface(&interface, &nothing, &before, &record));
	interface.exact = false;
	assert_true(record_from_interface(&interface, &some, &before, &record));
	assert_int_equal(record.kind, RECORD_INTERFACE);
	assert_string_equal(record.interface.name, "eth0");
	assert_int_equal(record.interface.counted_rx.packets, 5);
	assert_int_equal(record.interface.counted_rx.bytes_wire, 560);
	assert_int_equal(record.interface.duplicate_tx.skbs, 1);
	assert_int_equal(record.interface.before_attach_rx.skbs, 0);
	assert_true(record.interface.exact); /* nothing was told that could be inexact */
	assert_false(before.told);
}

/* Once, and with what was counted in the steps before: the interface's own counters by then. */
static void test_before_attach(void **state)
{
	struct interface interface = make_interface(INTERFACE_PENDING);
	struct before_attach before = { 0 };
	struct record record;
	const struct flow_interface *i = &record.interface;

	assert_true(record_from_interface(&interface, &some, &before, &record));
	assert_true(record_from_interface(&interface, &some, &before, &record));
	interface.state = INTERFACE_ATTACHED;
	interface.exact = false;
	interface.units[TC_INGRESS].omitted = HEADER;
	assert_true(record_from_interface(&interface, &some, &before, &record));
	assert_int_equal(i->before_attach_rx.skbs, 100 + 2 * 2);
	assert_int_equal(i->before_attach_rx.bytes, 10000 + 2 * (500 - 2 * HEADER));
	assert_int_equal(i->before_attach_rx.packets, 100 + 2 * 5);
	assert_int_equal(i->before_attach_rx.bytes_wire, 10000 + 2 * (560 - 5 * HEADER));
	assert_int_equal(i->before_attach_tx.skbs, 200 + 2 * 1);
	assert_int_equal(i->before_attach_tx.bytes, 20000 + 2 * 100);
	assert_int_equal(i->counted_rx.packets, 5);
	assert_true(i->omits_header_rx && !i->omits_header_tx && !i->exact && !i->removed);
	assert_true(record_from_interface(&interface, &nothing, &before, &record));
	assert_int_equal(i->before_attach_rx.skbs, 0);
	assert_int_equal(i->before_attach_tx.skbs, 0);
}

static void test_removed(void **state)
{
	struct interface interface = make_interface(INTERFACE_REMOVED);
	struct before_attach before = { 0 };
	struct record record;

	assert_true(record_from_interface(&interface, &nothing, &before, &record));
	assert_true(record.interface.removed);
	assert_int_equal(record.interface.before_attach_rx.packets, 100);
}

/* All that it transmits it receives: told as ingress counted it. */
static void test_loopback(void **state)
{
	struct interface interface = make_interface(INTERFACE_ATTACHED);
	struct before_attach before = { 0 };
	struct record record;

	interface.link.role = FLOW_ROLE_LOOPBACK;
	assert_true(record_from_interface(&interface, &some, &before, &record));
	assert_int_equal(record.interface.duplicate_tx.packets, 5);
	assert_int_equal(record.interface.duplicate_tx.bytes, 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_before_attach),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
