/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A table by flow key; see the header. */
#include "collect/flows/connections.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/hashmap.h"
#include "base/util.h"

#define IDLE_NS (60 * NSEC_PER_SEC)
#define IDLE_OPEN_NS (600 * NSEC_PER_SEC)
/* The last two SYNs of a connect() are 64 s apart (tcp(7): tcp_syn_retries 6). */
#define IDLE_CONNECTING_NS (70 * NSEC_PER_SEC)

#define FLAG_FIN 0x01
#define FLAG_SYN 0x02
#define FLAG_RST 0x04

struct connections {
	struct hashmap *map;
	struct connection alone; /* answer when the map has no room */
	uint64_t lost;
};

int connections_new(size_t limit, struct connections **ret)
{
	struct connections *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	r = hashmap_new(sizeof(struct wire_flow_key), sizeof(struct connection), limit, &c->map);
	if (r < 0) {
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

struct connections *connections_free(struct connections *c)
{
	if (c) {
		hashmap_free(c->map);
		free(c);
	}
	return NULL;
}

enum tcp_state connection_tcp_state(const struct connection *c)
{
	uint8_t client = c->tcp_flags[c->first_sender & 1], server = c->tcp_flags[!c->first_sender];
	uint8_t both = client | server;

	if (both & FLAG_RST)
		return client & FLAG_SYN && !(server & FLAG_SYN) && server & FLAG_RST
			       ? TCP_STATE_REFUSED
			       : TCP_STATE_RESET;
	if (client & FLAG_FIN && server & FLAG_FIN)
		return TCP_STATE_CLOSED;
	if (both & FLAG_FIN)
		return TCP_STATE_CLOSING;
	if (client & FLAG_SYN && !server)
		return TCP_STATE_CONNECTING;
	return both ? TCP_STATE_ESTABLISHED : TCP_STATE_UNKNOWN;
}

static bool is_over(const struct connection *c)
{
	enum tcp_state state = connection_tcp_state(c);

	return state == TCP_STATE_CLOSED || state == TCP_STATE_RESET || state == TCP_STATE_REFUSED;
}

/* The same ports again, for a new connection. */
static bool is_reopened(const struct connection *c, const struct wire_flow *flow)
{
	return is_over(c) && (flow->traffic.tcp_flags[0] | flow->traffic.tcp_flags[1]) & FLAG_SYN;
}

static void merge_owner(struct wire_owner *known, const struct wire_owner *seen)
{
	uint8_t side = known->side;

	if (seen->kind < known->kind)
		return;
	*known = *seen;
	if (known->side == WIRE_SIDE_UNKNOWN)
		known->side = side;
}

struct connection *connections_update(struct connections *connections,
				      const struct wire_flow_key *key, const struct wire_flow *flow,
				      uint64_t now)
{
	static struct connection without; /* no table at all: loop thread only */
	struct connection *c = NULL;
	bool is_new = true;

	if (connections) {
		c = hashmap_put(connections->map, key, &is_new);
		if (!c) {
			connections->lost++;
			c = &connections->alone;
			is_new = true;
		}
	} else {
		c = &without;
	}
	if (is_new || is_reopened(c, flow)) {
		*c = (struct connection){ .first_sender = flow->traffic.first_sender };
	}
	for (int end = 0; end < 2; end++) {
		merge_owner(&c->end[end], &flow->end[end]);
		c->tcp_flags[end] |= flow->traffic.tcp_flags[end];
	}
	c->last_ns = now;
	return c;
}

static uint64_t idle_limit(const struct wire_flow_key *key, const struct connection *c)
{
	if (key->protocol != IPPROTO_TCP || is_over(c))
		return IDLE_NS;
	return connection_tcp_state(c) == TCP_STATE_CONNECTING ? IDLE_CONNECTING_NS : IDLE_OPEN_NS;
}

void connections_expire(struct connections *connections, uint64_t now,
			void (*failed)(void *userdata, const struct wire_flow_key *key,
				       struct connection *c),
			void *userdata)
{
	const struct wire_flow_key *key;
	struct connection *c;

	HASHMAP_FOREACH(connections->map, pos, key, c) {
		if (now - c->last_ns <= idle_limit(key, c))
			continue;
		if (key->protocol == IPPROTO_TCP && connection_tcp_state(c) == TCP_STATE_CONNECTING)
			failed(userdata, key, c);
		hashmap_remove_at(connections->map, &pos);
	}
	if (hashmap_size(connections->map) == 0)
		hashmap_clear(connections->map);
}

void connections_set_limit(struct connections *connections, size_t limit)
{
	hashmap_set_limit(connections->map, limit);
}

size_t connections_bytes(const struct connections *connections)
{
	return hashmap_bytes(connections->map);
}

uint64_t connections_lost(const struct connections *connections)
{
	return connections->lost;
}

void connections_count(const struct connections *connections, uint64_t ret[static TCP_STATE_MAX_])
{
	const struct wire_flow_key *key;
	const struct connection *c;

	memset(ret, 0, TCP_STATE_MAX_ * sizeof(*ret));
	HASHMAP_FOREACH(connections->map, pos, key, c)
		ret[key->protocol == IPPROTO_TCP ? connection_tcp_state(c) : TCP_STATE_UNKNOWN]++;
}
