/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one packet costs in the flows programs: BPF_PROG_TEST_RUN of the stub and program that an
 * interface gets, for a packet of an established flow whose owner is known, beside an empty program
 * in the same run. Rounds are interleaved and medians taken, because the machine is shared.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"
#include "bpf/wire/flows.h"

#include "bpf/flows.skel.h"
#include "collect/flows/slots.h"

#define ROUNDS 15
#define REPEAT 1000000

struct frame {
	unsigned char bytes[256];
	unsigned size;
};

static void frame_tcp4(struct frame *f)
{
	struct ethhdr *eth = (struct ethhdr *)f->bytes;
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct tcphdr *tcp = (struct tcphdr *)(ip + 1);

	*f = (struct frame){ .size = 14 + 20 + 20 + 100 };
	eth->h_proto = htons(ETH_P_IP);
	*ip = (struct iphdr){ .version = 4,
			      .ihl = 5,
			      .ttl = 64,
			      .protocol = IPPROTO_TCP,
			      .tot_len = htons(140),
			      .saddr = htonl(0x0a000001),
			      .daddr = htonl(0x0a000002) };
	*tcp = (struct tcphdr){ .source = htons(40000), .dest = htons(443), .doff = 5, .ack = 1 };
}

static void frame_tcp6(struct frame *f)
{
	struct ethhdr *eth = (struct ethhdr *)f->bytes;
	struct ipv6hdr *ip = (struct ipv6hdr *)(eth + 1);
	struct tcphdr *tcp = (struct tcphdr *)(ip + 1);

	*f = (struct frame){ .size = 14 + 40 + 20 + 100 };
	eth->h_proto = htons(ETH_P_IPV6);
	*ip = (struct ipv6hdr){ .version = 6, .nexthdr = IPPROTO_TCP, .payload_len = htons(120) };
	ip->saddr.s6_addr[15] = 1;
	ip->daddr.s6_addr[15] = 2;
	*tcp = (struct tcphdr){ .source = htons(40000), .dest = htons(443), .doff = 5, .ack = 1 };
}

static double run(int fd, struct frame *f, unsigned repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->bytes, .data_size_in = f->size,
		    .repeat = repeat);

	if (bpf_prog_test_run_opts(fd, &opts) < 0) {
		perror("BPF_PROG_TEST_RUN");
		exit(1);
	}
	return opts.duration;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int empty_program(void)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "empty", "GPL", code, ARRAY_SIZE(code), NULL);
}

static void measure(const char *name, int fd, int empty, struct frame *f)
{
	double ours[ROUNDS], none[ROUNDS], above[ROUNDS];

	run(fd, f, 1000); /* begins the flow and settles its owner */
	for (int i = 0; i < ROUNDS; i++) {
		none[i] = run(empty, f, REPEAT);
		ours[i] = run(fd, f, REPEAT);
		above[i] = ours[i] - none[i];
	}
	qsort(ours, ROUNDS, sizeof(*ours), compare);
	qsort(none, ROUNDS, sizeof(*none), compare);
	qsort(above, ROUNDS, sizeof(*above), compare);
	printf("%-16s empty %.0f ns, flows %.0f ns, above empty: median %.0f, least %.0f\n", name,
	       none[ROUNDS / 2], ours[ROUNDS / 2], above[ROUNDS / 2], above[0]);
}

static struct flows_bpf *load(void)
{
	struct flows_bpf *skel = flows_bpf__open();
	struct wire_flows_settings *settings;

	if (!skel)
		return NULL;
	bpf_map__set_max_entries(skel->maps.flows_even, 100000);
	bpf_map__set_max_entries(skel->maps.flows_odd, 100000);
	slots_size_maps(skel, 16);
	if (flows_bpf__load(skel) < 0)
		return NULL;
	settings = (struct wire_flows_settings *)&skel->bss->settings;
	settings->protocols = WIRE_PROTOCOL_TCP;
	settings->cap = 100000;
	for (uint32_t hook = 0; hook < 2; hook++) {
		int fd = bpf_program__fd(hook == WIRE_INGRESS ? skel->progs.flows_ingress
							      : skel->progs.flows_egress);

		bpf_map_update_elem(bpf_map__fd(skel->maps.programs), &hook, &fd, BPF_ANY);
	}
	return skel;
}

int main(void)
{
	struct interface interface = {
		.slot = 1, .link = { .ifindex = 1, .netns = 1, .role = FLOW_ROLE_VETH }
	};
	int programs[TC_DIRECTIONS], empty;
	struct flows_bpf *skel = load();
	struct slots *slots;
	struct frame f;

	empty = empty_program();
	if (!skel || empty < 0 || slots_new(skel, 16, &slots) < 0 ||
	    slots_prepare(slots, &interface, programs) < 0) {
		fprintf(stderr, "bench/packet: cannot load the programs: %s\n", strerror(errno));
		return 1;
	}
	frame_tcp4(&f);
	measure("IPv4/TCP ingress", programs[TC_INGRESS], empty, &f);
	measure("IPv4/TCP egress", programs[TC_EGRESS], empty, &f);
	frame_tcp6(&f);
	measure("IPv6/TCP ingress", programs[TC_INGRESS], empty, &f);
	slots_free(slots);
	flows_bpf__destroy(skel);
	return 0;
}
