/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loopback and link-local addresses mean something within their namespace only, so it belongs to
 * their key. Other addresses are looked for from everywhere (a pod is asked for in the host's
 * namespace); where two namespaces use the same one, nobody is named rather than the wrong one.
 */
#include "enrich/peers.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/hashmap.h"

struct peers {
	struct hashmap *map; /* struct key -> struct owner */
	uint64_t full;
};

struct key { /* no padding */
	struct ip_address address;
	uint32_t netns; /* 0: any; the kernel's ns_common.inum has 32 bits */
	uint16_t port;
	uint16_t protocol;
};

struct owner {
	uint64_t cgroup_id, start_ns, seen_ns;
	uint64_t changed_ns; /* when another process had it; 0 = never */
	uint32_t netns;
	pid_t pid;
	bool ambiguous;
};

int peers_new(struct peers **ret)
{
	_cleanup_free_ struct peers *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	r = hashmap_new(sizeof(struct key), sizeof(struct owner), PEERS_DEFAULT, &s->map);
	if (r < 0)
		return r;
	*ret = TAKE(s);
	return 0;
}

struct peers *peers_free(struct peers *s)
{
	if (s)
		hashmap_free(s->map);
	free(s);
	return NULL;
}

static struct key key_of(uint64_t netns, uint8_t protocol, const struct endpoint *end)
{
	bool local = ip_is_loopback(&end->address) || ip_is_link_local(&end->address);

	return (struct key){
		.address = end->address,
		.netns = local ? (uint32_t)netns : 0,
		.port = end->port,
		.protocol = protocol,
	};
}

static bool is_owner(const struct owner *owner, const struct process_ref *process)
{
	return owner->pid == process->pid && owner->cgroup_id == process->cgroup_id;
}

void peers_learn(struct peers *s, uint64_t netns, uint8_t protocol, const struct endpoint *end,
		 uint64_t now_ns)
{
	struct key key = key_of(netns, protocol, end);
	struct owner *owner;
	bool new = false;

	owner = hashmap_put(s->map, &key, &new);
	if (!owner) {
		s->full++;
		return;
	}
	/* Within a namespace the newest has the port; two namespaces can both have it. */
	if (!new && owner->netns != (uint32_t)netns && !is_owner(owner, &end->process))
		owner->ambiguous = true;
	if (!new && owner->pid != end->process.pid)
		owner->changed_ns = now_ns;
	owner->netns = (uint32_t)netns;
	owner->pid = end->process.pid;
	owner->cgroup_id = end->process.cgroup_id;
	owner->start_ns = end->process.start_ns;
	owner->seen_ns = now_ns;
}

/* Several processes take turns (a preforked server): the next one is anybody's guess. */
static bool is_shared(const struct owner *owner)
{
	return owner->changed_ns && owner->seen_ns - owner->changed_ns < PEERS_AGE_NS;
}

bool peers_find(const struct peers *s, uint64_t netns, uint8_t protocol, const struct endpoint *end,
		struct process_ref *ret)
{
	struct key key = key_of(netns, protocol, end);
	const struct owner *owner = hashmap_get(s->map, &key);

	if (!owner || owner->ambiguous)
		return false;
	*ret = (struct process_ref){ .cgroup_id = owner->cgroup_id };
	if (!is_shared(owner)) {
		ret->pid = owner->pid;
		ret->start_ns = owner->start_ns;
	}
	return ret->pid || ret->cgroup_id;
}

void peers_expire(struct peers *s, uint64_t now_ns)
{
	const struct key *key;
	struct owner *owner;

	HASHMAP_FOREACH(s->map, pos, key, owner)
		if (owner->seen_ns + PEERS_AGE_NS <= now_ns)
			hashmap_remove_at(s->map, &pos);
	if (hashmap_size(s->map) == 0)
		hashmap_clear(s->map);
}

void peers_set_limit(struct peers *s, size_t limit)
{
	hashmap_set_limit(s->map, limit);
}

size_t peers_bytes(const struct peers *s)
{
	return sizeof(*s) + hashmap_bytes(s->map);
}

uint64_t peers_full(const struct peers *s)
{
	return s->full;
}
