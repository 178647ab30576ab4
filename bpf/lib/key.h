/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which flow a packet belongs to: the same for all programs that see packets. */
#pragma once

#include "lib/packet.h"
#include "wire/flows.h"

/* 0: a first, 1: b first, 2: equal. Any order will do that is the same for both directions. */
static __always_inline __u32 address_order(const struct wire_address *a,
					   const struct wire_address *b)
{
	if (a->words[3] != b->words[3])
		return a->words[3] > b->words[3];
	if (a->words[2] != b->words[2])
		return a->words[2] > b->words[2];
	if (a->words[1] != b->words[1])
		return a->words[1] > b->words[1];
	if (a->words[0] != b->words[0])
		return a->words[0] > b->words[0];
	return 2;
}

/* Puts the ends in order; returns which one sent the packet. */
static __always_inline __u32 key_fill(struct wire_flow_key *key, const struct packet *packet,
				      __u16 netns, __u8 role)
{
	__u32 sender = address_order(&packet->source, &packet->destination);

	if (sender == 2)
		sender = packet->source_port > packet->destination_port;
	if (sender) {
		key->address[0] = packet->destination;
		key->address[1] = packet->source;
		key->port[0] = packet->destination_port;
		key->port[1] = packet->source_port;
	} else {
		key->address[0] = packet->source;
		key->address[1] = packet->destination;
		key->port[0] = packet->source_port;
		key->port[1] = packet->destination_port;
	}
	key->protocol = packet->protocol;
	key->netns = netns;
	key->role_flags = role;
	if (packet->fragment)
		key->role_flags |= WIRE_KEY_FRAGMENT;
	if (packet->inner)
		key->role_flags |= WIRE_KEY_INNER;
	return sender;
}

/* wanted: set of WIRE_PROTOCOL_* */
static __always_inline int protocol_wanted(__u8 protocol, __u32 wanted)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return wanted & WIRE_PROTOCOL_TCP;
	case IPPROTO_UDP:
		return wanted & WIRE_PROTOCOL_UDP;
	case IPPROTO_SCTP:
		return wanted & WIRE_PROTOCOL_SCTP;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return wanted & WIRE_PROTOCOL_ICMP;
	}
	return 0;
}
