/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Out of a table: records, the order by size, and thinning.
 */
#include "store/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

static void endpoint_fill(const struct table *t, uint32_t address, uint16_t port, uint32_t number,
			  bool external, struct endpoint *ret)
{
	ret->address = *(const struct ip_address *)pool_get(t->addresses, address);
	ret->port = port;
	ret->external = external;
	actors_fill(&t->who, number, &ret->process, &ret->workload);
}

static unsigned drops_fill(const struct table *t, const struct row *row, struct flow_drops *ret)
{
	unsigned n = 0;

	for (uint32_t i = row->drops; i; i = t->drops[i - 1].next, n++) {
		ret[n].count = t->drops[i - 1].count;
		strncpy(ret[n].reason, string_pool_get(t->who.strings, t->drops[i - 1].reason),
			sizeof(ret[n].reason) - 1);
		ret[n].reason[sizeof(ret[n].reason) - 1] = '\0';
	}
	return n;
}

void table_flow_record(const struct table *t, const struct row_key *key, const struct row *row,
		       struct record *ret)
{
	struct flow *f = &ret->flow;

	ret->kind = RECORD_FLOW;
	f->netns = *(const uint64_t *)pool_get(t->namespaces, key->netns);
	f->role = key->role_flags & ROW_ROLE;
	f->protocol = key->protocol;
	f->fragment = key->role_flags & ROW_FRAGMENT;
	f->inner = key->role_flags & ROW_INNER;
	f->other = key->role_flags & ROW_OTHER;
	f->side = row->side;
	f->unowned = row->unowned;
	f->tx = row->tx;
	f->rx = row->rx;
	f->tcp = row->tcp;
	f->n_drops = drops_fill(t, row, f->drops);
	endpoint_fill(t, key->local_address, key->local_port, key->local_actor,
		      row->external & ROW_LOCAL_EXTERNAL, &f->local);
	endpoint_fill(t, key->peer_address, key->peer_port, key->peer_actor,
		      row->external & ROW_PEER_EXTERNAL, &f->peer);
}

static void untracked_record(const struct untracked_key *key, const struct untracked_row *row,
			     struct record *ret)
{
	*ret = (struct record){
		.kind = RECORD_UNTRACKED,
		.untracked = {
			.netns = key->netns,
			.role = key->role,
			.reason = key->reason,
			.tx = row->tx,
			.rx = row->rx,
		},
	};
}

static void interface_record(const struct interface_key *key, const struct interface_row *row,
			     struct record *ret)
{
	*ret = (struct record){
		.kind = RECORD_INTERFACE,
		.interface = {
			.netns = key->netns,
			.ifindex = key->ifindex,
			.role = key->role,
			.removed = row->removed,
			.exact = row->exact,
			.omits_header_tx = row->omits_header_tx,
			.omits_header_rx = row->omits_header_rx,
			.counted_tx = row->counted_tx,
			.counted_rx = row->counted_rx,
			.duplicate_tx = row->duplicate_tx,
			.duplicate_rx = row->duplicate_rx,
			.before_attach_tx = row->before_attach_tx,
			.before_attach_rx = row->before_attach_rx,
		},
	};
	memcpy(ret->interface.name, key->name, INTERFACE_NAME_LEN);
}

bool table_next_sum(const struct table *t, struct sum_position *pos, struct record *ret)
{
	const void *key;
	const void *row;

	row = hashmap_next(t->untracked, &pos->untracked, &key);
	if (row) {
		untracked_record(key, row, ret);
		return true;
	}
	row = hashmap_next(t->interfaces, &pos->interfaces, &key);
	if (row)
		interface_record(key, row, ret);
	return row;
}

void table_each(const struct table *t, void (*fn)(void *userdata, const struct record *record),
		void *userdata)
{
	struct sum_position position = {};
	const struct row_key *key;
	const uint32_t *number;
	struct record record;

	HASHMAP_FOREACH(t->flows, pos, key, number) {
		table_flow_record(t, key, table_row(t, *number), &record);
		fn(userdata, &record);
	}
	while (table_next_sum(t, &position, &record))
		fn(userdata, &record);
}

struct ranked_row *table_ranking(const struct table *t)
{
	size_t n = 0;
	struct ranked_row *ranking;
	const struct row_key *key;
	const uint32_t *number;
	const struct row *row;

	ranking = calloc(table_flows(t) + 1, sizeof(*ranking));
	if (!ranking)
		return NULL;
	HASHMAP_FOREACH(t->flows, pos, key, number) {
		row = table_row(t, *number);
		ranking[n++] = (struct ranked_row){
			.key = key,
			.row = row,
			.weight = row->tx.bytes + row->rx.bytes,
		};
	}
	ranking_make(ranking, n);
	return ranking;
}

/* Copies what is kept: so the pools forget what no row needs any more. */
static int copy_thinned(const struct table *t, struct ranked_row *ranking, size_t keep,
			struct table *to)
{
	struct sum_position position = {};
	const struct ranked_row *ranked;
	struct record record;
	size_t kept = 0;
	int r = 0;

	for (size_t n = table_flows(t); n > 0 && r >= 0; n--) {
		ranked = ranking_next(ranking, n);
		table_flow_record(t, ranked->key, ranked->row, &record);
		if (record.flow.other || kept++ < keep)
			r = table_add(to, &record);
		else
			r = table_add_other(to, &record);
	}
	while (r >= 0 && table_next_sum(t, &position, &record))
		r = table_add_other(to, &record);
	return r;
}

int table_thin(struct table **table, size_t keep)
{
	_cleanup_(table_free_p) struct table *to = NULL;
	_cleanup_free_ struct ranked_row *ranking = NULL;
	int r;

	ranking = table_ranking(*table);
	if (!ranking)
		return -ENOMEM;
	r = table_new((*table)->max_rows, &to);
	if (r < 0)
		return r;
	r = copy_thinned(*table, ranking, keep, to);
	if (r < 0)
		return r;
	table_free(*table);
	*table = TAKE(to);
	return 0;
}
