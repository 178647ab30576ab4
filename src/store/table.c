/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Adding up. Sums are sums; of the round trip time the largest counts; states and sides are those
 * seen last, as far as they are known. Rows live in chunks, so that a growing table is not copied.
 */
#include "store/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

static int make_pools(struct table *t)
{
	const uint64_t no_netns = 0;
	const struct ip_address no_address = {};
	uint32_t zero;
	int r;

	r = pool_new(sizeof(uint64_t), TABLE_NAMESPACES_MAX, &t->namespaces);
	if (r >= 0)
		r = pool_number(t->namespaces, &no_netns, true, &zero);
	if (r >= 0)
		r = pool_new(sizeof(struct ip_address), SIZE_MAX, &t->addresses);
	if (r >= 0)
		r = pool_number(t->addresses, &no_address, true, &zero);
	if (r >= 0)
		r = actors_init(&t->who);
	return r;
}

/* No limits of their own: add_flow() and sum_of() keep them, since the sums that stand for the rest
 * must always fit. */
static int make_maps(struct table *t)
{
	int r;

	r = hashmap_new(sizeof(struct row_key), sizeof(uint32_t), SIZE_MAX, &t->flows);
	if (r >= 0)
		r = hashmap_new(sizeof(struct untracked_key), sizeof(struct untracked_row),
				SIZE_MAX, &t->untracked);
	if (r >= 0)
		r = hashmap_new(sizeof(struct interface_key), sizeof(struct interface_row),
				SIZE_MAX, &t->interfaces);
	return r;
}

int table_new(size_t max_rows, struct table **ret)
{
	_cleanup_(table_free_p) struct table *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->max_rows = max_rows;
	r = make_pools(t);
	if (r >= 0)
		r = make_maps(t);
	if (r < 0)
		return r;
	*ret = TAKE(t);
	return 0;
}

struct table *table_free(struct table *t)
{
	if (!t)
		return NULL;
	hashmap_free(t->flows);
	hashmap_free(t->untracked);
	hashmap_free(t->interfaces);
	pool_free(t->namespaces);
	pool_free(t->addresses);
	actors_done(&t->who);
	for (size_t i = 0; i < t->n_chunks; i++)
		free(t->chunks[i]);
	free(t->chunks);
	free(t->drops);
	free(t);
	return NULL;
}

size_t table_flows(const struct table *t)
{
	return hashmap_size(t->flows);
}

size_t table_rows(const struct table *t)
{
	return table_flows(t) + hashmap_size(t->untracked) + hashmap_size(t->interfaces);
}

size_t table_bytes(const struct table *t)
{
	return sizeof(*t) + hashmap_bytes(t->flows) +
	       t->n_chunks * (TABLE_CHUNK_ROWS * sizeof(struct row) + sizeof(*t->chunks)) +
	       t->drops_room * sizeof(*t->drops) + pool_bytes(t->namespaces) +
	       pool_bytes(t->addresses) + actors_bytes(&t->who) + hashmap_bytes(t->untracked) +
	       hashmap_bytes(t->interfaces);
}

void table_set_max_rows(struct table *t, size_t max_rows)
{
	t->max_rows = max_rows;
}

static int endpoint_actor(struct table *t, const struct endpoint *e, bool add, uint32_t *ret)
{
	return actors_number(&t->who, &e->process, &e->workload, add, ret);
}

/* The key of a flow. Without add only what is known is found: -ENOENT means a new row. */
static int flow_key(struct table *t, const struct flow *f, bool add, struct row_key *ret)
{
	struct row_key key = {
		.local_port = f->local.port,
		.peer_port = f->peer.port,
		.protocol = f->protocol,
		.role_flags = (uint8_t)(f->role | (f->fragment ? ROW_FRAGMENT : 0) |
					(f->inner ? ROW_INNER : 0)),
	};
	uint32_t netns;
	int r;

	r = pool_number(t->namespaces, &f->netns, add, &netns);
	if (r >= 0)
		r = pool_number(t->addresses, &f->local.address, add, &key.local_address);
	if (r >= 0)
		r = pool_number(t->addresses, &f->peer.address, add, &key.peer_address);
	if (r >= 0)
		r = endpoint_actor(t, &f->local, add, &key.local_actor);
	if (r >= 0)
		r = endpoint_actor(t, &f->peer, add, &key.peer_actor);
	if (r < 0)
		return r;
	key.netns = (uint16_t)netns;
	*ret = key;
	return 0;
}

static int add_chunk(struct table *t)
{
	struct row **chunks;

	chunks = realloc(t->chunks, (t->n_chunks + 1) * sizeof(*chunks));
	if (!chunks)
		return -ENOMEM;
	t->chunks = chunks;
	chunks[t->n_chunks] = calloc(TABLE_CHUNK_ROWS, sizeof(struct row));
	if (!chunks[t->n_chunks])
		return -ENOMEM;
	t->n_chunks++;
	return 0;
}

/* The row of key, made if need be. NULL: no memory. */
static struct row *row_of(struct table *t, const struct row_key *key, bool *ret_new)
{
	size_t n = table_flows(t);
	uint32_t *number;

	*ret_new = false;
	if (n == t->n_chunks * TABLE_CHUNK_ROWS && add_chunk(t) < 0)
		return NULL;
	number = hashmap_put(t->flows, key, ret_new);
	if (!number)
		return NULL;
	if (*ret_new)
		*number = (uint32_t)n;
	return table_row(t, *number);
}

static uint32_t add_saturated(uint32_t a, uint32_t b, uint32_t max)
{
	return b > max - a ? max : a + b;
}

static void tcp_add(struct flow_tcp *sum, const struct flow_tcp *t)
{
	sum->rtt_us = MAX(sum->rtt_us, t->rtt_us);
	sum->retransmits = add_saturated(sum->retransmits, t->retransmits, UINT32_MAX);
	sum->resets = (uint16_t)add_saturated(sum->resets, t->resets, UINT16_MAX);
	sum->flags |= t->flags;
	if (t->state != TCP_STATE_UNKNOWN)
		sum->state = t->state;
}

/* A new drop; 0: no memory. */
static uint32_t new_drop(struct table *t, uint32_t reason)
{
	size_t room = t->n_drops + t->n_drops / 2 + 16;
	struct row_drop *drops;

	if (t->n_drops == t->drops_room) {
		drops = realloc(t->drops, room * sizeof(*drops));
		if (!drops)
			return 0;
		t->drops = drops;
		t->drops_room = room;
	}
	t->drops[t->n_drops] = (struct row_drop){ .reason = reason };
	return (uint32_t)++t->n_drops;
}

/* Finds or makes the row's drop of that reason; a row that has FLOW_DROPS_MAX of them adds to its
 * last. A reason that finds no room is "". */
static int drop_add(struct table *t, struct row *row, const struct flow_drops *d)
{
	uint32_t reason = 0, last = 0, i = row->drops;
	unsigned n = 0;

	string_pool_number(t->who.strings, d->reason, true, &reason);
	for (; i && t->drops[i - 1].reason != reason && n + 1 < FLOW_DROPS_MAX; n++) {
		last = i;
		i = t->drops[i - 1].next;
	}
	if (!i) {
		i = new_drop(t, reason);
		if (!i)
			return -ENOMEM;
		*(last ? &t->drops[last - 1].next : &row->drops) = i;
	}
	t->drops[i - 1].count += d->count;
	return 0;
}

static int row_add(struct table *t, struct row *row, const struct flow *f)
{
	int r;

	for (unsigned i = 0; i < f->n_drops; i++) {
		r = drop_add(t, row, &f->drops[i]);
		if (r < 0)
			return r;
	}
	flow_count_add(&row->tx, &f->tx);
	flow_count_add(&row->rx, &f->rx);
	tcp_add(&row->tcp, &f->tcp);
	return 0;
}

static int add_flow(struct table *t, const struct flow *f)
{
	bool room = table_flows(t) - t->n_others < t->max_rows, is_new;
	struct row_key key;
	struct row *row;
	int r;

	r = flow_key(t, f, room, &key);
	if (r == -ENOENT || (r >= 0 && !room && !hashmap_get(t->flows, &key)))
		return -ENOSPC;
	if (r < 0)
		return r;
	row = row_of(t, &key, &is_new);
	if (!row)
		return -ENOMEM;
	if (f->side != FLOW_SIDE_UNKNOWN)
		row->side = (uint8_t)f->side;
	if (is_new || f->unowned != FLOW_UNOWNED_UNKNOWN)
		row->unowned = (uint8_t)f->unowned;
	row->external = (f->local.external ? ROW_LOCAL_EXTERNAL : 0) |
			(f->peer.external ? ROW_PEER_EXTERNAL : 0);
	return row_add(t, row, f);
}

/* The "other" row of (netns, role, protocol); that of netns 0 when there are too many. */
static struct row *other_row(struct table *t, const struct flow *f)
{
	bool room = t->n_others < TABLE_OTHERS_MAX, is_new;
	struct row_key key = {
		.protocol = f->protocol,
		.role_flags = (uint8_t)(f->role | ROW_OTHER),
	};
	uint32_t netns = 0;
	struct row *row;

	pool_number(t->namespaces, &f->netns, room, &netns);
	key.netns = (uint16_t)netns;
	if (!room && !hashmap_get(t->flows, &key))
		key.netns = 0;
	row = row_of(t, &key, &is_new);
	t->n_others += is_new;
	return row;
}

static int add_other_flow(struct table *t, const struct flow *f)
{
	struct row *row = other_row(t, f);

	return row ? row_add(t, row, f) : -ENOMEM;
}

static bool has_room(const struct hashmap *map, size_t max, const void *key)
{
	return hashmap_size(map) < max || hashmap_get(map, key);
}

static int add_untracked(struct table *t, const struct flow_untracked *u, bool other)
{
	struct untracked_key key = { .netns = u->netns, .role = u->role, .reason = u->reason };
	struct untracked_row *row;

	if (!has_room(t->untracked, TABLE_UNTRACKED_MAX, &key)) {
		if (!other)
			return -ENOSPC;
		key.netns = 0;
	}
	row = hashmap_put(t->untracked, &key, NULL);
	if (!row)
		return -ENOMEM;
	flow_count_add(&row->tx, &u->tx);
	flow_count_add(&row->rx, &u->rx);
	return 0;
}

static uint64_t above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* What of the interface's own counters (own) is not in seen. */
static struct flow_count not_seen(const struct flow_count *own, const struct flow_count *seen,
				  bool omits_header)
{
	uint64_t header = omits_header ? ETHERNET_HEADER_LEN : 0;

	return (struct flow_count){
		.skbs = above(own->skbs, seen->skbs),
		.bytes = above(own->bytes, seen->bytes - header * seen->skbs),
		.packets = above(own->packets, seen->packets),
		.bytes_wire = above(own->bytes_wire, seen->bytes_wire - header * seen->packets),
	};
}

/*
 * An interface that is attached to once more (a reload, the daemon's next run) tells its counters
 * again, and in them is what was counted the time before. Not so if the counters are lower than
 * what was counted: they began anew, with the machine or with another interface of that name.
 */
static void tell_before(struct flow_count *before, const struct flow_count *own,
			const struct flow_count *counted, const struct flow_count *duplicate,
			bool omits_header, bool removed)
{
	struct flow_count seen = *counted;

	flow_count_add(&seen, duplicate);
	if (own->skbs == 0)
		return;
	if (removed || own->skbs < seen.skbs)
		flow_count_add(before, own);
	else
		*before = not_seen(own, &seen, omits_header);
}

static void interface_add(struct interface_row *row, const struct flow_interface *i)
{
	tell_before(&row->before_attach_tx, &i->before_attach_tx, &row->counted_tx,
		    &row->duplicate_tx, row->omits_header_tx, row->removed);
	tell_before(&row->before_attach_rx, &i->before_attach_rx, &row->counted_rx,
		    &row->duplicate_rx, row->omits_header_rx, row->removed);
	row->removed = i->removed;
	row->omits_header_tx = i->omits_header_tx;
	row->omits_header_rx = i->omits_header_rx;
	flow_count_add(&row->counted_tx, &i->counted_tx);
	flow_count_add(&row->counted_rx, &i->counted_rx);
	flow_count_add(&row->duplicate_tx, &i->duplicate_tx);
	flow_count_add(&row->duplicate_rx, &i->duplicate_rx);
}

static int add_interface(struct table *t, const struct flow_interface *i, bool other)
{
	struct interface_key key = { .netns = i->netns, .ifindex = i->ifindex, .role = i->role };
	struct interface_row *row;

	memcpy(key.name, i->name, strnlen(i->name, sizeof(key.name) - 1));
	if (!has_room(t->interfaces, TABLE_INTERFACES_MAX, &key)) {
		if (!other)
			return -ENOSPC;
		key = (struct interface_key){ .role = i->role };
	}
	row = hashmap_put(t->interfaces, &key, NULL);
	if (!row)
		return -ENOMEM;
	row->exact = i->exact && key.ifindex != 0;
	if (key.ifindex == 0)
		row->removed = true; /* one after the other: what each tells is added */
	interface_add(row, i);
	return 0;
}

int table_add(struct table *t, const struct record *record)
{
	switch (record->kind) {
	case RECORD_FLOW:
		return record->flow.other ? add_other_flow(t, &record->flow)
					  : add_flow(t, &record->flow);
	case RECORD_UNTRACKED:
		return add_untracked(t, &record->untracked, false);
	case RECORD_INTERFACE:
		return add_interface(t, &record->interface, false);
	default:
		return -EINVAL;
	}
}

int table_add_other(struct table *t, const struct record *record)
{
	switch (record->kind) {
	case RECORD_FLOW:
		return add_other_flow(t, &record->flow);
	case RECORD_UNTRACKED:
		return add_untracked(t, &record->untracked, true);
	case RECORD_INTERFACE:
		return add_interface(t, &record->interface, true);
	default:
		return -EINVAL;
	}
}
