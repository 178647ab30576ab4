/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table's pools become the segment's dictionaries as they are, so encoding is one walk without
 * any lookup.
 */
#include "store/segment.h"

#include <netinet/in.h>

#include "store/dictionary.h"
#include "store/table.h"

static void encode_address(struct byte_writer *w, const struct ip_address *a)
{
	size_t size = ip_is_v4(a) ? 4 : 16;

	write_byte(w, (uint8_t)size);
	write_bytes(w, a->bytes + sizeof(a->bytes) - size, size);
}

static void encode_dictionaries(struct byte_writer *w, const struct table *t)
{
	size_t n = pool_size(t->namespaces);

	write_strings(w, t->who.strings);
	write_number(w, n);
	for (uint32_t i = 0; i < n; i++)
		write_number(w, *(const uint64_t *)pool_get(t->namespaces, i));
	n = pool_size(t->addresses);
	write_number(w, n);
	for (uint32_t i = 0; i < n; i++)
		encode_address(w, pool_get(t->addresses, i));
	write_actors(w, &t->who);
}

static void encode_count(struct byte_writer *w, const struct flow_count *c)
{
	write_number(w, c->skbs);
	write_signed(w, (int64_t)(c->packets - c->skbs));
	write_number(w, c->bytes);
	write_signed(w, (int64_t)(c->bytes_wire - c->bytes));
}

/* Ports are random more often than not: two bytes each, not a varint. */
static void encode_port(struct byte_writer *w, uint16_t port)
{
	write_byte(w, (uint8_t)(port >> 8));
	write_byte(w, (uint8_t)port);
}

static void encode_ends(struct byte_writer *w, const struct row_key *key, const struct row *row)
{
	write_number(w, key->local_address);
	write_number(w, key->peer_address);
	encode_port(w, key->local_port);
	encode_port(w, key->peer_port);
	write_number(w, key->local_actor);
	write_number(w, key->peer_actor);
	write_byte(w, row->side);
	write_byte(w, row->unowned);
	write_byte(w, row->external);
}

static void encode_tcp(struct byte_writer *w, const struct flow_tcp *tcp)
{
	write_number(w, tcp->rtt_us);
	write_number(w, tcp->retransmits);
	write_number(w, tcp->resets);
	write_byte(w, tcp->flags);
	write_byte(w, tcp->state);
}

static void encode_drops(struct byte_writer *w, const struct table *t, const struct row *row)
{
	unsigned n = 0;

	for (uint32_t i = row->drops; i; i = t->drops[i - 1].next)
		n++;
	write_number(w, n);
	for (uint32_t i = row->drops; i; i = t->drops[i - 1].next) {
		write_number(w, t->drops[i - 1].reason);
		write_number(w, t->drops[i - 1].count);
	}
}

static void encode_flow(struct byte_writer *w, const struct table *t, const struct row_key *key,
			const struct row *row)
{
	write_byte(w, key->protocol);
	write_byte(w, key->role_flags);
	write_number(w, key->netns);
	if (!(key->role_flags & ROW_OTHER))
		encode_ends(w, key, row);
	encode_count(w, &row->tx);
	encode_count(w, &row->rx);
	if (key->protocol == IPPROTO_TCP)
		encode_tcp(w, &row->tcp);
	encode_drops(w, t, row);
}

static void encode_flows(struct byte_writer *w, const struct table *t)
{
	const struct row_key *key;
	const uint32_t *number;

	write_number(w, table_flows(t));
	HASHMAP_FOREACH(t->flows, pos, key, number)
		encode_flow(w, t, key, table_row(t, *number));
}

static void encode_untracked(struct byte_writer *w, const struct table *t)
{
	const struct untracked_key *key;
	const struct untracked_row *row;

	write_number(w, hashmap_size(t->untracked));
	HASHMAP_FOREACH(t->untracked, pos, key, row) {
		write_number(w, key->netns);
		write_byte(w, (uint8_t)key->role);
		write_byte(w, (uint8_t)key->reason);
		encode_count(w, &row->tx);
		encode_count(w, &row->rx);
	}
}

static void encode_interfaces(struct byte_writer *w, const struct table *t)
{
	const struct interface_key *key;
	const struct interface_row *row;

	write_number(w, hashmap_size(t->interfaces));
	HASHMAP_FOREACH(t->interfaces, pos, key, row) {
		write_number(w, key->netns);
		write_number(w, key->ifindex);
		write_string(w, key->name);
		write_byte(w, (uint8_t)key->role);
		write_byte(w, (uint8_t)(row->removed | row->exact << 1 | row->omits_header_tx << 2 |
					row->omits_header_rx << 3));
		encode_count(w, &row->counted_tx);
		encode_count(w, &row->counted_rx);
		encode_count(w, &row->duplicate_tx);
		encode_count(w, &row->duplicate_rx);
		encode_count(w, &row->before_attach_tx);
		encode_count(w, &row->before_attach_rx);
	}
}

int segment_encode(const struct table *t, void **ret_data, size_t *ret_size)
{
	struct byte_writer w = {};

	write_number(&w, SEGMENT_VERSION);
	encode_dictionaries(&w, t);
	encode_flows(&w, t);
	encode_untracked(&w, t);
	encode_interfaces(&w, t);
	return byte_writer_end(&w, SEGMENT_BYTES_MAX, ret_data, ret_size);
}
