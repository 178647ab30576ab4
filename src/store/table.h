/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A table adds records up by key. It is the running step, the minute that steps are joined to, and
 * the answer to a query: all three add records up and differ in what they do when it is full.
 *
 * 10,000 flows cost about 150 bytes each: a row is 24 bytes of key and 88 of counts, and what rows
 * share (addresses, processes, workloads, names) is numbered in pools. Private to the store.
 */
#pragma once

#include "base/cleanup.h"
#include "base/hashmap.h"
#include "base/pool.h"
#include "model/record.h"
#include "store/actors.h"
#include "store/ranking.h"

#define TABLE_ROWS_DEFAULT 100000 /* flows; flows.max_flows has the same default */
#define TABLE_OTHERS_MAX 4096 /* "other" rows: (netns, role, protocol) */
#define TABLE_UNTRACKED_MAX 4096
#define TABLE_INTERFACES_MAX 16384
#define TABLE_NAMESPACES_MAX UINT16_MAX

/* What a row takes at the most, if its flow has an address of its own and there are many: 88 to 103
 * for the counts, 85 in a hash table that is three eighths full, 24 and 11 for the address. */
#define TABLE_BYTES_PER_ROW 224

/* A flow's key. Numbers are those of the table's pools. */
struct row_key {
	uint32_t local_address, peer_address;
	uint32_t local_actor, peer_actor;
	uint16_t local_port, peer_port;
	uint16_t netns;
	uint8_t protocol;
	uint8_t role_flags;
};
_Static_assert(sizeof(struct row_key) == 24, "row_key is compared as bytes");

#define ROW_ROLE 0x07 /* enum flow_role */
#define ROW_FRAGMENT 0x08
#define ROW_INNER 0x10
#define ROW_OTHER 0x20 /* the ends are meaningless, and 0 */
_Static_assert(FLOW_ROLE_MAX_ <= ROW_ROLE + 1, "a role has 3 bits");

#define ROW_LOCAL_EXTERNAL 0x01
#define ROW_PEER_EXTERNAL 0x02

struct row {
	struct flow_count tx, rx;
	struct flow_tcp tcp;
	uint8_t side, unowned;
	uint8_t external; /* ROW_*_EXTERNAL */
	uint32_t drops; /* the first of its drops: index + 1; 0 = none */
};

/* Few rows have drops: they are chained in an array of their own. */
struct row_drop {
	uint64_t count;
	uint32_t reason; /* string */
	uint32_t next; /* index + 1; 0 = the last */
};

struct untracked_key {
	uint64_t netns;
	uint32_t role, reason;
};

struct untracked_row {
	struct flow_count tx, rx;
};

struct interface_key {
	uint64_t netns;
	uint32_t ifindex; /* 0: the sum of those that had no room, per role */
	uint32_t role;
	char name[INTERFACE_NAME_LEN]; /* padded with zeros */
};

struct interface_row {
	struct flow_count counted_tx, counted_rx;
	struct flow_count duplicate_tx, duplicate_rx;
	struct flow_count before_attach_tx, before_attach_rx;
	bool removed, exact; /* as said last; whether it was exact is known once it is attached */
	bool omits_header_tx, omits_header_rx;
};

#define TABLE_CHUNK_ROWS 2048 /* 180 KB: malloc maps it, so all of it goes back when it is freed */

struct table {
	size_t max_rows; /* flows beside the "other" rows */
	size_t n_others;
	struct hashmap *flows; /* struct row_key -> uint32_t, the number of its row */
	struct row **chunks; /* row i is chunks[i / TABLE_CHUNK_ROWS][i % TABLE_CHUNK_ROWS] */
	size_t n_chunks;
	struct row_drop *drops;
	size_t n_drops, drops_room;
	struct pool *namespaces; /* uint64_t; number 0 is netns 0 */
	struct pool *addresses; /* struct ip_address; number 0 is :: */
	struct actors who;
	struct hashmap *untracked, *interfaces;
};

int table_new(size_t max_rows, struct table **ret);
struct table *table_free(struct table *table); /* takes NULL, returns NULL */
DEFINE_CLEANUP(struct table *, table_free)

size_t table_flows(const struct table *table); /* rows, "other" ones included */
size_t table_rows(const struct table *table); /* of all kinds */
size_t table_bytes(const struct table *table); /* of memory */
void table_set_max_rows(struct table *table, size_t max_rows); /* what is over it stays */

/* Adds a record. -ENOSPC: it is new and there is no room; -ENOMEM. Nothing was added then. */
int table_add(struct table *table, const struct record *record);
/* Adds a record to the "other" row of its netns, role and protocol. What has no "other" row of its
 * own any more goes to that of netns 0. -ENOSPC or -ENOMEM: not even that. */
int table_add_other(struct table *table, const struct record *record);

static inline struct row *table_row(const struct table *table, uint32_t number)
{
	return &table->chunks[number / TABLE_CHUNK_ROWS][number % TABLE_CHUNK_ROWS];
}

/* The record of a row; its strings are the table's. */
void table_flow_record(const struct table *table, const struct row_key *key, const struct row *row,
		       struct record *ret);
/* Calls fn for every record, in no order. */
void table_each(const struct table *table, void (*fn)(void *userdata, const struct record *record),
		void *userdata);
/* Goes through the records that are no flows, from a position that is all zero. False: the end. */
struct sum_position {
	size_t untracked, interfaces;
};
bool table_next_sum(const struct table *table, struct sum_position *position, struct record *ret);

/* The flows as a heap, for ranking_next(); "other" rows among them. NULL: no memory. */
struct ranked_row *table_ranking(const struct table *table);

/* Keeps the n flows that are largest by bytes, and adds the rest to the "other" rows. */
int table_thin(struct table **table, size_t n);
