// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Drops: packets that the kernel gives up, with its reason, counted by flow.
 *
 * - Only namespaces with an observed interface are looked at. The packet's place is the device that
 *   it is at; without one (not routed yet, or already with a socket) that of its socket, of the
 *   receiving socket, or of its route.
 * - What the packet's fields mean depends on who dropped it: skb->dev shares its bytes with a tree
 *   node (TCP's queues) and with UDP's notes, skb->sk with a fragment's offset. So a pointer from
 *   there is followed by the probe helper only, and believed when what it leads to looks right.
 * - Two tables take turns, as in flows.bpf.c. They are preallocated: kfree_skb() may be called
 *   where the kernel's allocator must not be entered.
 */
#define PACKET_PROBED
#include "wire/drops.h"
#include "lib/interfaces.h"
#include "lib/kernel.h"
#include "lib/key.h"
#include "lib/packet.h"
#include "lib/socket.h"

/* What the hook tells on this kernel; set before loading. */
const volatile __u32 has_reason = 0; /* its third argument: Linux 5.17 */
const volatile __u32 has_receiver = 0; /* its fourth, the receiving socket: 6.11 */
const volatile __u32 has_owners = 0; /* SK_STORAGE is granted: 5.11 */

volatile struct wire_drops_settings settings = {};

struct drop_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* user space sets it before loading */
	__type(key, struct wire_drop_key);
	__type(value, struct wire_drop);
};
struct drop_table drops_even SEC(".maps"), drops_odd SEC(".maps");
/* Without ends: what found no room above, so that the sums by reason stay exact. */
struct drop_table rest_even SEC(".maps"), rest_odd SEC(".maps");

struct place {
	__u32 netns; /* inode */
	__u32 ifindex; /* 0: not known */
};

/* dev is what it claims to be if its first queue points back to it. */
static __always_inline int place_at_device(struct net_device *dev, struct place *place)
{
	if (!dev || BPF_CORE_READ(dev, _tx, dev) != dev)
		return 0;
	place->netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	place->ifindex = BPF_CORE_READ(dev, ifindex);
	return 1;
}

/* The namespace of an Internet socket; 0: it is none. */
static __always_inline __u32 socket_netns(struct sock *sk)
{
	__u16 family;

	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline struct net_device *route_device(struct sk_buff *skb)
{
	struct dst_entry *dst = (struct dst_entry *)(skb->_skb_refdst & ~1UL); /* SKB_DST_NOREF */

	return BPF_CORE_READ(dst, dev);
}

/* The device comes first: through a veth a packet brings its sender's socket along. */
static __always_inline int place_find(struct sk_buff *skb, struct sock *receiver,
				      struct place *place)
{
	struct place route = {};

	if (place_at_device(skb->dev, place))
		return 1;
	place_at_device(route_device(skb), &route);
	place->netns = socket_netns(skb->sk);
	if (!place->netns)
		place->netns = socket_netns(receiver);
	if (!place->netns)
		place->netns = route.netns;
	place->ifindex = skb->skb_iif;
	if (!place->ifindex && route.netns == place->netns)
		place->ifindex = route.ifindex;
	return place->netns != 0;
}

/* Fills the key's namespace and role; false: nothing is observed there. */
static __always_inline int key_place(struct wire_drop_key *key, const struct place *place)
{
	struct wire_namespace *ns = bpf_map_lookup_elem(&namespaces, &place->netns);
	struct wire_link_key link = {};
	__u32 *role;

	if (!ns)
		return 0;
	key->flow.netns = ns->slot;
	key->flow.role_flags = ns->role;
	if (!place->ifindex)
		return 1;
	link.ifindex = place->ifindex;
	link.netns = ns->slot;
	role = bpf_map_lookup_elem(&links, &link);
	if (!role)
		return 0;
	key->flow.role_flags = *role;
	return 1;
}

/* A tag is still in front of the header, or nothing is known yet. */
static __always_inline int may_be_ip(struct sk_buff *skb)
{
	__u16 type = bpf_ntohs(skb->protocol);

	return !type || type == ETH_P_IP || type == ETH_P_IPV6 || type == ETH_P_8021Q ||
	       type == ETH_P_8021AD;
}

static __always_inline int packet_of_skb(struct sk_buff *skb, struct packet *packet)
{
	struct packet_buffer buffer = { .head = skb->head, .end = skb->tail };
	__u8 version;

	packet->offset = skb->network_header;
	if (packet_load(&buffer, packet, &version) < 0)
		return -1;
	packet->ethertype = version >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6;
	if (packet_parse_ip(&buffer, packet) < 0 || packet_parse_transport(&buffer, packet) < 0)
		return -1;
	if (settings.inner && packet_enter_tunnel(&buffer, packet) &&
	    (packet_parse_ip(&buffer, packet) < 0 || packet_parse_transport(&buffer, packet) < 0))
		return -1;
	return 0;
}

/* What the socket would have written into the headers that the packet has not got yet. */
static __always_inline int packet_of_socket(struct sock *sk, struct packet *packet)
{
	__u8 state;

	if (!sk || !socket_netns(sk))
		return -1;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (state == STATE_TIME_WAIT || state == STATE_NEW_SYN_RECV)
		return -1;
	packet->protocol = BPF_CORE_READ(sk, sk_protocol);
	packet->source_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	packet->destination_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET) {
		packet_set_v4(&packet->source, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		packet_set_v4(&packet->destination, BPF_CORE_READ(sk, __sk_common.skc_daddr));
		return 0;
	}
	BPF_CORE_READ_INTO(&packet->source, sk, __sk_common.skc_v6_rcv_saddr);
	BPF_CORE_READ_INTO(&packet->destination, sk, __sk_common.skc_v6_daddr);
	return 0;
}

/* Who made the socket, and which end of the flow it is. */
static __always_inline void own(struct wire_drop *drop, struct sock *sk,
				const struct packet *packet, __u32 sender)
{
	__u16 port = BPF_CORE_READ(sk, __sk_common.skc_num);
	struct wire_socket *known;

	if (!socket_netns(sk))
		return;
	drop->end = sender;
	if (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP) {
		if (port != packet->source_port && port != packet->destination_port)
			return;
		drop->end = port == packet->source_port ? sender : !sender;
	}
	known = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (!known)
		return;
	drop->owner = known->owner;
	/* It may have been accepted, and this be the listener's entry still: see flows.bpf.c. */
	if (packet->protocol == IPPROTO_TCP && known->owner.side == WIRE_SIDE_UNKNOWN)
		drop->owner.kind = WIRE_OWNER_INHERITED;
}

static __always_inline int count(void *table, const struct wire_drop_key *key,
				 const struct wire_drop *new)
{
	struct wire_drop *drop = bpf_map_lookup_elem(table, key);

	if (!drop) {
		bpf_map_update_elem(table, key, new, BPF_NOEXIST);
		drop = bpf_map_lookup_elem(table, key);
	}
	if (drop)
		__sync_fetch_and_add(&drop->skbs, 1);
	return drop != NULL;
}

static __always_inline void count_somewhere(struct wire_drop_key *key, const struct wire_drop *new)
{
	__u32 odd = settings.epoch & 1;

	if (odd ? count(&drops_odd, key, new) : count(&drops_even, key, new))
		return;
	__builtin_memset(&key->flow.address, 0, sizeof(key->flow.address));
	__builtin_memset(&key->flow.port, 0, sizeof(key->flow.port));
	key->flow.role_flags &= WIRE_KEY_ROLE_MASK;
	/* Nobody could find out any more whether these are in scope. */
	if (!settings.scope_by_owner || new->owner.kind != WIRE_OWNER_NOT_ASKED)
		if (odd ? count(&rest_odd, key, new) : count(&rest_even, key, new))
			return;
	__sync_fetch_and_add((__u64 *)&settings.lost, 1);
}

static __always_inline int is_drop(__u32 reason)
{
	return !(bpf_core_enum_value_exists(enum skb_drop_reason, SKB_NOT_DROPPED_YET) &&
		 reason == bpf_core_enum_value(enum skb_drop_reason, SKB_NOT_DROPPED_YET)) &&
	       !(bpf_core_enum_value_exists(enum skb_drop_reason, SKB_CONSUMED) &&
		 reason == bpf_core_enum_value(enum skb_drop_reason, SKB_CONSUMED));
}

/* What a TCP socket still holds when it goes it has acknowledged: the FIN of nearly every connection.
 * Data that nobody read are told to the peer by a reset, which is counted. */
static __always_inline int is_left_over(__u32 reason, __u8 protocol)
{
	return protocol == IPPROTO_TCP &&
	       bpf_core_enum_value_exists(enum skb_drop_reason, SKB_DROP_REASON_QUEUE_PURGE) &&
	       reason == bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_QUEUE_PURGE);
}

SEC("tp_btf/kfree_skb")
int drops(unsigned long long *ctx)
{
	struct wire_drop_key key __attribute__((aligned(8))) = {};
	struct packet packet __attribute__((aligned(8))) = {};
	struct sk_buff *skb = (struct sk_buff *)ctx[0];
	struct sock *sk = skb->sk, *receiver = NULL;
	struct wire_drop drop = {};
	struct place place = {};
	__u32 sender;

	if (has_reason) {
		key.reason = ctx[2];
		if (!is_drop(key.reason))
			return 0;
	}
	if (has_receiver)
		receiver = (struct sock *)ctx[3];
	if (!place_find(skb, receiver, &place) || !key_place(&key, &place))
		return 0;
	if (skb->network_header) {
		if (!may_be_ip(skb))
			return 0;
		if (packet_of_skb(skb, &packet) < 0) {
			if (skb->protocol) /* else it may be anything */
				__sync_fetch_and_add((__u64 *)&settings.unreadable, 1);
			return 0;
		}
	} else if (packet_of_socket(sk, &packet) < 0) {
		return 0;
	}
	if (!protocol_wanted(packet.protocol, settings.protocols) ||
	    (has_reason && is_left_over(key.reason, packet.protocol)))
		return 0;
	sender = key_fill(&key.flow, &packet, key.flow.netns, key.flow.role_flags);
	if (has_owners && sk)
		own(&drop, sk, &packet, sender);
	if (has_owners && receiver && drop.owner.kind == WIRE_OWNER_NOT_ASKED)
		own(&drop, receiver, &packet, sender);
	count_somewhere(&key, &drop);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
