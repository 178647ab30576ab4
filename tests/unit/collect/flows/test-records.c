/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a flow whose ends are only in an order to one with a local end, its side, and the cause where
 * no process owns it. Which addresses are of this namespace is said here instead of by host/links:
 * 10.0.0.x and 127.x are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>

#include "base/util.h"
#include "collect/flows/records.h"

#define SYN 0x02
#define RST 0x04
#define ACK 0x10

#define HERE "10.0.0.1"
#define HERE_TOO "10.0.0.2"
#define THERE "192.0.2.1"
#define THERE_TOO "192.0.2.2"
#define NETNS 4026531840

bool links_is_local(const struct links *links, uint64_t netns, const struct ip_address *address)
{
	struct ip_prefix prefix;

	assert_int_equal(netns, NETNS);
	assert_int_equal(ip_prefix_parse("10.0.0.0/24", &prefix), 0);
	return (ip_prefix_contains(&prefix, address) && address->bytes[15] != 255) ||
	       ip_is_loopback(address);
}

#define BROADCAST "10.0.0.255"

bool links_is_group(const struct links *links, uint64_t netns, const struct ip_address *address)
{
	struct ip_address broadcast;

	assert_int_equal(netns, NETNS);
	assert_int_equal(ip_parse(BROADCAST, &broadcast), 0);
	return ip_compare(address, &broadcast) == 0 || ip_is_multicast(address);
}

/* Of another namespace that is observed. */
#define ELSEWHERE "192.0.2.3"

bool links_is_known(const struct links *links, const struct ip_address *address)
{
	struct ip_address elsewhere;

	assert_int_equal(ip_parse(ELSEWHERE, &elsewhere), 0);
	return ip_compare(address, &elsewhere) == 0;
}

static const struct record_context scanned = { .sockets_complete = true, .netns = NETNS };
static const struct record_context unscanned = { .netns = NETNS };

static struct drained_flow flow_between(uint8_t protocol, const char *a, const char *b)
{
	struct drained_flow f = { .key = { .protocol = protocol, .port = { 1000, 80 } } };
	struct ip_address address;

	assert_int_equal(ip_parse(a, &address), 0);
	memcpy(&f.key.address[0], &address, sizeof(address));
	assert_int_equal(ip_parse(b, &address), 0);
	memcpy(&f.key.address[1], &address, sizeof(address));
	return f;
}

/* The record of a flow in its first step. */
static struct flow flow_of(const struct record_context *context, const struct drained_flow *f)
{
	struct connection *c = connections_update(NULL, &f->key, &f->flow, 1);
	struct record record;

	record_from_flow(context, f, c, &record);
	assert_int_equal(record.kind, RECORD_FLOW);
	return record.flow;
}

/* 0 or 1: the end of the key that became the local one. */
static int local_of(const struct drained_flow *f)
{
	return flow_of(&scanned, f).local.port != 1000;
}

static void test_local_by_address(void **state)
{
	struct drained_flow f = flow_between(IPPROTO_TCP, HERE, THERE);

	assert_int_equal(local_of(&f), 0);
	/* A socket that came along through a veth changes nothing. */
	f.flow.end[1].kind = WIRE_OWNER_PROCESS;
	assert_int_equal(local_of(&f), 0);
	f.flow.traffic.first_sender = 1;
	assert_int_equal(local_of(&f), 0);
	f = flow_between(IPPROTO_TCP, THERE, HERE);
	assert_int_equal(local_of(&f), 1);
}

/* Only if none is here: what we send to a group is ours. */
static void test_local_is_the_group_that_is_sent_to(void **state)
{
	static const char *const groups[] = { BROADCAST, "224.0.0.251", "255.255.255.255",
					      "ff02::fb" };
	struct drained_flow f;

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		f = flow_between(IPPROTO_UDP, THERE, groups[i]);
		f.flow.end[0].kind = WIRE_OWNER_PROCESS; /* it came through a veth */
		assert_int_equal(local_of(&f), 1);
		f = flow_between(IPPROTO_UDP, HERE, groups[i]);
		assert_int_equal(local_of(&f), 0);
	}
}

static void test_local_otherwise(void **state)
{
	static const char *const pairs[][2] = { { HERE, HERE_TOO },
						{ "127.0.0.1", "127.0.0.1" },
						{ THERE, THERE_TOO } };

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct drained_flow f = flow_between(IPPROTO_TCP, pairs[i][0], pairs[i][1]);

		f.flow.traffic.first_sender = 1;
		assert_int_equal(local_of(&f), 1); /* the one that spoke first */
		f.flow.traffic.tcp_flags[0] = SYN;
		assert_int_equal(local_of(&f), 0); /* the client */
		f.flow.end[1].kind = WIRE_OWNER_LISTENER;
		assert_int_equal(local_of(&f), 1); /* the one that somebody owns */
		f.flow.end[0].kind = WIRE_OWNER_PROCESS;
		assert_int_equal(local_of(&f), 0); /* both owned: the client again */
		f.flow.end[0].side = WIRE_SIDE_SERVER;
		assert_int_equal(local_of(&f), 1); /* a socket's word counts more than a SYN */
	}
}

/* All steps of a connection show the same end, once it is sure. */
static void test_local_is_decided_once(void **state)
{
	struct drained_flow f = flow_between(IPPROTO_TCP, THERE, THERE_TOO);
	struct connections *connections;
	struct connection *c;
	struct record record;

	assert_int_equal(connections_new(1, &connections), 0);
	c = connections_update(connections, &f.key, &f.flow, 1);
	record_from_flow(&scanned, &f, c, &record);
	assert_int_equal(record.flow.local.port, 1000);
	f.flow.end[1].kind = WIRE_OWNER_PROCESS; /* now there is something to go by */
	c = connections_update(connections, &f.key, &f.flow, 2);
	record_from_flow(&scanned, &f, c, &record);
	assert_int_equal(record.flow.local.port, 80);
	f.flow.end[0].kind = WIRE_OWNER_PROCESS;
	f.flow.end[0].side = WIRE_SIDE_CLIENT;
	c = connections_update(connections, &f.key, &f.flow, 3);
	record_from_flow(&scanned, &f, c, &record);
	assert_int_equal(record.flow.local.port, 80);
	connections_free(connections);
}

static void test_causes(void **state)
{
	static const struct {
		const char *local, *peer;
		uint8_t kind, role_flags;
		enum flow_unowned scanned, unscanned;
	} cases[] = {
		{ HERE, THERE, WIRE_OWNER_PROCESS, 0, FLOW_OWNED, FLOW_OWNED },
		{ HERE, THERE, WIRE_OWNER_INHERITED, 0, FLOW_OWNED, FLOW_OWNED },
		{ HERE, THERE, WIRE_OWNER_LISTENER, 0, FLOW_OWNED, FLOW_OWNED },
		/* A socket without a maker is the kernel's own only if we know all others. */
		{ HERE, THERE, WIRE_OWNER_UNKNOWN, 0, FLOW_UNOWNED_KERNEL, FLOW_UNOWNED_UNKNOWN },
		{ HERE, THERE, WIRE_OWNER_TIME_WAIT, 0, FLOW_UNOWNED_TIME_WAIT,
		  FLOW_UNOWNED_TIME_WAIT },
		{ HERE, THERE, WIRE_OWNER_ORPHAN, 0, FLOW_UNOWNED_ORPHAN, FLOW_UNOWNED_ORPHAN },
		{ HERE, THERE, WIRE_OWNER_KERNEL, 0, FLOW_UNOWNED_KERNEL, FLOW_UNOWNED_KERNEL },
		{ HERE, THERE, WIRE_OWNER_NO_SOCKET, 0, FLOW_UNOWNED_NO_LISTENER,
		  FLOW_UNOWNED_NO_LISTENER },
		{ HERE, THERE, WIRE_OWNER_FORWARDED, 0, FLOW_UNOWNED_FORWARDED,
		  FLOW_UNOWNED_FORWARDED },
		{ HERE, THERE, WIRE_OWNER_NO_SOCKET, WIRE_KEY_FRAGMENT, FLOW_UNOWNED_FRAGMENT,
		  FLOW_UNOWNED_FRAGMENT },
		{ HERE, THERE, WIRE_OWNER_PROCESS, WIRE_KEY_FRAGMENT, FLOW_OWNED, FLOW_OWNED },
		/* From the host a container's end is seen on its veth. */
		{ THERE, THERE_TOO, WIRE_OWNER_NO_SOCKET, WIRE_ROLE_VETH,
		  FLOW_UNOWNED_OTHER_NAMESPACE, FLOW_UNOWNED_OTHER_NAMESPACE },
		{ THERE, THERE_TOO, WIRE_OWNER_NO_SOCKET, WIRE_ROLE_WIRE, FLOW_UNOWNED_FORWARDED,
		  FLOW_UNOWNED_FORWARDED },
		/* Its rows are those of a namespace that is observed: they name the owner. */
		{ ELSEWHERE, THERE, WIRE_OWNER_NO_SOCKET, WIRE_ROLE_VETH, FLOW_UNOWNED_FORWARDED,
		  FLOW_UNOWNED_FORWARDED },
		/* An skb that crossed a veth brings the socket of the other namespace along. */
		{ ELSEWHERE, THERE, WIRE_OWNER_PROCESS, WIRE_ROLE_VETH, FLOW_OWNED, FLOW_OWNED },
		{ THERE, THERE_TOO, WIRE_OWNER_UNKNOWN, WIRE_ROLE_VETH,
		  FLOW_UNOWNED_OTHER_NAMESPACE, FLOW_UNOWNED_OTHER_NAMESPACE },
		{ THERE, THERE_TOO, WIRE_OWNER_FORWARDED, WIRE_ROLE_VETH, FLOW_UNOWNED_FORWARDED,
		  FLOW_UNOWNED_FORWARDED },
		{ THERE, THERE_TOO, WIRE_OWNER_NO_SOCKET, WIRE_ROLE_VETH | WIRE_KEY_FRAGMENT,
		  FLOW_UNOWNED_OTHER_NAMESPACE, FLOW_UNOWNED_OTHER_NAMESPACE },
		/* A frame that somebody built: the kernel cannot say whose, and it is not its own. */
		{ HERE, THERE, WIRE_OWNER_PACKET, 0, FLOW_UNOWNED_UNKNOWN, FLOW_UNOWNED_UNKNOWN },
		{ THERE, THERE_TOO, WIRE_OWNER_PACKET, WIRE_ROLE_VETH, FLOW_UNOWNED_OTHER_NAMESPACE,
		  FLOW_UNOWNED_OTHER_NAMESPACE },
		{ HERE, THERE, WIRE_OWNER_NOT_ASKED, 0, FLOW_UNOWNED_KERNEL, FLOW_UNOWNED_KERNEL },
		{ BROADCAST, THERE, WIRE_OWNER_NO_SOCKET, 0, FLOW_UNOWNED_MULTICAST,
		  FLOW_UNOWNED_MULTICAST },
		{ "224.0.0.251", THERE, WIRE_OWNER_NO_SOCKET, 0, FLOW_UNOWNED_MULTICAST,
		  FLOW_UNOWNED_MULTICAST },
		{ "224.0.0.251", THERE, WIRE_OWNER_PROCESS, 0, FLOW_OWNED, FLOW_OWNED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct drained_flow f = flow_between(IPPROTO_TCP, cases[i].local, cases[i].peer);

		f.key.role_flags = cases[i].role_flags;
		f.flow.end[0].kind = cases[i].kind;
		assert_int_equal(flow_of(&scanned, &f).unowned, cases[i].scanned);
		assert_int_equal(flow_of(&unscanned, &f).unowned, cases[i].unscanned);
	}
}

/* The owner of the flow's first end in its second step, when nobody is found at it any more. */
static enum flow_unowned cause_when_closed(uint8_t protocol, const char *a, const char *b)
{
	struct drained_flow f = flow_between(protocol, a, b);
	struct connections *connections;
	struct connection *c;
	struct record record;

	assert_int_equal(connections_new(1, &connections), 0);
	f.flow.end[0] = (struct wire_owner){ .kind = WIRE_OWNER_PROCESS, .tgid = 7 };
	c = connections_update(connections, &f.key, &f.flow, 1);
	record_from_flow(&scanned, &f, c, &record);
	assert_int_equal(record.flow.unowned, FLOW_OWNED);
	f.flow.end[0] = (struct wire_owner){ .kind = WIRE_OWNER_NO_SOCKET };
	c = connections_update(connections, &f.key, &f.flow, 2);
	record_from_flow(&scanned, &f, c, &record);
	assert_int_equal(record.flow.local.port, 1000);
	assert_int_equal(record.flow.local.process.pid, record.flow.unowned == FLOW_OWNED ? 7 : 0);
	connections_free(connections);
	return record.flow.unowned;
}

/* The port is nobody's from then on, though the other end goes on. */
static void test_closed_udp_port(void **state)
{
	assert_int_equal(cause_when_closed(IPPROTO_UDP, HERE, THERE), FLOW_UNOWNED_NO_LISTENER);
	/* TCP says it on the wire; what comes later is still of that connection. */
	assert_int_equal(cause_when_closed(IPPROTO_TCP, HERE, THERE), FLOW_OWNED);
	/* Its sockets are not in this namespace: that none was found here says nothing. */
	assert_int_equal(cause_when_closed(IPPROTO_UDP, ELSEWHERE, THERE), FLOW_OWNED);
}

static void test_sides(void **state)
{
	static const struct {
		uint8_t protocol, side[2], flags[2];
		enum flow_side expected; /* of end 0 */
	} cases[] = {
		{ IPPROTO_TCP, { WIRE_SIDE_CLIENT, 0 }, { 0, 0 }, FLOW_SIDE_CLIENT },
		{ IPPROTO_TCP, { WIRE_SIDE_SERVER, 0 }, { 0, 0 }, FLOW_SIDE_SERVER },
		{ IPPROTO_TCP, { 0, WIRE_SIDE_CLIENT }, { 0, 0 }, FLOW_SIDE_SERVER },
		{ IPPROTO_TCP, { 0, WIRE_SIDE_SERVER }, { 0, 0 }, FLOW_SIDE_CLIENT },
		{ IPPROTO_TCP, { 0, 0 }, { SYN, 0 }, FLOW_SIDE_CLIENT },
		{ IPPROTO_TCP, { 0, 0 }, { 0, SYN }, FLOW_SIDE_SERVER },
		{ IPPROTO_TCP, { 0, 0 }, { SYN, SYN | ACK }, FLOW_SIDE_CLIENT }, /* spoke first */
		{ IPPROTO_TCP, { WIRE_SIDE_SERVER, 0 }, { SYN, 0 }, FLOW_SIDE_SERVER },
		{ IPPROTO_TCP, { 0, 0 }, { ACK, ACK }, FLOW_SIDE_UNKNOWN },
		{ IPPROTO_UDP, { 0, 0 }, { 0, 0 }, FLOW_SIDE_UNKNOWN },
		{ IPPROTO_UDP, { WIRE_SIDE_SERVER, 0 }, { 0, 0 }, FLOW_SIDE_SERVER },
		{ IPPROTO_ICMP, { 0, 0 }, { 0, 0 }, FLOW_SIDE_NONE },
	};
	struct drained_flow f;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		f = flow_between(cases[i].protocol, HERE, THERE);
		for (int end = 0; end < 2; end++) {
			f.flow.end[end].side = cases[i].side[end];
			f.flow.traffic.tcp_flags[end] = cases[i].flags[end];
		}
		assert_int_equal(flow_of(&scanned, &f).side, cases[i].expected);
	}
	f = flow_between(IPPROTO_UDP, THERE, THERE_TOO); /* neither end is here */
	assert_int_equal(flow_of(&scanned, &f).side, FLOW_SIDE_NONE);
}

static void test_fields(void **state)
{
	struct drained_flow f = flow_between(IPPROTO_TCP, THERE, HERE);
	struct flow flow;

	f.key.role_flags = WIRE_ROLE_BRIDGE | WIRE_KEY_INNER;
	f.flow.traffic.sent[0] = (struct wire_count){ 1, 100, 2, 20 };
	f.flow.traffic.sent[1] = (struct wire_count){ 3, 300, 4, 40 };
	f.flow.end[1] =
		(struct wire_owner){ .kind = WIRE_OWNER_PROCESS, .tgid = 7, .cgroup_id = 8 };
	memset(f.flow.end[1].comm, 'x', sizeof(f.flow.end[1].comm)); /* not terminated */
	f.flow.traffic.tcp_flags[0] = ACK;
	f.flow.traffic.tcp_flags[1] = ACK | RST;
	f.flow.traffic.rtt_us = 9;
	f.flow.traffic.retransmits = 10;
	f.flow.traffic.resets = 70000;
	flow = flow_of(&scanned, &f);
	assert_true(flow.netns == NETNS && flow.role == FLOW_ROLE_BRIDGE);
	assert_true(flow.inner && !flow.fragment && !flow.other);
	assert_true(flow.protocol == IPPROTO_TCP && flow.local.port == 80 &&
		    flow.peer.port == 1000);
	assert_int_equal(flow.tx.skbs, 3);
	assert_int_equal(flow.tx.packets, 7);
	assert_int_equal(flow.tx.bytes, 300);
	assert_int_equal(flow.tx.bytes_wire, 340);
	assert_int_equal(flow.rx.packets, 3);
	assert_int_equal(flow.rx.bytes_wire, 120);
	assert_int_equal(flow.local.process.pid, 7);
	assert_int_equal(flow.local.process.cgroup_id, 8);
	assert_string_equal(flow.local.process.comm, "xxxxxxxxxxxxxxx");
	assert_int_equal(flow.peer.process.pid, 0);
	assert_int_equal(flow.tcp.flags, ACK | RST);
	assert_int_equal(flow.tcp.rtt_us, 9);
	assert_int_equal(flow.tcp.retransmits, 10);
	assert_int_equal(flow.tcp.resets, UINT16_MAX);
	assert_int_equal(flow.tcp.state, TCP_STATE_RESET);
	f.key.protocol = IPPROTO_UDP;
	assert_int_equal(flow_of(&scanned, &f).tcp.rtt_us, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_local_by_address),
		cmocka_unit_test(test_local_is_the_group_that_is_sent_to),
		cmocka_unit_test(test_local_otherwise),
		cmocka_unit_test(test_local_is_decided_once),
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_closed_udp_port),
		cmocka_unit_test(test_sides),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
