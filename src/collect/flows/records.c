/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which end is local: the one whose address is of this namespace, or a group that is sent to from
 * elsewhere. If that is both (loopback) or none (a container's packets, seen from the host) the one
 * that a process owns; else the client; else the
 * one that spoke first. It is decided once per connection, so that its rows of all steps add up to
 * one. An owner alone does not make an end local: skbs bring their socket along through a veth.
 */
#include "collect/flows/records.h"

#include <netinet/in.h>
#include <string.h>

_Static_assert((int)WIRE_ROLE_WIRE == FLOW_ROLE_WIRE && (int)WIRE_ROLE_VETH == FLOW_ROLE_VETH &&
		       (int)WIRE_ROLE_TUNNEL == FLOW_ROLE_TUNNEL &&
		       (int)WIRE_ROLE_BRIDGE == FLOW_ROLE_BRIDGE &&
		       (int)WIRE_ROLE_LOOPBACK == FLOW_ROLE_LOOPBACK,
	       "roles");
_Static_assert((int)WIRE_UNTRACKED_REASONS == UNTRACKED_REASON_MAX_ &&
		       (int)WIRE_UNTRACKED_FILTERED == UNTRACKED_FILTERED &&
		       (int)WIRE_UNTRACKED_MAP_FULL == UNTRACKED_MAP_FULL,
	       "untracked reasons");

#define FLAG_SYN 0x02

struct flow_count flow_count_from_wire(const struct wire_count *c)
{
	return (struct flow_count){
		.skbs = c->skbs,
		.bytes = c->bytes,
		.packets = c->skbs + c->more_packets,
		.bytes_wire = c->bytes + c->more_bytes,
	};
}

static struct ip_address address_of(const struct wire_flow_key *key, int end)
{
	struct ip_address a;

	memcpy(a.bytes, &key->address[end], sizeof(a.bytes));
	return a;
}

static bool owned(const struct wire_owner *owner)
{
	return owner->kind >= WIRE_OWNER_LISTENER;
}

/* The client's end, or -1. The handshake tells it where no socket did. */
static int client_end(const struct wire_flow_key *key, const struct connection *c)
{
	/* Two UDP sockets that are bound: who spoke first asked. */
	if (c->end[0].side == c->end[1].side && c->end[0].side != WIRE_SIDE_UNKNOWN)
		return c->first_sender;
	for (int end = 0; end < 2; end++) {
		if (c->end[end].side == WIRE_SIDE_CLIENT)
			return end;
		if (c->end[end].side == WIRE_SIDE_SERVER)
			return !end;
	}
	if (key->protocol != IPPROTO_TCP || !((c->tcp_flags[0] | c->tcp_flags[1]) & FLAG_SYN))
		return -1;
	if (c->tcp_flags[0] & c->tcp_flags[1] & FLAG_SYN)
		return c->first_sender;
	return c->tcp_flags[1] & FLAG_SYN ? 1 : 0;
}

/* *sure: what it was chosen by will not change. */
static int choose_local(const struct record_context *context, const struct wire_flow_key *key,
			const struct connection *c, bool *sure)
{
	struct ip_address a = address_of(key, 0), b = address_of(key, 1);
	bool here[2], has_owner[2] = { owned(&c->end[0]), owned(&c->end[1]) };
	int client = client_end(key, c);

	here[0] = links_is_local(context->links, context->netns, &a);
	here[1] = links_is_local(context->links, context->netns, &b);
	if (!here[0] && !here[1]) {
		here[0] = links_is_group(context->links, context->netns, &a);
		here[1] = links_is_group(context->links, context->netns, &b);
	}
	*sure = here[0] != here[1] || has_owner[0] || has_owner[1];
	if (here[0] != here[1])
		return here[1];
	if (has_owner[0] != has_owner[1])
		return has_owner[1];
	return client >= 0 ? client : c->first_sender;
}

/* Neither end is of this namespace. Where the other one is observed, its rows name the owner. */
static enum flow_unowned cause_elsewhere(const struct record_context *context,
					 const struct wire_flow_key *key,
					 const struct ip_address *address)
{
	if ((key->role_flags & WIRE_KEY_ROLE_MASK) != WIRE_ROLE_VETH ||
	    links_is_known(context->links, address))
		return FLOW_UNOWNED_FORWARDED;
	return FLOW_UNOWNED_OTHER_NAMESPACE;
}

static enum flow_unowned cause_of(const struct record_context *context,
				  const struct wire_flow_key *key, const struct wire_owner *owner,
				  const struct ip_address *address)
{
	if (owned(owner))
		return FLOW_OWNED;
	if (links_is_group(context->links, context->netns, address))
		return FLOW_UNOWNED_MULTICAST;
	switch ((enum wire_owner_kind)owner->kind) {
	case WIRE_OWNER_TIME_WAIT:
		return FLOW_UNOWNED_TIME_WAIT;
	case WIRE_OWNER_ORPHAN:
		return FLOW_UNOWNED_ORPHAN;
	case WIRE_OWNER_FORWARDED:
		return FLOW_UNOWNED_FORWARDED;
	default:
		break;
	}
	if (!links_is_local(context->links, context->netns, address))
		return cause_elsewhere(context, key, address);
	if (key->role_flags & WIRE_KEY_FRAGMENT)
		return FLOW_UNOWNED_FRAGMENT;
	switch ((enum wire_owner_kind)owner->kind) {
	case WIRE_OWNER_NO_SOCKET:
		return FLOW_UNOWNED_NO_LISTENER;
	case WIRE_OWNER_PACKET:
		return FLOW_UNOWNED_UNKNOWN;
	case WIRE_OWNER_UNKNOWN:
		return context->sockets_complete ? FLOW_UNOWNED_KERNEL : FLOW_UNOWNED_UNKNOWN;
	default:
		return FLOW_UNOWNED_KERNEL;
	}
}

static enum flow_side side_of(const struct wire_flow_key *key, const struct connection *c,
			      enum flow_unowned unowned)
{
	int client = client_end(key, c);

	if (key->protocol != IPPROTO_TCP && key->protocol != IPPROTO_UDP &&
	    key->protocol != IPPROTO_SCTP)
		return FLOW_SIDE_NONE;
	if (client >= 0)
		return client == c->local ? FLOW_SIDE_CLIENT : FLOW_SIDE_SERVER;
	return unowned == FLOW_UNOWNED_FORWARDED ? FLOW_SIDE_NONE : FLOW_SIDE_UNKNOWN;
}

static void fill_end(struct endpoint *e, const struct wire_flow_key *key,
		     const struct connection *c, int end)
{
	const struct wire_owner *owner = &c->end[end];

	e->address = address_of(key, end);
	e->port = key->port[end];
	if (!owned(owner))
		return;
	e->process.pid = owner->tgid;
	e->process.cgroup_id = owner->cgroup_id;
	e->process.thread = owner->thread;
	memcpy(e->process.comm, owner->comm, sizeof(e->process.comm));
	e->process.comm[COMM_LEN - 1] = 0;
}

static void fill_tcp(struct flow_tcp *tcp, const struct drained_flow *drained,
		     const struct connection *c)
{
	tcp->rtt_us = drained->flow.traffic.rtt_us;
	tcp->retransmits = drained->flow.traffic.retransmits;
	tcp->resets = drained->flow.traffic.resets > UINT16_MAX ? UINT16_MAX
								: drained->flow.traffic.resets;
	tcp->flags = drained->flow.traffic.tcp_flags[0] | drained->flow.traffic.tcp_flags[1];
	tcp->state = connection_tcp_state(c);
}

/* A UDP socket is closed without a word on the wire, and the other end may go on. */
static void forget_closed(const struct record_context *context, const struct drained_flow *drained,
			  struct connection *c)
{
	struct ip_address address;

	if (drained->key.protocol != IPPROTO_UDP)
		return;
	for (int end = 0; end < 2; end++) {
		address = address_of(&drained->key, end);
		if (drained->flow.end[end].kind == WIRE_OWNER_NO_SOCKET && owned(&c->end[end]) &&
		    links_is_local(context->links, context->netns, &address))
			c->end[end] = drained->flow.end[end];
	}
}

void record_from_flow(const struct record_context *context, const struct drained_flow *drained,
		      struct connection *c, struct record *ret)
{
	const struct wire_flow_key *key = &drained->key;
	struct flow *flow = &ret->flow;

	*ret = (struct record){ .kind = RECORD_FLOW };
	forget_closed(context, drained, c);
	if (!c->local_known)
		c->local = choose_local(context, key, c, &c->local_known);
	flow->netns = context->netns;
	flow->role = key->role_flags & WIRE_KEY_ROLE_MASK;
	flow->protocol = key->protocol;
	flow->fragment = key->role_flags & WIRE_KEY_FRAGMENT;
	flow->inner = key->role_flags & WIRE_KEY_INNER;
	fill_end(&flow->local, key, c, c->local);
	fill_end(&flow->peer, key, c, !c->local);
	flow->unowned = cause_of(context, key, &c->end[c->local], &flow->local.address);
	flow->side = side_of(key, c, flow->unowned);
	flow->tx = flow_count_from_wire(&drained->flow.traffic.sent[c->local]);
	flow->rx = flow_count_from_wire(&drained->flow.traffic.sent[!c->local]);
	if (key->protocol == IPPROTO_TCP)
		fill_tcp(&flow->tcp, drained, c);
}
