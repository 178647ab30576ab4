/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the flows programs and src/collect/flows.c tell each other. Fixed width, no padding.
 *
 * A flow is kept once for both directions: its two ends stand in a fixed order (the smaller address
 * and port first), "end 0" and "end 1"; sent[d] is what end d sent.
 */
#pragma once

#include "types.h"

/* same order as enum flow_role in src/model/flow.h */
enum wire_role {
	WIRE_ROLE_WIRE,
	WIRE_ROLE_VETH,
	WIRE_ROLE_TUNNEL,
	WIRE_ROLE_BRIDGE,
	WIRE_ROLE_LOOPBACK,
};

#define WIRE_KEY_ROLE_MASK 0x0f
#define WIRE_KEY_FRAGMENT 0x10 /* non-first fragments of the two ends' datagrams: ports are 0 */
#define WIRE_KEY_INNER 0x20 /* taken from inside a tunnel */

struct wire_address {
	__u32 words[4]; /* network order; IPv4 as ::ffff:a.b.c.d */
};

struct wire_flow_key {
	struct wire_address address[2];
	__u16 port[2]; /* host order */
	__u8 protocol;
	__u8 role_flags; /* enum wire_role | WIRE_KEY_* */
	__u16 netns; /* slot that user space gave to the namespace */
};
_Static_assert(sizeof(struct wire_flow_key) == 40, "wire_flow_key");

/* GSO and GRO are counted as what they add, because most skbs are one packet and then two atomic
 * additions suffice: packets = skbs + more_packets, bytes_wire = bytes + more_bytes. */
struct wire_count {
	__u64 skbs;
	__u64 bytes;
	__u64 more_packets;
	__u64 more_bytes;
};
_Static_assert(sizeof(struct wire_count) == 32, "wire_count");

/* How well the owner of an end is known: a later value replaces an earlier one. */
enum wire_owner_kind {
	WIRE_OWNER_NOT_ASKED, /* no packet has passed a hook that could tell */
	WIRE_OWNER_FORWARDED, /* came in through another interface */
	WIRE_OWNER_KERNEL, /* sent by no socket, or by one that no process made */
	WIRE_OWNER_NO_SOCKET, /* none matches: nobody listens, or the address is not here */
	WIRE_OWNER_TIME_WAIT,
	WIRE_OWNER_ORPHAN, /* closed by its process, the kernel still sends */
	WIRE_OWNER_PACKET, /* sent through a packet socket: whose they are is not known */
	WIRE_OWNER_UNKNOWN, /* a socket whose maker we did not see */
	WIRE_OWNER_LISTENER, /* the listener that the packet is for */
	WIRE_OWNER_INHERITED, /* accepted, but not yet seen in accept(): the listener's owner */
	WIRE_OWNER_PROCESS,
};

enum wire_side {
	WIRE_SIDE_UNKNOWN,
	WIRE_SIDE_CLIENT,
	WIRE_SIDE_SERVER,
};

struct wire_owner {
	__u64 cgroup_id;
	__u32 tgid;
	__u8 kind; /* enum wire_owner_kind */
	__u8 side; /* enum wire_side */
	__u8 thread; /* 1: comm is that of a thread, not of the process */
	__u8 unused;
	char comm[16];
};
_Static_assert(sizeof(struct wire_owner) == 32, "wire_owner");

enum wire_hook {
	WIRE_INGRESS,
	WIRE_EGRESS,
};

/* What the packets of a flow change. */
struct wire_traffic {
	struct wire_count sent[2];
	__u32 rtt_us; /* smoothed, as the local socket has it; the last one read */
	__u32 retransmits; /* segments, of sockets of this host */
	__u32 resets; /* packets with RST */
	/* By sending end: its socket's total of retransmits when it was last read, the lower half. */
	__u16 retransmits_read[2];
	__u8 tcp_flags[2]; /* set of all flags that the end sent */
	__u8 settled[2]; /* by enum wire_hook: nothing more to look up about the owners there */
	__u8 tries[2]; /* by enum wire_hook: look-ups made */
	__u8 first_sender; /* end that sent the first packet of this step */
	__u8 unused;
};
_Static_assert(sizeof(struct wire_traffic) == 88, "wire_traffic");

struct wire_flow {
	struct wire_traffic traffic;
	struct wire_owner end[2];
	__u64 first_ns; /* CLOCK_MONOTONIC, of the first packet in this step */
};
_Static_assert(sizeof(struct wire_flow) == 160, "wire_flow");

/*
 * In front of the table each CPU has a few flows at hand, because a look-up in the table is more than
 * half of a packet's price. They are flows of the table that have been settled; what they count here
 * is on top of what the table has, and is added to it when another flow takes the place, or by the
 * drain. One such set for even and one for odd epochs.
 */
#define WIRE_FRONT_FLOWS_BITS 6
#define WIRE_FRONT_FLOWS (1 << WIRE_FRONT_FLOWS_BITS)

struct wire_front_flow {
	struct wire_flow_key key;
	struct wire_traffic traffic;
	__u32 epoch; /* of another epoch: free */
	__u32 credit; /* packets of other flows that it outlives without one of its own */
};
_Static_assert(sizeof(struct wire_front_flow) == 136, "wire_front_flow");

struct wire_front {
	struct wire_front_flow flows[WIRE_FRONT_FLOWS];
};
_Static_assert(sizeof(struct wire_front) == 136 * WIRE_FRONT_FLOWS, "wire_front");

/* An attached interface, by slot. */
struct wire_interface {
	__u32 ifindex;
	__u16 netns; /* slot of the namespace */
	__u8 role; /* enum wire_role */
	__u8 link_header; /* bytes: 14 for Ethernet, 0 for a layer 3 device */
};
_Static_assert(sizeof(struct wire_interface) == 8, "wire_interface");

/*
 * The sums of an interface, per CPU. Two entries per slot, for even and odd epochs (index slot * 2 +
 * epoch's lowest bit): what an epoch has counted is final once no program can be in it any more, and
 * then agrees exactly with its flows. Sums only grow.
 */
struct wire_interface_count {
	struct wire_count counted[2]; /* by enum wire_hook */
	struct wire_count duplicate[2];
};
_Static_assert(sizeof(struct wire_interface_count) == 128, "wire_interface_count");

/* Attached interfaces by index: a packet's ingress interface is asked for its role. */
struct wire_link_key {
	__u32 ifindex;
	__u32 netns; /* slot */
};
_Static_assert(sizeof(struct wire_link_key) == 8, "wire_link_key");

struct wire_namespace { /* with an attached interface, by inode */
	__u16 slot;
	__u8 role; /* of one of its interfaces: for packets of which none is known */
	__u8 unused;
};
_Static_assert(sizeof(struct wire_namespace) == 4, "wire_namespace");

/* same order as enum untracked_reason in src/model/flow.h */
enum wire_untracked {
	WIRE_UNTRACKED_NOT_IP,
	WIRE_UNTRACKED_PROTOCOL,
	WIRE_UNTRACKED_MALFORMED,
	WIRE_UNTRACKED_MAP_FULL,
	WIRE_UNTRACKED_FILTERED,
	WIRE_UNTRACKED_REASONS,
};

struct wire_untracked_key {
	__u16 netns; /* slot */
	__u8 role;
	__u8 reason; /* enum wire_untracked */
};
_Static_assert(sizeof(struct wire_untracked_key) == 4, "wire_untracked_key");

struct wire_untracked_count { /* only grows */
	struct wire_count count[2][2]; /* by the epoch's lowest bit, then by enum wire_hook */
};
_Static_assert(sizeof(struct wire_untracked_count) == 128, "wire_untracked_count");

/* One packet of a flow for which the table had no room; its bytes are in no map. */
struct wire_overflow {
	struct wire_flow_key key;
	struct wire_flow flow;
	__u64 epoch;
};
_Static_assert(sizeof(struct wire_overflow) == 208, "wire_overflow");

/* Bits of wire_flows_settings.protocols. */
#define WIRE_PROTOCOL_TCP 1
#define WIRE_PROTOCOL_UDP 2
#define WIRE_PROTOCOL_SCTP 4
#define WIRE_PROTOCOL_ICMP 8 /* ICMPv6 too */

/* Written by user space (but for begun) at any time; each word stands for itself. */
struct wire_flows_settings {
	__u32 epoch; /* its lowest bit picks the table in use */
	__u32 protocols;
	__u32 scope_by_owner; /* 1: packets whose owner is not known are out of scope */
	__u32 inner; /* 1: the key is taken from inside VXLAN, Geneve and IPIP */
	__u64 overflow_left; /* packets that may still go through the ring in this step */
	__u64 cap; /* flows per step; at most the size of the tables */
	__u64 begun[2]; /* flows that began, by parity; counted by the kernel side */
};
_Static_assert(sizeof(struct wire_flows_settings) == 48, "wire_flows_settings");
