/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A flow: what two endpoints exchanged, as one kind of interface of one network namespace saw it.
 * The counts are of the stretch of time that the row stands for (a step, or the range of a query).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/address.h"
#include "model/workload.h"

/*
 * What kind of interface saw the packet. A packet on its way from a container to the wire is seen
 * by several; it counts once per role and namespace.
 */
enum flow_role {
	FLOW_ROLE_WIRE, /* physical or virtual NIC; what is none of the others */
	FLOW_ROLE_VETH,
	FLOW_ROLE_TUNNEL, /* vxlan, geneve, ipip, wireguard, tun, ... */
	FLOW_ROLE_BRIDGE, /* masters: bridge, bond, team */
	FLOW_ROLE_LOOPBACK, /* counted at ingress only */
	FLOW_ROLE_MAX_,
};

/* What the local end is. From connect() and accept() or the handshake, never from port numbers. */
enum flow_side {
	FLOW_SIDE_UNKNOWN,
	FLOW_SIDE_CLIENT,
	FLOW_SIDE_SERVER,
	FLOW_SIDE_NONE, /* the protocol has no such thing, or neither end is here */
	FLOW_SIDE_MAX_,
};

/* Why no process owns the local end. */
enum flow_unowned {
	FLOW_OWNED,
	FLOW_UNOWNED_UNKNOWN, /* sent through a packet socket, or the owner is out of scope */
	FLOW_UNOWNED_FORWARDED, /* neither end is in this namespace, it only passes by */
	FLOW_UNOWNED_KERNEL, /* the kernel's own: echo replies, neighbour discovery, NFS, wireguard */
	FLOW_UNOWNED_TIME_WAIT, /* the socket's owner closed it, the kernel still answers */
	FLOW_UNOWNED_NO_LISTENER, /* nobody listens: RST or ICMP unreachable is the answer */
	FLOW_UNOWNED_ORPHAN, /* the process is gone, the kernel still sends its last bytes */
	FLOW_UNOWNED_MULTICAST, /* multicast or broadcast: any number of readers */
	FLOW_UNOWNED_OTHER_NAMESPACE, /* behind a veth, in a namespace that is not observed */
	FLOW_UNOWNED_FRAGMENT, /* not the first fragment: no ports to go by */
	FLOW_UNOWNED_MAX_,
};

/* Why bytes are not in a flow. */
enum untracked_reason {
	UNTRACKED_NOT_IP, /* ARP, LLDP, ... */
	UNTRACKED_PROTOCOL, /* IP, but not one of flows.protocols */
	UNTRACKED_MALFORMED, /* the headers do not hold together */
	UNTRACKED_MAP_FULL, /* max_flows reached */
	UNTRACKED_FILTERED, /* out of scope */
	UNTRACKED_REASON_MAX_,
};

/* of the connection, as far as we saw it */
enum tcp_state {
	TCP_STATE_UNKNOWN,
	TCP_STATE_CONNECTING, /* SYN seen, no answer yet */
	TCP_STATE_ESTABLISHED,
	TCP_STATE_CLOSING, /* a FIN seen */
	TCP_STATE_CLOSED, /* FIN from both ends */
	TCP_STATE_RESET,
	TCP_STATE_REFUSED, /* SYN answered by RST */
	TCP_STATE_FAILED, /* SYN never answered */
	TCP_STATE_MAX_,
};

struct flow_count {
	uint64_t skbs;
	uint64_t bytes; /* as TC sees them: link header included */
	uint64_t packets; /* wire segments: GSO and GRO undone */
	uint64_t bytes_wire; /* what those segments add up to, each with its headers */
};

struct endpoint {
	struct ip_address address;
	uint16_t port; /* host order; 0 where the protocol has none. ICMP echo: the identifier */
	bool external; /* outside the private ranges (configuration: private_ranges) */
	struct process_ref process; /* pid 0: not known */
	struct workload workload; /* kind WORKLOAD_NONE: not known; filled by enrich */
};

#define FLOW_DROP_REASON_LEN 40
struct flow_drops {
	char reason[FLOW_DROP_REASON_LEN]; /* the kernel's name, without SKB_DROP_REASON_ */
	uint64_t count; /* skbs */
};
#define FLOW_DROPS_MAX 4 /* kinds of drop that one row names; the rest is added to the last */

struct flow_tcp {
	uint32_t rtt_us; /* smoothed round trip time, the largest seen; 0 = not known */
	uint32_t retransmits; /* segments */
	uint16_t resets; /* RST seen, either direction */
	uint8_t flags; /* set of TH_FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128 */
	uint8_t state; /* enum tcp_state */
};

struct flow {
	uint64_t netns; /* inode of the network namespace */
	enum flow_role role;
	uint8_t protocol; /* IPPROTO_* */
	bool fragment; /* stands for non-first fragments: no ports */
	bool inner; /* key taken from inside a tunnel */
	enum flow_side side;
	enum flow_unowned unowned; /* about the local end */
	struct endpoint local, peer;
	struct flow_count tx, rx; /* tx: local to peer */
	struct flow_tcp tcp; /* all zero unless protocol is TCP */
	unsigned n_drops;
	struct flow_drops drops[FLOW_DROPS_MAX];
	bool other; /* the exact sum of the rows that thinning took away; ends are meaningless */
};

/* Bytes of packets that are in no flow. */
struct flow_untracked {
	uint64_t netns;
	enum flow_role role;
	enum untracked_reason reason;
	struct flow_count tx, rx; /* tx: egress of the interface */
};

#define INTERFACE_NAME_LEN 16
#define ETHERNET_HEADER_LEN 14
/*
 * The sums of an interface. Over its life: counted + duplicate + before_attach = its own counters.
 */
struct flow_interface {
	uint64_t netns;
	uint32_t ifindex;
	char name[INTERFACE_NAME_LEN];
	enum flow_role role;
	bool removed;
	bool exact; /* before_attach was bracketed by two equal program counts */
	/* Its own counter leaves out ETHERNET_HEADER_LEN bytes per packet. */
	bool omits_header_tx, omits_header_rx;
	struct flow_count counted_tx, counted_rx;
	struct flow_count duplicate_tx, duplicate_rx; /* the role counted this packet elsewhere */
	/* A record: the interface's own counters at the beginning of the step in which it was found
	 * how they stood; else 0. A sum: what of them was not counted. */
	struct flow_count before_attach_tx, before_attach_rx;
};

static inline void flow_count_add(struct flow_count *sum, const struct flow_count *c)
{
	sum->skbs += c->skbs;
	sum->bytes += c->bytes;
	sum->packets += c->packets;
	sum->bytes_wire += c->bytes_wire;
}

const char *flow_role_name(enum flow_role role);
const char *flow_side_name(enum flow_side side);
const char *flow_unowned_name(enum flow_unowned cause); /* NULL for FLOW_OWNED */
const char *untracked_reason_name(enum untracked_reason reason);
const char *tcp_state_name(enum tcp_state state);
/* "tcp", "udp", "sctp", "icmp", "icmpv6"; else the number, in buf. */
const char *protocol_name(uint8_t protocol, char buf[static 4]);
int flow_role_parse(const char *name, enum flow_role *ret);
