/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What passed before attaching is known only when the bracket has closed, steps after our programs
 * began to count. Then a record tells how the interface's own counters stood when its step began: what
 * the bracket found, and what was counted in the steps before. The store takes out what it has seen.
 */
#include "collect/flows/interface-record.h"

#include <stdio.h>
#include <string.h>

#include "collect/flows/records.h"

/* The interface's own counters, whichever unit they are in: what passed before attaching, and what was
 * counted in the steps since then. */
static struct flow_count own_count(const struct interface *interface, enum tc_direction direction,
				   const struct flow_count *early)
{
	const struct link_counter *before = &interface->before[direction];
	uint64_t header = interface->units[direction].omitted;

	return (struct flow_count){
		.skbs = before->packets + early->skbs,
		.bytes = before->bytes + early->bytes - header * early->skbs,
		.packets = before->packets + early->packets,
		.bytes_wire = before->bytes + early->bytes_wire - header * early->packets,
	};
}

/* Once it is known what passed before attaching, that is told. */
static void tell_before_attach(struct before_attach *before, const struct interface *interface,
			       struct flow_interface *i)
{
	if (before->told)
		return;
	if (interface->state != INTERFACE_PENDING) {
		i->before_attach_rx = own_count(interface, TC_INGRESS, &before->early[TC_INGRESS]);
		i->before_attach_tx = own_count(interface, TC_EGRESS, &before->early[TC_EGRESS]);
		before->told = true;
		return;
	}
	flow_count_add(&before->early[TC_INGRESS], &i->counted_rx);
	flow_count_add(&before->early[TC_INGRESS], &i->duplicate_rx);
	flow_count_add(&before->early[TC_EGRESS], &i->counted_tx);
	flow_count_add(&before->early[TC_EGRESS], &i->duplicate_tx);
}

static bool is_zero(const struct wire_interface_count *count)
{
	static const struct wire_interface_count zero;

	return memcmp(count, &zero, sizeof(zero)) == 0;
}

bool record_from_interface(const struct interface *interface,
			   const struct wire_interface_count *added, struct before_attach *before,
			   struct record *ret)
{
	struct flow_interface *i = &ret->interface;

	/* An interface is shown once it is attached, or something came through before that. */
	if (interface->state == INTERFACE_PENDING && is_zero(added))
		return false;
	*ret = (struct record){ .kind = RECORD_INTERFACE };
	i->netns = interface->link.netns;
	i->ifindex = interface->link.ifindex;
	i->role = interface->link.role;
	snprintf(i->name, sizeof(i->name), "%s", interface->link.name);
	i->removed = interface->state == INTERFACE_REMOVED;
	/* While it is being attached nothing was told that could be inexact. */
	i->exact = interface->state == INTERFACE_PENDING || interface->exact;
	i->omits_header_rx = interface->units[TC_INGRESS].omitted > 0;
	i->omits_header_tx = interface->units[TC_EGRESS].omitted > 0;
	i->counted_rx = flow_count_from_wire(&added->counted[WIRE_INGRESS]);
	i->counted_tx = flow_count_from_wire(&added->counted[WIRE_EGRESS]);
	i->duplicate_rx = flow_count_from_wire(&added->duplicate[WIRE_INGRESS]);
	i->duplicate_tx = flow_count_from_wire(&added->duplicate[WIRE_EGRESS]);
	/* What loopback transmits it receives; but between its egress hook and the device a large
	 * skb may be cut, so that only ingress has the number that the device counts for both. */
	if (i->role == FLOW_ROLE_LOOPBACK)
		i->duplicate_tx = i->counted_rx;
	tell_before_attach(before, interface, i);
	return true;
}
