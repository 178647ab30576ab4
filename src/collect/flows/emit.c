/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a drain brought becomes records, and its packets are accounted: seen, delivered, filtered or
 * lost. */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "bpf/wire/flows.h"
#include "collect/flows/flows-internal.h"
#include "collect/flows/records.h"
#include "host/inventory.h"

static void emit(struct collector *c, struct record *record)
{
	c->batch++;
	c->env.emit(c->env.userdata, record);
}

static struct record_context context_of(const struct collector *c, const struct wire_flow_key *key)
{
	return (struct record_context){
		.links = interfaces_links(c->interfaces),
		.sockets_complete = c->sockets_complete,
		.netns = slots_netns(c->slots, key->netns),
	};
}

/* The kernel side knows no executables: an owner that is out of scope for his is taken out here.
 * False: no owner is left. */
static bool keep_owners(const struct collector *c, struct flow *flow)
{
	const struct scope *scope = c->env.scope;
	struct process_ref *refs[] = { &flow->local.process, &flow->peer.process };
	bool kept = false;

	if (!scope || scope->n_exes == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(refs); i++) {
		if (refs[i]->pid &&
		    scope_has_exe(scope, inventory_exe(c->env.inventory, refs[i]->pid)))
			kept = true;
		else
			*refs[i] = (struct process_ref){ 0 };
	}
	if (flow->local.process.pid == 0 && flow->unowned == FLOW_OWNED)
		flow->unowned = FLOW_UNOWNED_UNKNOWN;
	return kept;
}

/* A SYN that nobody ever answered: a row without packets, for its state. */
static void emit_failed(void *userdata, const struct wire_flow_key *key,
			struct connection *connection)
{
	struct collector *c = userdata;
	struct record_context context = context_of(c, key);
	struct drained_flow nothing = { .key = *key };
	struct record record;

	if (context.netns == 0)
		return; /* the namespace is gone */
	record_from_flow(&context, &nothing, connection, &record);
	record.flow.tcp.state = TCP_STATE_FAILED;
	if (keep_owners(c, &record.flow))
		emit(c, &record);
}

static void emit_filtered(struct collector *c, const struct flow *flow)
{
	struct record record = {
		.kind = RECORD_UNTRACKED,
		.untracked = {
			.netns = flow->netns,
			.role = flow->role,
			.reason = UNTRACKED_FILTERED,
			.tx = flow->tx,
			.rx = flow->rx,
		},
	};

	c->account.filtered += flow->tx.skbs + flow->rx.skbs;
	emit(c, &record);
}

void flows_emit_flow(struct collector *c, const struct drained_flow *drained, uint64_t now_ns)
{
	struct record_context context = context_of(c, &drained->key);
	struct connection *connection =
		connections_update(c->connections, &drained->key, &drained->flow, now_ns);
	struct record record;

	record_from_flow(&context, drained, connection, &record);
	if (c->drops)
		drops_join(c->drops, &drained->key, &record.flow);
	if (!keep_owners(c, &record.flow)) {
		emit_filtered(c, &record.flow);
		return;
	}
	c->account.delivered += record.flow.tx.skbs + record.flow.rx.skbs;
	emit(c, &record);
}

/* Drops that found no room by flow; their namespace, role and protocol are known. */
static void emit_drops_rest(struct collector *c)
{
	struct record record;
	struct wire_flow_key key;
	size_t pos = 0;

	for (;;) {
		record = (struct record){ .kind = RECORD_FLOW, .flow.other = true };
		if (!drops_next_rest(c->drops, &pos, &key, &record.flow))
			return;
		record.flow.netns = slots_netns(c->slots, key.netns);
		record.flow.role = key.role_flags;
		record.flow.protocol = key.protocol;
		emit(c, &record);
	}
}

/* Untracked packets are delivered too, as what they are; only those for which the table had no room
 * are lost. */
static void account_untracked(struct collector *c, enum untracked_reason reason, uint64_t skbs)
{
	if (reason == UNTRACKED_FILTERED)
		c->account.filtered += skbs;
	else if (reason == UNTRACKED_MAP_FULL) {
		c->lost_table += skbs;
		c->cap_felt = c->cap < (uint64_t)c->options->max_flows;
	} else
		c->account.delivered += skbs;
}

static void emit_untracked(struct collector *c, const struct wire_untracked_key *key,
			   const struct wire_untracked_count *sums)
{
	struct wire_count added[2];
	struct record record = {
		.kind = RECORD_UNTRACKED,
		.untracked = {
			.netns = slots_netns(c->slots, key->netns),
			.role = key->role,
			.reason = key->reason,
		},
	};

	slots_untracked_delta(c->slots, key, c->drain.epoch, sums, added);
	if (added[WIRE_INGRESS].skbs + added[WIRE_EGRESS].skbs == 0)
		return;
	record.untracked.rx = flow_count_from_wire(&added[WIRE_INGRESS]);
	record.untracked.tx = flow_count_from_wire(&added[WIRE_EGRESS]);
	account_untracked(c, key->reason, record.untracked.rx.skbs + record.untracked.tx.skbs);
	emit(c, &record);
}

static void emit_interface(struct collector *c, uint16_t slot,
			   const struct wire_interface_count *sums)
{
	const struct interface *interface = interfaces_get(c->interfaces, slot);
	struct wire_interface_count added;
	struct record record;

	slots_interface_delta(c->slots, slot, c->drain.epoch, sums, &added);
	c->account.seen += added.counted[0].skbs + added.counted[1].skbs;
	if (interface &&
	    record_from_interface(interface, &added, &c->notes[slot].before_attach, &record))
		emit(c, &record);
}

/* A removed interface's packets may be in both epochs; when each was drained after the removal the
 * slot is clean. */
static void advance_removed(struct collector *c, uint16_t slot)
{
	struct slot_note *note = &c->notes[slot];

	if (note->phase != PHASE_REMOVED && note->phase != PHASE_LAST)
		return;
	if (c->drain.epoch < note->removed_epoch)
		return;
	if (note->phase == PHASE_REMOVED) {
		note->phase = PHASE_LAST;
		return;
	}
	*note = (struct slot_note){ 0 };
	slots_release(c->slots, slot);
	interfaces_release(c->interfaces, slot);
}

void flows_emit_rest(struct collector *c)
{
	if (c->drops)
		emit_drops_rest(c);
	for (size_t i = 0; i < c->drain.n_untracked; i++)
		emit_untracked(c, &c->drain.untracked_keys[i], &c->drain.untracked[i]);
	for (size_t i = 0; i < c->drain.n_slots; i++)
		emit_interface(c, c->drain.slots[i], &c->drain.interfaces[i]);
	for (size_t i = 0; i < c->drain.n_slots; i++)
		advance_removed(c, c->drain.slots[i]);
	if (c->connections)
		connections_expire(c->connections, now_ns(CLOCK_MONOTONIC), emit_failed, c);
}
