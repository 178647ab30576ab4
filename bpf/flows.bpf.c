// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Flows: TC programs at the ingress and egress of interfaces. Each packet is counted once per role
 * of interface and network namespace, in the sums of its interface and in its flow; the flow is
 * told which process owns its ends.
 *
 * - These two programs are loaded once. What is attached to an interface is a stub of six
 *   instructions, made by user space, that puts the interface's slot into tc_classid and
 *   tail-calls. So an interface is known without a look-up by ifindex (which names another
 *   interface in each namespace), at 10 KB less per interface than a program of its own.
 *   tc_classid is free for this: cls_bpf sets it before each program and reads it only after a
 *   verdict; TCX does not use it.
 * - The verdict is always "unspecified, ask the next": others' chains go on.
 * - Flows live in two tables that take turns ("epochs"). User space flips the epoch, waits for an
 *   RCU grace period, and drains the other table when no program can hold a pointer into it:
 *   no packet falls between two readings, and no packet has to read a clock.
 * - No helper that reads kernel memory is used: loads under lockdown=confidentiality.
 */
#include "wire/flows.h"
#include "lib/front.h"
#include "lib/grace.h"
#include "lib/interfaces.h"
#include "lib/kernel.h"
#include "lib/key.h"
#include "lib/packet.h"
#include "lib/socket.h"

#define PACKET_LOOPBACK 5 /* <linux/if_packet.h> */
#define VERDICT_NEXT (-1) /* TC_ACT_UNSPEC = TCX_NEXT */
#define TRIES_MAX 8 /* look-ups for an owner per flow, hook and step */

volatile struct wire_flows_settings settings = {};

struct flow_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1); /* user space sets it before loading, as below */
	__type(key, struct wire_flow_key);
	__type(value, struct wire_flow);
};
struct flow_table flows_even SEC(".maps"), flows_odd SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32); /* slot */
	__type(value, struct wire_interface);
} interfaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32); /* slot * 2 + epoch's lowest bit */
	__type(value, struct wire_interface_count);
} interface_counts SEC(".maps");

/* User space makes the entries of a role and namespace before it attaches the first interface. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct wire_untracked_key);
	__type(value, struct wire_untracked_count);
} untracked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} overflow SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wire_flow);
} new_flow SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32); /* enum wire_hook */
	__type(value, __u32);
} programs SEC(".maps");

/* What a packet adds to a count. */
struct weight {
	__u64 bytes, more_packets, more_bytes;
};

static __always_inline void count_atomic(struct wire_count *count, const struct weight *weight)
{
	__sync_fetch_and_add(&count->skbs, 1);
	__sync_fetch_and_add(&count->bytes, weight->bytes);
	if (weight->more_packets) {
		__sync_fetch_and_add(&count->more_packets, weight->more_packets);
		__sync_fetch_and_add(&count->more_bytes, weight->more_bytes);
	}
}

/* For per-CPU values: TC programs run with softirqs off, so nothing comes between. */
static __always_inline void count_here(struct wire_count *count, const struct weight *weight)
{
	count->skbs++;
	count->bytes += weight->bytes;
	count->more_packets += weight->more_packets;
	count->more_bytes += weight->more_bytes;
}

/* The headers that each segment repeats. Of a tunnel both: the segments are cut from the inside. */
static __noinline __u32 segment_headers(struct __sk_buff *skb, const struct packet *packet)
{
	struct packet inner;

	if (!packet)
		return 0;
	inner = *packet;
	if (packet->protocol == IPPROTO_TCP || packet->inner)
		return packet->offset;
	if (packet_enter_tunnel(skb, &inner) && packet_parse_ip(skb, &inner) == 0 &&
	    packet_parse_transport(skb, &inner) == 0)
		return inner.offset;
	return packet->offset;
}

/*
 * How many packets on the wire the skb is, and their bytes. gso_segs may be 0 with gso_size set
 * (kernel commit cf62089b0edd).
 */
static __always_inline void weigh(struct __sk_buff *skb, const struct packet *packet, __u32 begin,
				  struct weight *weight)
{
	__u32 size = skb->gso_size, segments = skb->gso_segs, headers;

	weight->bytes = skb->len - begin;
	weight->more_packets = 0;
	weight->more_bytes = 0;
	if (!size)
		return;
	headers = segment_headers(skb, packet) - begin;
	if (!segments && weight->bytes > headers)
		segments = (weight->bytes - headers + size - 1) / size;
	if (segments > 1) {
		weight->more_packets = segments - 1;
		weight->more_bytes = weight->more_packets * headers;
	}
}

/* Replaces what is known of an end, unless that is better. */
static __always_inline void owner_set(struct wire_owner *end, const struct wire_owner *owner,
				      __u8 kind, __u8 side)
{
	if (end->kind > kind)
		return;
	if (owner)
		*end = *owner;
	end->kind = kind;
	if (side != WIRE_SIDE_UNKNOWN)
		end->side = side;
}

/* Which side a socket is as far as it tells by itself: a UDP socket that was bound and talks to
 * anybody serves. TCP: what accept() or the pass over existing sockets wrote. */
static __always_inline __u8 socket_side(const struct bpf_sock *sk, const struct wire_socket *known)
{
	if (known->owner.side != WIRE_SIDE_UNKNOWN || sk->protocol == IPPROTO_TCP)
		return known->owner.side;
	return known->bound && sk->state != STATE_ESTABLISHED ? WIRE_SIDE_SERVER : WIRE_SIDE_CLIENT;
}

/* Closed by its process, but not done yet. */
static __always_inline int is_orphan(const struct bpf_sock *sk)
{
	return sk->protocol == IPPROTO_TCP &&
	       (sk->state == STATE_FIN_WAIT1 || sk->state == STATE_FIN_WAIT2 ||
		sk->state == STATE_LAST_ACK || sk->state == STATE_CLOSING);
}

/* What a hook that cannot reach SK_STORAGE noted about this socket, or NULL. */
static __always_inline struct wire_claim *claim_of(const struct bpf_sock *sk)
{
	__u64 address = (__u64)sk;
	struct wire_claim *claim = bpf_map_lookup_elem(&claims, &address);

	if (!claim || claim->local_port != sk->src_port ||
	    claim->peer_port != bpf_ntohs(sk->dst_port))
		return NULL;
	return claim;
}

/* Moves a claim to the socket itself, making its entry if need be. */
static __always_inline struct wire_socket *claim_take(struct bpf_sock *sk)
{
	struct wire_claim *claim = claim_of(sk);
	struct wire_socket *known;
	__u64 address = (__u64)sk;

	if (!claim)
		return NULL;
	known = socket_entry(sk);
	if (!known)
		return NULL;
	known->owner = claim->owner;
	known->bound = claim->bound;
	bpf_map_delete_elem(&claims, &address);
	return known;
}

static __always_inline struct wire_socket *socket_known(struct bpf_sock *sk)
{
	struct wire_socket *known = claim_take(sk);

	return known ? known : bpf_sk_storage_get(&sockets, sk, NULL, 0);
}

/* A socket that nobody in scope is known to have made. */
static __always_inline __u8 unknown_kind(const struct bpf_sock *sk, __u8 protocol)
{
	if (is_orphan(sk))
		return WIRE_OWNER_ORPHAN;
	/* The kernel's own, with which it answers. */
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
		return WIRE_OWNER_KERNEL;
	return WIRE_OWNER_UNKNOWN;
}

/*
 * What skb->sk tells about the sender: at egress, and at the ingress of a veth, to which the skb
 * comes with its socket (kernel commit 9c4c325252c5).
 */
static __always_inline int attribute_sender(struct __sk_buff *skb, struct wire_flow *flow,
					    const struct wire_flow_key *key, __u32 hook,
					    __u32 sender)
{
	struct wire_owner *end = &flow->end[sender];
	struct bpf_sock *sk = skb->sk;
	struct wire_socket *known;
	int has_port = 1;
	__u8 side;

	if (!sk) {
		if (hook == WIRE_EGRESS)
			owner_set(end, NULL,
				  skb->ingress_ifindex ? WIRE_OWNER_FORWARDED : WIRE_OWNER_KERNEL,
				  0);
		return 0;
	}
	if (key->protocol == IPPROTO_TCP || key->protocol == IPPROTO_UDP)
		has_port = sk->src_port == key->port[sender];
	if (has_port && sk->state == STATE_TIME_WAIT) /* from 6.13 on it comes with its answer */
		owner_set(end, NULL, WIRE_OWNER_TIME_WAIT, 0);
	sk = bpf_sk_fullsock(sk);
	if (!sk) /* the request socket of a SYN-ACK */
		return 0;
	if (sk->family != AF_INET && sk->family != AF_INET6) {
		owner_set(end, NULL, WIRE_OWNER_PACKET, 0);
		return 0;
	}
	/* A receiver's socket may be set too, by early demux or another program. */
	if (!has_port && sk->type != SOCKET_RAW)
		return 0;
	known = socket_known(sk);
	if (!known) {
		/* Without the port: the kernel's, for RST and the like. */
		if (has_port)
			owner_set(end, NULL, unknown_kind(sk, key->protocol), 0);
		return 0;
	}
	if (!has_port) {
		owner_set(end, &known->owner, WIRE_OWNER_PROCESS, 0);
		return 1;
	}
	side = socket_side(sk, known);
	/* A TCP socket of its own that sends is one that connected. */
	if (side == WIRE_SIDE_UNKNOWN && known->cookie == bpf_get_socket_cookie(skb))
		side = WIRE_SIDE_CLIENT;
	if (side != WIRE_SIDE_UNKNOWN)
		owner_set(end, &known->owner, WIRE_OWNER_PROCESS, side);
	else
		owner_set(end, &known->owner, WIRE_OWNER_INHERITED, WIRE_SIDE_SERVER);
	return end->kind == WIRE_OWNER_PROCESS;
}

static __always_inline int address_is_v4(const struct wire_address *a)
{
	return !a->words[0] && !a->words[1] && a->words[2] == bpf_htonl(0xffff);
}

/* Fills the tuple from sender to receiver; returns the size that tells the family. */
static __always_inline __u32 tuple_fill(struct bpf_sock_tuple *tuple,
					const struct wire_flow_key *key, __u32 sender)
{
	__u32 receiver = (sender ^ 1) & 1;

	if (address_is_v4(&key->address[0])) {
		tuple->ipv4.saddr = key->address[sender].words[3];
		tuple->ipv4.daddr = key->address[receiver].words[3];
		tuple->ipv4.sport = bpf_htons(key->port[sender]);
		tuple->ipv4.dport = bpf_htons(key->port[receiver]);
		return sizeof(tuple->ipv4);
	}
	__builtin_memcpy(tuple->ipv6.saddr, &key->address[sender], 16);
	__builtin_memcpy(tuple->ipv6.daddr, &key->address[receiver], 16);
	tuple->ipv6.sport = bpf_htons(key->port[sender]);
	tuple->ipv6.dport = bpf_htons(key->port[receiver]);
	return sizeof(tuple->ipv6);
}

/* Asks the kernel's table which TCP socket the packet is for. */
static __always_inline void receiver_tcp(struct __sk_buff *skb, struct wire_owner *end,
					 struct bpf_sock_tuple *tuple, __u32 size)
{
	struct bpf_sock *sk, *full;
	struct wire_socket *known;

	sk = bpf_skc_lookup_tcp(skb, tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk) {
		owner_set(end, NULL, WIRE_OWNER_NO_SOCKET, 0);
		return;
	}
	if (sk->state == STATE_TIME_WAIT)
		owner_set(end, NULL, WIRE_OWNER_TIME_WAIT, 0);
	full = bpf_sk_fullsock(sk);
	if (full) {
		known = socket_known(full);
		/* What it accepts inherits no side: which one it is on is to be found out. */
		if (known && full->state == STATE_LISTEN)
			known->owner.side = WIRE_SIDE_UNKNOWN;
		if (!known)
			owner_set(end, NULL, unknown_kind(full, IPPROTO_TCP), 0);
		else if (full->state == STATE_LISTEN)
			owner_set(end, &known->owner, WIRE_OWNER_LISTENER, WIRE_SIDE_SERVER);
		else if (known->owner.side != WIRE_SIDE_UNKNOWN)
			owner_set(end, &known->owner, WIRE_OWNER_PROCESS, known->owner.side);
		else /* its cookie cannot be asked for here; egress will tell */
			owner_set(end, &known->owner, WIRE_OWNER_INHERITED, 0);
	}
	bpf_sk_release(sk);
}

static __always_inline void receiver_udp(struct __sk_buff *skb, struct wire_owner *end,
					 struct bpf_sock_tuple *tuple, __u32 size)
{
	struct wire_socket *known;
	struct bpf_sock *sk;

	sk = bpf_sk_lookup_udp(skb, tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk) {
		owner_set(end, NULL, WIRE_OWNER_NO_SOCKET, 0);
		return;
	}
	known = socket_known(sk);
	if (known)
		owner_set(end, &known->owner, WIRE_OWNER_PROCESS, socket_side(sk, known));
	else
		owner_set(end, NULL, WIRE_OWNER_UNKNOWN, 0);
	bpf_sk_release(sk);
}

static __always_inline int attribute_receiver(struct __sk_buff *skb, struct wire_flow *flow,
					      const struct wire_flow_key *key, __u32 sender)
{
	struct wire_owner *end = &flow->end[(sender ^ 1) & 1];
	struct bpf_sock_tuple tuple = {};
	__u32 size;

	if (end->kind == WIRE_OWNER_PROCESS)
		return 1;
	if (key->role_flags & (WIRE_KEY_FRAGMENT | WIRE_KEY_INNER))
		return 0;
	size = tuple_fill(&tuple, key, sender);
	if (key->protocol == IPPROTO_TCP)
		receiver_tcp(skb, end, &tuple, size);
	else if (key->protocol == IPPROTO_UDP)
		receiver_udp(skb, end, &tuple, size);
	return end->kind == WIRE_OWNER_PROCESS;
}

static __always_inline int has_owner(const struct wire_flow *flow)
{
	return flow->end[0].kind >= WIRE_OWNER_LISTENER || flow->end[1].kind >= WIRE_OWNER_LISTENER;
}

/*
 * how: bit 0 the hook, bit 1 the sender. True: an owner is known. (If nobody used the result the
 * compiler would leave in its register what the verifier may refuse to see returned.)
 */
static __noinline int attribute(struct __sk_buff *skb, struct wire_flow *flow,
				const struct wire_flow_key *key, __u32 how)
{
	__u32 hook = how & 1, sender = how >> 1 & 1;
	int settled;

	if (!flow || !key)
		return 0;
	settled = attribute_sender(skb, flow, key, hook, sender);
	/* From a wire no skb brings a socket; over a veth the SYN-ACK does not, but others will. */
	if (hook == WIRE_INGRESS)
		settled = attribute_receiver(skb, flow, key, sender) && (settled || !skb->sk);
	flow->traffic.tries[hook]++;
	if (settled || flow->traffic.tries[hook] >= TRIES_MAX)
		flow->traffic.settled[hook] = 1;
	return has_owner(flow);
}

/* A retransmit is counted in the flow that reads it first: the socket remembers how many were. */
static __noinline int retransmits_add(struct bpf_sock *sk, struct wire_traffic *traffic,
				      __u32 total)
{
	struct wire_socket *known;

	if (!sk || !traffic)
		return 0;
	known = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (known && total != known->retransmits) {
		__sync_fetch_and_add(&traffic->retransmits, total - known->retransmits);
		known->retransmits = total;
	}
	return 0;
}

/* Reads round trip time and retransmits from the sender's socket: at each packet, because a
 * connection may end without another one (the kernel counts a retransmit before it sends it). */
static __always_inline void tcp_health(struct __sk_buff *skb, struct wire_traffic *traffic,
				       __u32 sender)
{
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp;
	__u32 total;

	if (!sk)
		return;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return;
	tcp = bpf_tcp_sock(sk);
	if (!tcp)
		return;
	if (tcp->srtt_us)
		traffic->rtt_us = tcp->srtt_us >> 3;
	total = tcp->total_retrans;
	if (traffic->retransmits_read[sender] == (__u16)total)
		return;
	traffic->retransmits_read[sender] = total;
	retransmits_add(sk, traffic, total);
}

static __always_inline void *table_lookup(__u32 epoch, const struct wire_flow_key *key)
{
	if (epoch & 1)
		return bpf_map_lookup_elem(&flows_odd, key);
	return bpf_map_lookup_elem(&flows_even, key);
}

/* False: the table is full, or as full as the memory limit lets it be. */
static __always_inline int table_insert(__u32 epoch, const struct wire_flow_key *key,
					const struct wire_flow *flow)
{
	volatile __u64 *begun = &settings.begun[epoch & 1];
	long r;

	if (*begun >= settings.cap)
		return 0;
	if (epoch & 1)
		r = bpf_map_update_elem(&flows_odd, key, flow, BPF_NOEXIST);
	else
		r = bpf_map_update_elem(&flows_even, key, flow, BPF_NOEXIST);
	if (r == 0)
		__sync_fetch_and_add(begun, 1);
	return r == 0 || r == -17 /* EEXIST: another CPU was first */;
}

struct sighting {
	__u32 epoch;
	__u32 hook;
	__u32 sender; /* end of the key that sent the packet */
	__u32 counts; /* 0: seen before in this role, only looked at for the owner */
	struct weight weight;
};

static __always_inline void untracked_count(const struct wire_interface *interface, __u8 reason,
					    const struct sighting *seen)
{
	struct wire_untracked_key key = {
		.netns = interface->netns,
		.role = interface->role,
		.reason = reason,
	};
	struct wire_untracked_count *count = bpf_map_lookup_elem(&untracked, &key);

	if (count)
		count_atomic(&count->count[seen->epoch & 1][seen->hook & 1], &seen->weight);
}

/* The table is full: the packet travels alone, with its counts, while the step's allowance lasts.
 * True if it does. */
static __always_inline int overflow_send(const struct wire_flow_key *key,
					 const struct wire_flow *flow, __u32 epoch)
{
	struct wire_overflow *event;

	if ((__s64)settings.overflow_left <= 0)
		return 0;
	__sync_fetch_and_add((__u64 *)&settings.overflow_left, (__u64)-1);
	event = bpf_ringbuf_reserve(&overflow, sizeof(*event), 0);
	if (!event)
		return 0;
	event->key = *key;
	event->flow = *flow;
	event->epoch = epoch;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return 1;
}

/* The first packet of a flow in this step. Returns the flow, or NULL with the packet accounted. */
static __always_inline struct wire_flow *flow_begin(struct __sk_buff *skb,
						    const struct wire_interface *interface,
						    const struct wire_flow_key *key,
						    const struct sighting *seen)
{
	struct wire_flow *flow;
	__u32 zero = 0;

	flow = bpf_map_lookup_elem(&new_flow, &zero);
	if (!flow)
		return NULL;
	__builtin_memset(flow, 0, sizeof(*flow));
	flow->first_ns = bpf_ktime_get_ns();
	flow->traffic.first_sender = seen->sender;
	if (!attribute(skb, flow, key, seen->hook | seen->sender << 1) && settings.scope_by_owner) {
		if (seen->counts)
			untracked_count(interface, WIRE_UNTRACKED_FILTERED, seen);
		return NULL;
	}
	if (table_insert(seen->epoch, key, flow))
		return table_lookup(seen->epoch, key);
	if (!seen->counts)
		return NULL;
	count_here(&flow->traffic.sent[seen->sender & 1], &seen->weight);
	if (!overflow_send(key, flow, seen->epoch))
		untracked_count(interface, WIRE_UNTRACKED_MAP_FULL, seen);
	return NULL;
}

/* The flow has been settled: the next packets of this CPU need not look for it in the table. */
static __noinline int front_offer(struct wire_front_flow *place, const struct wire_flow_key *key,
				  const struct wire_traffic *traffic, __u32 epoch)
{
	struct wire_flow *flow;

	if (!place || !key || !traffic)
		return 0;
	if (!front_is(place, key, epoch)) {
		if (!front_gives_up(place, epoch))
			return 0;
		if (place->epoch == epoch) {
			flow = table_lookup(epoch, &place->key);
			if (flow)
				front_add(&flow->traffic, &place->traffic);
		}
		__builtin_memset(place, 0, sizeof(*place));
		place->key = *key;
		place->epoch = epoch;
		place->credit = FRONT_CREDIT;
	}
	place->traffic.settled[0] = traffic->settled[0];
	place->traffic.settled[1] = traffic->settled[1];
	return 0;
}

/* All of this is right on memory that other CPUs write, too. */
static __always_inline void traffic_add(struct __sk_buff *skb, struct wire_traffic *traffic,
					const struct packet *packet, const struct sighting *seen)
{
	__u32 sender = seen->sender & 1;
	__u8 flags = packet->tcp_flags;

	if (seen->counts)
		count_atomic(&traffic->sent[sender], &seen->weight);
	if (packet->protocol != IPPROTO_TCP)
		return;
	if ((traffic->tcp_flags[sender] | flags) != traffic->tcp_flags[sender])
		traffic->tcp_flags[sender] |= flags;
	if (flags & TCP_RST && seen->counts)
		__sync_fetch_and_add(&traffic->resets, 1);
	tcp_health(skb, traffic, sender);
}

/* Where the packet is to be counted, or NULL with the packet accounted. */
static __always_inline struct wire_traffic *traffic_of(struct __sk_buff *skb,
						       const struct wire_interface *interface,
						       const struct wire_flow_key *key,
						       const struct sighting *seen)
{
	struct wire_front_flow *place = front_place(key, seen->epoch);
	struct wire_flow *flow;

	if (place && front_is(place, key, seen->epoch) && place->traffic.settled[seen->hook & 1]) {
		place->credit = FRONT_CREDIT;
		return &place->traffic;
	}
	flow = table_lookup(seen->epoch, key);
	if (!flow)
		flow = flow_begin(skb, interface, key, seen);
	else if (!flow->traffic.settled[seen->hook & 1])
		attribute(skb, flow, key, seen->hook | seen->sender << 1);
	if (!flow)
		return NULL;
	if (flow->traffic.settled[seen->hook & 1])
		front_offer(place, key, &flow->traffic, seen->epoch);
	return &flow->traffic;
}

/*
 * A role counts a packet where it comes in; where it goes out only if it did not come in through
 * the same role (notes: forwarded skbs keep ingress_ifindex, the host's own have 0, and crossing a
 * namespace or leaving a tunnel clears it). Loopback counts at ingress: all of it passes both.
 */
static __always_inline int counted_elsewhere(struct __sk_buff *skb,
					     const struct wire_interface *interface, __u32 hook)
{
	struct wire_link_key key;
	__u32 *role;

	if (hook == WIRE_INGRESS)
		return 0;
	if (interface->role == WIRE_ROLE_LOOPBACK)
		return 1;
	if (!skb->ingress_ifindex)
		return 0;
	key.ifindex = skb->ingress_ifindex;
	key.netns = interface->netns;
	role = bpf_map_lookup_elem(&links, &key);
	return role && *role == interface->role;
}

/*
 * Where the IP header is in what an L3 device received. Old kernels (5.10, not 6.1) hand TC the headers
 * of an IPIP, 6in4 or GRE packet, too, those of the device below in front: then the network header is
 * not at the beginning of the data, and what is before it is what the IP packet leaves over.
 */
static __noinline __u32 ip_begin(struct __sk_buff *skb)
{
	__be16 data[4], ip[4]; /* words of the first 8 bytes: IPv4 has its length in 1, IPv6 in 2 */
	__u32 length;

	if (bpf_skb_load_bytes(skb, 0, data, sizeof(data)) < 0 ||
	    bpf_skb_load_bytes_relative(skb, 0, ip, sizeof(ip), BPF_HDR_START_NET) < 0)
		return 0;
	if (data[0] == ip[0] && data[1] == ip[1] && data[2] == ip[2] && data[3] == ip[3])
		return 0;
	length = bpf_ntohs(ip[0]) >> 12 == 4 ? bpf_ntohs(ip[1])
					     : sizeof(struct ipv6_header) + bpf_ntohs(ip[2]);
	return skb->len > length ? skb->len - length : 0;
}

/* 0, or the reason (enum wire_untracked) + 1 why there is no flow. */
static __always_inline int parse(struct __sk_buff *skb, struct packet *packet, __u32 begin)
{
	packet->offset = begin;
	packet->ethertype = bpf_ntohs((__u16)skb->protocol);
	packet->inner = 0;
	packet->protocol = 0;
	packet->fragment = 0;
	if (packet_skip_tags(skb, packet) < 0)
		return WIRE_UNTRACKED_MALFORMED + 1;
	if (packet->ethertype != ETH_P_IP && packet->ethertype != ETH_P_IPV6)
		return WIRE_UNTRACKED_NOT_IP + 1;
	if (packet_parse_ip(skb, packet) < 0 || packet_parse_transport(skb, packet) < 0)
		return WIRE_UNTRACKED_MALFORMED + 1;
	if (settings.inner && packet_enter_tunnel(skb, packet) &&
	    (packet_parse_ip(skb, packet) < 0 || packet_parse_transport(skb, packet) < 0))
		return WIRE_UNTRACKED_MALFORMED + 1;
	if (!protocol_wanted(packet->protocol, settings.protocols))
		return WIRE_UNTRACKED_PROTOCOL + 1;
	return 0;
}

static __always_inline int see(struct __sk_buff *skb, __u32 hook)
{
	struct wire_flow_key key __attribute__((aligned(8)));
	struct packet packet __attribute__((aligned(8)));
	struct wire_interface_count *sums;
	struct wire_interface *interface;
	struct wire_traffic *traffic;
	struct sighting seen;
	__u32 slot = skb->tc_classid, index, begin = 0;
	int reason;

	/* The copy that a sender of multicast or broadcast gets of its own: no interface counts it. */
	if (hook == WIRE_INGRESS && skb->pkt_type == PACKET_LOOPBACK)
		return VERDICT_NEXT;
	seen.epoch = settings.epoch;
	index = slot << 1 | (seen.epoch & 1);
	interface = bpf_map_lookup_elem(&interfaces, &slot);
	sums = bpf_map_lookup_elem(&interface_counts, &index);
	if (!interface || !sums)
		return VERDICT_NEXT;

	if (hook == WIRE_INGRESS && !interface->link_header)
		begin = ip_begin(skb);
	reason = parse(skb, &packet, begin + interface->link_header);
	weigh(skb, &packet, begin, &seen.weight);
	seen.hook = hook;
	seen.counts = !counted_elsewhere(skb, interface, hook);
	count_here(seen.counts ? &sums->counted[hook] : &sums->duplicate[hook], &seen.weight);

	if (reason) {
		if (seen.counts)
			untracked_count(interface, reason - 1, &seen);
		return VERDICT_NEXT;
	}
	/* Of the packets counted elsewhere only loopback's are worth a look: their socket is known
	 * at egress, their bytes at ingress. */
	if (!seen.counts && interface->role != WIRE_ROLE_LOOPBACK)
		return VERDICT_NEXT;

	seen.sender = key_fill(&key, &packet, interface->netns, interface->role);
	traffic = traffic_of(skb, interface, &key, &seen);
	if (traffic)
		traffic_add(skb, traffic, &packet, &seen);
	return VERDICT_NEXT;
}

SEC("tc")
int flows_ingress(struct __sk_buff *skb)
{
	return see(skb, WIRE_INGRESS);
}

SEC("tc")
int flows_egress(struct __sk_buff *skb)
{
	return see(skb, WIRE_EGRESS);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
