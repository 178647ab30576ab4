/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a segment that may be anything. A dictionary cannot have more entries than there are bytes
 * left, so what is allocated is bounded by a small multiple of the segment's size.
 */
#include "store/segment.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "store/dictionary.h"
#include "store/table.h"

struct decoder {
	struct byte_reader in;
	struct dictionary names;
	uint64_t *namespaces;
	struct ip_address *addresses;
	size_t n_namespaces, n_addresses;
	struct record record;
	void (*fn)(void *userdata, const struct record *record);
	void *userdata;
};

static void decode_address(struct byte_reader *in, struct ip_address *ret)
{
	size_t size = read_byte(in);
	const void *bytes;

	if (size != 4 && size != 16)
		in->failed = true;
	bytes = in->failed ? NULL : read_bytes(in, size);
	if (!bytes)
		return;
	memset(ret->bytes + 10, 0xff, 2); /* ::ffff:a.b.c.d; overwritten by all 16 */
	memcpy(ret->bytes + sizeof(ret->bytes) - size, bytes, size);
}

static int decode_dictionaries(struct decoder *d)
{
	int r;

	r = read_strings(&d->in, &d->names);
	if (r < 0)
		return r;
	d->namespaces = read_array(&d->in, sizeof(*d->namespaces), 1, SIZE_MAX, &d->n_namespaces);
	if (!d->namespaces)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_namespaces && !d->in.failed; i++)
		d->namespaces[i] = read_number(&d->in);
	d->addresses = read_array(&d->in, sizeof(*d->addresses), 5, SIZE_MAX, &d->n_addresses);
	if (!d->addresses)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_addresses && !d->in.failed; i++)
		decode_address(&d->in, &d->addresses[i]);
	return read_actors(&d->in, &d->names);
}

static void decode_count(struct byte_reader *in, struct flow_count *ret)
{
	ret->skbs = read_number(in);
	ret->packets = ret->skbs + (uint64_t)read_signed(in);
	ret->bytes = read_number(in);
	ret->bytes_wire = ret->bytes + (uint64_t)read_signed(in);
}

static uint16_t decode_port(struct byte_reader *in)
{
	uint16_t high = read_byte(in);

	return (uint16_t)(high << 8 | read_byte(in));
}

static void decode_end(struct decoder *d, size_t address, uint16_t port, size_t actor,
		       bool external, struct endpoint *ret)
{
	ret->address = d->addresses[address];
	ret->port = port;
	ret->process = d->names.actors[actor].process;
	ret->workload = d->names.actors[actor].workload;
	ret->external = external;
}

/* Without ends (an "other" row) both are number 0 of each dictionary: nobody at ::. */
static void decode_ends(struct decoder *d, struct flow *f)
{
	size_t local, peer, local_actor, peer_actor;
	uint16_t local_port, peer_port;
	uint8_t external;

	local = read_index(&d->in, d->n_addresses);
	peer = read_index(&d->in, d->n_addresses);
	local_port = decode_port(&d->in);
	peer_port = decode_port(&d->in);
	local_actor = read_index(&d->in, d->names.n_actors);
	peer_actor = read_index(&d->in, d->names.n_actors);
	f->side = read_choice(&d->in, FLOW_SIDE_MAX_);
	f->unowned = read_choice(&d->in, FLOW_UNOWNED_MAX_);
	external = read_choice(&d->in, 4);
	if (d->in.failed)
		return;
	decode_end(d, local, local_port, local_actor, external & ROW_LOCAL_EXTERNAL, &f->local);
	decode_end(d, peer, peer_port, peer_actor, external & ROW_PEER_EXTERNAL, &f->peer);
}

static void no_ends(struct flow *f)
{
	f->side = FLOW_SIDE_UNKNOWN;
	f->unowned = FLOW_OWNED;
	f->local = f->peer =
		(struct endpoint){ .workload = { .id = "", .name = "", .namespace_ = "" } };
}

static void decode_tcp(struct byte_reader *in, struct flow_tcp *ret)
{
	ret->rtt_us = (uint32_t)read_number_max(in, UINT32_MAX);
	ret->retransmits = (uint32_t)read_number_max(in, UINT32_MAX);
	ret->resets = (uint16_t)read_number_max(in, UINT16_MAX);
	ret->flags = read_byte(in);
	ret->state = read_choice(in, TCP_STATE_MAX_);
}

static void decode_drops(struct decoder *d, struct flow *f)
{
	f->n_drops = (unsigned)read_number_max(&d->in, FLOW_DROPS_MAX);
	for (unsigned i = 0; i < f->n_drops; i++) {
		strncpy(f->drops[i].reason, read_string_number(&d->in, &d->names),
			FLOW_DROP_REASON_LEN - 1);
		f->drops[i].reason[FLOW_DROP_REASON_LEN - 1] = '\0';
		f->drops[i].count = read_number(&d->in);
	}
}

static void decode_flow(struct decoder *d)
{
	struct flow *f = &d->record.flow;
	uint8_t flags;
	size_t netns;

	f->protocol = read_byte(&d->in);
	flags = read_choice(&d->in, ROW_OTHER << 1);
	netns = read_index(&d->in, d->n_namespaces);
	if ((flags & ROW_ROLE) >= FLOW_ROLE_MAX_)
		d->in.failed = true;
	if (d->in.failed)
		return;
	f->netns = d->namespaces[netns];
	f->role = flags & ROW_ROLE;
	f->fragment = flags & ROW_FRAGMENT;
	f->inner = flags & ROW_INNER;
	f->other = flags & ROW_OTHER;
	if (f->other)
		no_ends(f);
	else
		decode_ends(d, f);
	decode_count(&d->in, &f->tx);
	decode_count(&d->in, &f->rx);
	f->tcp = (struct flow_tcp){};
	if (f->protocol == IPPROTO_TCP)
		decode_tcp(&d->in, &f->tcp);
	decode_drops(d, f);
}

static void decode_untracked(struct decoder *d)
{
	struct flow_untracked *u = &d->record.untracked;

	u->netns = read_number(&d->in);
	u->role = read_choice(&d->in, FLOW_ROLE_MAX_);
	u->reason = read_choice(&d->in, UNTRACKED_REASON_MAX_);
	decode_count(&d->in, &u->tx);
	decode_count(&d->in, &u->rx);
}

static void decode_interface(struct decoder *d)
{
	struct flow_interface *i = &d->record.interface;
	uint8_t flags;

	i->netns = read_number(&d->in);
	i->ifindex = (uint32_t)read_number_max(&d->in, UINT32_MAX);
	strcpy(i->name, read_string(&d->in, INTERFACE_NAME_LEN - 1));
	i->role = read_choice(&d->in, FLOW_ROLE_MAX_);
	flags = read_choice(&d->in, 16);
	i->removed = flags & 1;
	i->exact = flags & 2;
	i->omits_header_tx = flags & 4;
	i->omits_header_rx = flags & 8;
	decode_count(&d->in, &i->counted_tx);
	decode_count(&d->in, &i->counted_rx);
	decode_count(&d->in, &i->duplicate_tx);
	decode_count(&d->in, &i->duplicate_rx);
	decode_count(&d->in, &i->before_attach_tx);
	decode_count(&d->in, &i->before_attach_rx);
}

static void decode_records(struct decoder *d, enum record_kind kind, void (*one)(struct decoder *d))
{
	uint64_t n = read_number(&d->in);

	d->record.kind = kind;
	for (uint64_t i = 0; i < n && !d->in.failed; i++) {
		one(d);
		if (!d->in.failed)
			d->fn(d->userdata, &d->record);
	}
}

static int decode(struct decoder *d)
{
	int r;

	if (read_number(&d->in) != SEGMENT_VERSION)
		return -EBADMSG;
	r = decode_dictionaries(d);
	if (r < 0)
		return r;
	decode_records(d, RECORD_FLOW, decode_flow);
	decode_records(d, RECORD_UNTRACKED, decode_untracked);
	decode_records(d, RECORD_INTERFACE, decode_interface);
	return d->in.failed || bytes_left(&d->in) > 0 ? -EBADMSG : 0;
}

int segment_decode(const void *data, size_t size,
		   void (*fn)(void *userdata, const struct record *record), void *userdata)
{
	const unsigned char *bytes = data;
	struct decoder d = {
		.in = { .p = bytes, .end = bytes + size },
		.fn = fn,
		.userdata = userdata,
	};
	int r;

	r = decode(&d);
	dictionary_done(&d.names);
	free(d.namespaces);
	free(d.addresses);
	return r;
}
