/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The flows programs over packets made by hand (BPF_PROG_TEST_RUN): which flow, or which reason for
 * none, and how much is counted. After every packet the books must balance: flows and untracked
 * together are what the interface counted. Needs root and a kernel that runs BPF.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "bpf/wire/flows.h"

#include "bpf/flows.skel.h"
#include "collect/flows/drain.h"
#include "collect/flows/slots.h"
#include "frame.h"

#define A 0x0a000001
#define B 0x0a000002
#define SLOT 1

#define FIN 0x01
#define SYN 0x02
#define ACK 0x10

static struct flows_bpf *skel;
static struct slots *slots;
static struct flows_drain drain;
static int programs[TC_DIRECTIONS];
static uint16_t slot_list[] = { SLOT };

static struct wire_flows_settings *settings(void)
{
	return (struct wire_flows_settings *)&skel->bss->settings;
}

static void set_program(uint32_t hook, const struct bpf_program *program)
{
	int fd = bpf_program__fd(program);

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.programs), &hook, &fd, BPF_ANY),
			 0);
}

static int load(void **state)
{
	struct interface interface = {
		.slot = SLOT,
		.link = { .ifindex = 1, .netns = 1, .role = FLOW_ROLE_VETH },
	};

	skel = flows_bpf__open();
	assert_non_null(skel);
	bpf_map__set_max_entries(skel->maps.flows_even, 1024);
	bpf_map__set_max_entries(skel->maps.flows_odd, 1024);
	slots_size_maps(skel, 4);
	if (flows_bpf__load(skel) < 0)
		return -1;
	set_program(WIRE_INGRESS, skel->progs.flows_ingress);
	set_program(WIRE_EGRESS, skel->progs.flows_egress);
	assert_int_equal(slots_new(skel, 4, &slots), 0);
	assert_int_equal(slots_prepare(slots, &interface, programs), 0);
	drain.skel = skel;
	assert_int_equal(grace_init(&drain.grace, skel->maps.grace), 0);
	drain.overflow = ring_buffer__new(bpf_map__fd(skel->maps.overflow), flows_drain_on_overflow,
					  &drain, NULL);
	assert_non_null(drain.overflow);
	return 0;
}

static int unload(void **state)
{
	flows_drain_done(&drain);
	ring_buffer__free(drain.overflow);
	grace_done(&drain.grace);
	slots_free(slots);
	flows_bpf__destroy(skel);
	return 0;
}

static int reset(void **state)
{
	settings()->protocols =
		WIRE_PROTOCOL_TCP | WIRE_PROTOCOL_UDP | WIRE_PROTOCOL_SCTP | WIRE_PROTOCOL_ICMP;
	settings()->inner = 0;
	settings()->scope_by_owner = 0;
	settings()->cap = 1024;
	settings()->overflow_left = 0;
	return 0;
}

/* --- one packet in, one epoch out ------------------------------------------------------------ */

static struct __sk_buff context;

static void send_packet(const struct frame *f, enum tc_direction direction)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->bytes, .data_size_in = f->size,
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(programs[direction], &opts), 0);
	assert_int_equal((int)opts.retval, -1); /* "ask the next" */
}

static void add(struct wire_count *sum, const struct wire_count *c)
{
	sum->skbs += c->skbs;
	sum->bytes += c->bytes;
	sum->more_packets += c->more_packets;
	sum->more_bytes += c->more_bytes;
}

struct result {
	struct wire_count counted, untracked[WIRE_UNTRACKED_REASONS];
};

/* Drains, checks that the books balance, and gives back the sums. */
static struct result take(void)
{
	struct result result = { 0 };
	struct wire_count booked = { 0 }, added[2];
	struct wire_interface_count interface;
	const struct wire_untracked_key *keys;
	size_t n;

	flows_drain_clear(&drain);
	keys = slots_untracked_keys(slots, &n);
	drain.slots = malloc(sizeof(slot_list));
	memcpy(drain.slots, slot_list, sizeof(slot_list));
	drain.n_slots = 1;
	drain.untracked_keys = calloc(n, sizeof(*keys));
	memcpy(drain.untracked_keys, keys, n * sizeof(*keys));
	drain.n_untracked = n;
	flows_drain_run(&drain);
	assert_int_equal(drain.r, 0);

	slots_interface_delta(slots, SLOT, drain.epoch, &drain.interfaces[0], &interface);
	for (int hook = 0; hook < 2; hook++)
		add(&result.counted, &interface.counted[hook]);
	for (size_t i = 0; i < drain.n_flows; i++)
		for (int end = 0; end < 2; end++)
			add(&booked, &drain.flows[i].flow.traffic.sent[end]);
	for (size_t i = 0; i < n; i++) {
		slots_untracked_delta(slots, &keys[i], drain.epoch, &drain.untracked[i], added);
		for (int hook = 0; hook < 2; hook++) {
			add(&result.untracked[keys[i].reason], &added[hook]);
			add(&booked, &added[hook]);
		}
	}
	assert_memory_equal(&booked, &result.counted, sizeof(booked));
	return result;
}

static const struct drained_flow *only_flow(void)
{
	assert_int_equal(drain.n_flows, 1);
	return &drain.flows[0];
}

static uint32_t ipv4_of(const struct wire_flow_key *key, int end)
{
	return ntohl(key->address[end].words[3]);
}

/* The only flow is between A:port_a and B:port_b. */
static const struct drained_flow *expect_flow(uint8_t protocol, uint16_t port_a, uint16_t port_b)
{
	const struct drained_flow *f = only_flow();
	int a = ipv4_of(&f->key, 0) == A ? 0 : 1;

	assert_int_equal(f->key.protocol, protocol);
	assert_int_equal(ipv4_of(&f->key, a), A);
	assert_int_equal(ipv4_of(&f->key, !a), B);
	assert_int_equal(f->key.port[a], port_a);
	assert_int_equal(f->key.port[!a], port_b);
	return f;
}

static void expect_untracked(const struct frame *f, enum wire_untracked reason)
{
	struct result result;

	send_packet(f, TC_INGRESS);
	result = take();
	assert_int_equal(drain.n_flows, 0);
	assert_int_equal(result.untracked[reason].skbs, 1);
	assert_int_equal(result.untracked[reason].bytes, f->size);
}

static struct frame tcp4(uint32_t source, uint32_t destination, uint16_t from, uint16_t to,
			 uint8_t flags, unsigned payload)
{
	struct frame f = { 0 };

	put_ethernet(&f, 0x0800);
	put_ipv4(&f, IPPROTO_TCP, source, destination, 0, 0, 20 + payload);
	put_tcp(&f, from, to, flags, 0);
	put_zeros(&f, payload);
	return f;
}

/* --- the cases ------------------------------------------------------------------------------- */

static void both_directions_are_one_flow(void **state)
{
	struct frame there = tcp4(A, B, 40000, 80, SYN, 0), back = tcp4(B, A, 80, 40000, ACK, 10);
	const struct drained_flow *f;
	int a;

	send_packet(&there, TC_EGRESS);
	send_packet(&back, TC_INGRESS);
	send_packet(&back, TC_INGRESS);
	take();
	f = expect_flow(IPPROTO_TCP, 40000, 80);
	a = ipv4_of(&f->key, 0) == A ? 0 : 1;
	assert_int_equal(f->flow.traffic.sent[a].skbs, 1);
	assert_int_equal(f->flow.traffic.sent[!a].skbs, 2);
	assert_int_equal(f->flow.traffic.sent[!a].bytes, 2 * back.size);
	assert_int_equal(f->flow.traffic.first_sender, a);
	assert_int_equal(f->flow.traffic.tcp_flags[a], SYN);
	assert_int_equal(f->flow.traffic.tcp_flags[!a], ACK);
}

static void ipv4_options_are_skipped(void **state)
{
	struct frame f = { 0 };

	put_ethernet(&f, 0x0800);
	put_ipv4(&f, IPPROTO_UDP, A, B, 0, 40, 8);
	put_udp(&f, 1234, 53, 0);
	send_packet(&f, TC_INGRESS);
	take();
	expect_flow(IPPROTO_UDP, 1234, 53);
}

static void first_fragment_has_ports_others_not(void **state)
{
	struct frame first = { 0 }, second = { 0 };

	put_ethernet(&first, 0x0800);
	put_ipv4(&first, IPPROTO_UDP, A, B, 0x2000, 0, 1000);
	put_udp(&first, 1234, 53, 992);
	put_zeros(&first, 992);
	put_ethernet(&second, 0x0800);
	put_ipv4(&second, IPPROTO_UDP, A, B, 125, 0, 500);
	put_zeros(&second, 500);

	send_packet(&first, TC_INGRESS);
	take();
	expect_flow(IPPROTO_UDP, 1234, 53);
	send_packet(&second, TC_INGRESS);
	take();
	assert_true(expect_flow(IPPROTO_UDP, 0, 0)->key.role_flags & WIRE_KEY_FRAGMENT);
}

static void ipv6_extensions_are_skipped(void **state)
{
	struct frame f = { 0 };

	put_ethernet(&f, 0x86dd);
	put_ipv6(&f, 0, 1, 2, 8 + 16 + 8 + 20);
	put_extension(&f, 60, 0); /* hop by hop */
	put_extension(&f, 44, 1); /* destination */
	put_fragment(&f, IPPROTO_TCP, 0, 1); /* the first */
	put_tcp(&f, 40000, 443, ACK, 0);
	send_packet(&f, TC_INGRESS);
	take();
	assert_int_equal(only_flow()->key.protocol, IPPROTO_TCP);
	assert_int_equal(only_flow()->key.port[0] + only_flow()->key.port[1], 40443);
	assert_false(only_flow()->key.role_flags & WIRE_KEY_FRAGMENT);
}

static void ipv6_later_fragment_has_no_ports(void **state)
{
	struct frame f = { 0 };

	put_ethernet(&f, 0x86dd);
	put_ipv6(&f, 44, 1, 2, 8 + 40);
	put_fragment(&f, IPPROTO_UDP, 100, 0);
	put_zeros(&f, 40);
	send_packet(&f, TC_INGRESS);
	take();
	assert_true(only_flow()->key.role_flags & WIRE_KEY_FRAGMENT);
	assert_int_equal(only_flow()->key.port[0] | only_flow()->key.port[1], 0);
}

static void nine_extensions_are_malformed(void **state)
{
	struct frame f = { 0 };

	put_ethernet(&f, 0x86dd);
	put_ipv6(&f, 60, 1, 2, 9 * 8 + 20);
	for (int i = 0; i < 8; i++)
		put_extension(&f, 60, 0);
	put_extension(&f, IPPROTO_TCP, 0);
	put_tcp(&f, 1, 2, ACK, 0);
	expect_untracked(&f, WIRE_UNTRACKED_MALFORMED);
}

static void two_vlan_tags_are_skipped_three_not(void **state)
{
	struct frame f = { 0 }, deep = { 0 };

	put_ethernet(&f, 0x88a8);
	put_vlan(&f, 10, 0x8100);
	put_vlan(&f, 20, 0x0800);
	put_ipv4(&f, IPPROTO_UDP, A, B, 0, 0, 8);
	put_udp(&f, 1234, 53, 0);
	send_packet(&f, TC_INGRESS);
	take();
	expect_flow(IPPROTO_UDP, 1234, 53);

	put_ethernet(&deep, 0x88a8);
	put_vlan(&deep, 10, 0x8100);
	put_vlan(&deep, 20, 0x8100);
	put_vlan(&deep, 30, 0x0800);
	put_ipv4(&deep, IPPROTO_UDP, A, B, 0, 0, 8);
	put_udp(&deep, 1234, 53, 0);
	expect_untracked(&deep, WIRE_UNTRACKED_NOT_IP);
}

static void sctp_has_ports(void **state)
{
	struct frame f = { 0 };

	put_ethernet(&f, 0x0800);
	put_ipv4(&f, IPPROTO_SCTP, A, B, 0, 0, 12);
	put16(&f, 5000);
	put16(&f, 6000);
	put_zeros(&f, 8);
	send_packet(&f, TC_INGRESS);
	take();
	expect_flow(IPPROTO_SCTP, 5000, 6000);
}

static struct frame echo(uint32_t source, uint32_t destination, uint8_t type)
{
	struct frame f = { 0 };

	put_ethernet(&f, 0x0800);
	put_ipv4(&f, IPPROTO_ICMP, source, destination, 0, 0, 8);
	put8(&f, type);
	put8(&f, 0);
	put16(&f, 0);
	put16(&f, 77); /* identifier */
	put16(&f, 1);
	return f;
}

static void echo_and_reply_are_one_flow(void **state)
{
	struct frame request = echo(A, B, 8), reply = echo(B, A, 0), unreachable = echo(B, A, 3);

	send_packet(&request, TC_EGRESS);
	send_packet(&reply, TC_INGRESS);
	take();
	expect_flow(IPPROTO_ICMP, 77, 77);
	send_packet(&unreachable, TC_INGRESS);
	take();
	expect_flow(IPPROTO_ICMP, 0, 0);
}

static void what_is_no_flow_says_why(void **state)
{
	struct frame arp = { 0 }, esp = { 0 }, bad = { 0 }, version = { 0 };

	put_ethernet(&arp, 0x0806);
	put_zeros(&arp, 28);
	expect_untracked(&arp, WIRE_UNTRACKED_NOT_IP);

	put_ethernet(&esp, 0x0800);
	put_ipv4(&esp, 50, A, B, 0, 0, 20);
	put_zeros(&esp, 20);
	expect_untracked(&esp, WIRE_UNTRACKED_PROTOCOL);

	put_ethernet(&bad, 0x0800);
	put_ipv4(&bad, IPPROTO_TCP, A, B, 0, 0, 20);
	bad.bytes[14] = 0x44; /* header of 16 bytes */
	put_tcp(&bad, 1, 2, ACK, 0);
	expect_untracked(&bad, WIRE_UNTRACKED_MALFORMED);

	put_ethernet(&version, 0x86dd);
	put_ipv4(&version, IPPROTO_TCP, A, B, 0, 0, 40);
	put_zeros(&version, 40);
	expect_untracked(&version, WIRE_UNTRACKED_MALFORMED);
}

static void every_truncation_is_accounted(void **state)
{
	struct frame whole = { 0 }, cut;
	struct result result;

	put_ethernet(&whole, 0x8100);
	put_vlan(&whole, 10, 0x86dd);
	put_ipv6(&whole, 0, 1, 2, 8 + 20);
	put_extension(&whole, IPPROTO_TCP, 0);
	put_tcp(&whole, 1, 2, ACK, 0);
	for (unsigned size = 14; size < whole.size; size++) {
		cut = whole;
		cut.size = size;
		send_packet(&cut, TC_INGRESS);
		result = take();
		assert_int_equal(result.counted.skbs, 1);
		assert_int_equal(result.counted.bytes, size);
	}
}

static void gso_is_undone(void **state)
{
	struct frame f = tcp4(A, B, 40000, 80, ACK, 1400);
	struct result result;

	context = (struct __sk_buff){ .gso_size = 500, .gso_segs = 3 };
	send_packet(&f, TC_EGRESS);
	result = take();
	assert_int_equal(result.counted.skbs, 1);
	assert_int_equal(result.counted.more_packets, 2);
	assert_int_equal(result.counted.more_bytes, 2 * (14 + 20 + 20));

	/* gso_segs may be missing: 1400 / 500 makes three */
	context = (struct __sk_buff){ .gso_size = 500 };
	send_packet(&f, TC_EGRESS);
	result = take();
	context = (struct __sk_buff){ 0 };
	assert_int_equal(result.counted.more_packets, 2);
	assert_int_equal(result.counted.more_bytes, 2 * (14 + 20 + 20));
}

static void full_table_goes_to_untracked(void **state)
{
	struct result result;
	struct frame f;

	settings()->cap = 10;
	for (uint16_t port = 1; port <= 30; port++) {
		f = tcp4(A, B, port, 80, ACK, 0);
		send_packet(&f, TC_INGRESS);
	}
	result = take();
	assert_int_equal(drain.n_flows, 10);
	assert_int_equal(result.untracked[WIRE_UNTRACKED_MAP_FULL].skbs, 20);
}

static void full_table_uses_the_ring_first(void **state)
{
	struct result result;
	struct frame f;

	settings()->cap = 10;
	settings()->overflow_left = 5;
	for (uint16_t port = 1; port <= 30; port++) {
		f = tcp4(A, B, port, 80, ACK, 0);
		send_packet(&f, TC_INGRESS);
	}
	result = take();
	assert_int_equal(drain.n_flows, 15);
	assert_int_equal(result.untracked[WIRE_UNTRACKED_MAP_FULL].skbs, 15);
}

/* Packets that the running epoch counted in front of its table, and how many flows those are of. */
static uint64_t front_skbs(size_t *ret_flows)
{
	struct wire_front *cpus = calloc(libbpf_num_possible_cpus(), sizeof(*cpus));
	uint32_t parity = settings()->epoch & 1;
	uint64_t skbs = 0;

	assert_non_null(cpus);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.front), &parity, cpus), 0);
	*ret_flows = 0;
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		for (int i = 0; i < WIRE_FRONT_FLOWS; i++) {
			const struct wire_front_flow *f = &cpus[cpu].flows[i];

			if (f->epoch != settings()->epoch)
				continue;
			skbs += f->traffic.sent[0].skbs + f->traffic.sent[1].skbs;
			*ret_flows += 1;
		}
	free(cpus);
	return skbs;
}

/* One flow of which nobody is known (settled after eight look-ups), in three epochs. */
static void busy_flow_is_counted_in_front(void **state)
{
	struct frame there = tcp4(A, B, 40000, 80, SYN, 0), back = tcp4(B, A, 80, 40000, ACK, 10);
	const struct drained_flow *f;
	size_t flows;
	int a;

	for (int epoch = 0; epoch < 3; epoch++) {
		for (int i = 0; i < 100; i++) {
			send_packet(&there, TC_EGRESS);
			send_packet(&back, TC_INGRESS);
		}
		assert_true(front_skbs(&flows) > 150);
		assert_true(flows >= 1 && flows <= (size_t)libbpf_num_possible_cpus());
		take();
		f = expect_flow(IPPROTO_TCP, 40000, 80);
		a = ipv4_of(&f->key, 0) == A ? 0 : 1;
		assert_int_equal(f->flow.traffic.sent[a].skbs, 100);
		assert_int_equal(f->flow.traffic.sent[a].bytes, 100 * there.size);
		assert_int_equal(f->flow.traffic.sent[!a].skbs, 100);
		assert_int_equal(f->flow.traffic.sent[!a].bytes, 100 * back.size);
		assert_int_equal(f->flow.traffic.tcp_flags[a], SYN);
		assert_int_equal(f->flow.traffic.tcp_flags[!a], ACK);
	}
}

/* Five times as many flows as places, each with its own number of packets, all mixed. */
static void flows_take_turns_in_front(void **state)
{
	enum { FLOWS = 5 * WIRE_FRONT_FLOWS };
	unsigned left = 0, sent[FLOWS] = { 0 }, seed = 1, i, from;
	struct frame packet;
	size_t flows;

	for (i = 0; i < FLOWS; i++)
		left += i % 40;
	while (left) {
		i = rand_r(&seed) % FLOWS;
		if (sent[i] == i % 40)
			continue;
		/* In bursts, so that a place is taken, used, and given up. */
		for (unsigned burst = rand_r(&seed) % 20; burst && sent[i] < i % 40; burst--) {
			packet = tcp4(A, B, 1000 + i, 80, ACK, i);
			send_packet(&packet, sent[i] & 1 ? TC_EGRESS : TC_INGRESS);
			sent[i]++;
			left--;
		}
	}
	assert_true(front_skbs(&flows) > 0 && flows > WIRE_FRONT_FLOWS / 2);
	take();
	assert_int_equal(drain.n_flows, FLOWS - FLOWS / 40);
	for (size_t n = 0; n < drain.n_flows; n++) {
		const struct wire_flow_key *key = &drain.flows[n].key;
		const struct wire_traffic *t = &drain.flows[n].flow.traffic;

		from = key->port[0] == 80 ? 1 : 0;
		i = key->port[from] - 1000;
		assert_int_equal(t->sent[from].skbs, i % 40);
		assert_int_equal(t->sent[from].bytes, (uint64_t)(i % 40) * (54 + i));
		assert_int_equal(t->sent[!from].skbs, 0);
	}
}

static void unwanted_protocols_are_untracked(void **state)
{
	struct frame f = tcp4(A, B, 1, 2, ACK, 0);

	settings()->protocols = WIRE_PROTOCOL_UDP;
	expect_untracked(&f, WIRE_UNTRACKED_PROTOCOL);
}

static void out_of_scope_is_filtered(void **state)
{
	struct frame f = tcp4(A, B, 1, 2, ACK, 0);

	settings()->scope_by_owner = 1;
	expect_untracked(&f, WIRE_UNTRACKED_FILTERED);
}

static void put_inner(struct frame *f)
{
	put_ipv4(f, IPPROTO_TCP, A, B, 0, 0, 20);
	put_tcp(f, 40000, 80, ACK, 0);
}

static struct frame vxlan(void)
{
	struct frame f = { 0 };

	put_ethernet(&f, 0x0800);
	put_ipv4(&f, IPPROTO_UDP, B, A, 0, 0, 8 + 8 + 14 + 40);
	put_udp(&f, 50000, 4789, 8 + 14 + 40);
	put32(&f, 0x08000000);
	put32(&f, 100 << 8);
	put_ethernet(&f, 0x0800);
	put_inner(&f);
	return f;
}

static void inner_flow_of_tunnels(void **state)
{
	struct frame geneve = { 0 }, ipip = { 0 }, v = vxlan();

	settings()->inner = 1;
	send_packet(&v, TC_INGRESS);
	take();
	assert_true(expect_flow(IPPROTO_TCP, 40000, 80)->key.role_flags & WIRE_KEY_INNER);

	put_ethernet(&geneve, 0x0800);
	put_ipv4(&geneve, IPPROTO_UDP, B, A, 0, 0, 8 + 16 + 14 + 40);
	put_udp(&geneve, 50000, 6081, 16 + 14 + 40);
	put8(&geneve, 2); /* eight bytes of options */
	put8(&geneve, 0);
	put16(&geneve, 0x6558);
	put32(&geneve, 100 << 8);
	put_zeros(&geneve, 8);
	put_ethernet(&geneve, 0x0800);
	put_inner(&geneve);
	send_packet(&geneve, TC_INGRESS);
	take();
	expect_flow(IPPROTO_TCP, 40000, 80);

	put_ethernet(&ipip, 0x0800);
	put_ipv4(&ipip, IPPROTO_IPIP, B, A, 0, 0, 40);
	put_inner(&ipip);
	send_packet(&ipip, TC_INGRESS);
	take();
	expect_flow(IPPROTO_TCP, 40000, 80);
}

static void outer_flow_unless_asked(void **state)
{
	struct frame v = vxlan();

	send_packet(&v, TC_INGRESS);
	take();
	assert_int_equal(only_flow()->key.protocol, IPPROTO_UDP);
}

static void tunneled_gso_repeats_both_headers(void **state)
{
	struct frame v = vxlan();
	struct result result;

	put_zeros(&v, 1000);
	context = (struct __sk_buff){ .gso_size = 500, .gso_segs = 2 };
	send_packet(&v, TC_INGRESS);
	result = take();
	context = (struct __sk_buff){ 0 };
	assert_int_equal(result.counted.more_bytes, 14 + 20 + 8 + 8 + 14 + 20 + 20);
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Garbage is counted like anything else. */
static void noise_is_accounted(void **state)
{
	uint32_t random = 1;
	struct result result;
	struct frame f;

	for (int i = 0; i < 3000; i++) {
		f = i % 2 ? vxlan() : tcp4(A, B, 1, 2, ACK, 64);
		settings()->inner = i % 3 == 0;
		for (int flips = 0; flips < 4; flips++)
			f.bytes[12 + next_random(&random) % (f.size - 12)] = next_random(&random);
		/* BPF_PROG_TEST_RUN refuses an IP frame without room for the IP header. */
		f.size = 54 + next_random(&random) % (f.size - 53);
		send_packet(&f, i & 1);
		result = take();
		assert_int_equal(result.counted.skbs, 1);
		assert_int_equal(result.counted.bytes, f.size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(both_directions_are_one_flow, reset),
		cmocka_unit_test_setup(ipv4_options_are_skipped, reset),
		cmocka_unit_test_setup(first_fragment_has_ports_others_not, reset),
		cmocka_unit_test_setup(ipv6_extensions_are_skipped, reset),
		cmocka_unit_test_setup(ipv6_later_fragment_has_no_ports, reset),
		cmocka_unit_test_setup(nine_extensions_are_malformed, reset),
		cmocka_unit_test_setup(two_vlan_tags_are_skipped_three_not, reset),
		cmocka_unit_test_setup(sctp_has_ports, reset),
		cmocka_unit_test_setup(echo_and_reply_are_one_flow, reset),
		cmocka_unit_test_setup(what_is_no_flow_says_why, reset),
		cmocka_unit_test_setup(every_truncation_is_accounted, reset),
		cmocka_unit_test_setup(gso_is_undone, reset),
		cmocka_unit_test_setup(full_table_goes_to_untracked, reset),
		cmocka_unit_test_setup(full_table_uses_the_ring_first, reset),
		cmocka_unit_test_setup(busy_flow_is_counted_in_front, reset),
		cmocka_unit_test_setup(flows_take_turns_in_front, reset),
		cmocka_unit_test_setup(unwanted_protocols_are_untracked, reset),
		cmocka_unit_test_setup(out_of_scope_is_filtered, reset),
		cmocka_unit_test_setup(inner_flow_of_tunnels, reset),
		cmocka_unit_test_setup(outer_flow_unless_asked, reset),
		cmocka_unit_test_setup(tunneled_gso_repeats_both_headers, reset),
		cmocka_unit_test_setup(noise_is_accounted, reset),
	};

	if (geteuid() != 0) {
		puts("needs root: SKIP");
		return 77;
	}
	return cmocka_run_group_tests(tests, load, unload);
}
