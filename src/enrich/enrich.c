/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Everything is a lookup in a hash table: about 0.2 µs per flow. A peer that had no flow of
 * its own yet has no name in this record; it has one in the next step.
 */
#include "enrich/enrich.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "enrich/peers.h"
#include "host/inventory.h"

struct enrich {
	struct inventory *inventory;
	struct peers *peers;
	uint64_t now_ns; /* of the last step: the age of what is learnt */
	size_t n_ranges;
	struct ip_prefix ranges[];
};

DEFINE_CLEANUP(struct enrich *, enrich_free)

int enrich_new(struct inventory *inventory, const struct ip_prefix *private_ranges, size_t n,
	       struct enrich **ret)
{
	_cleanup_(enrich_free_p) struct enrich *enrich =
		calloc(1, sizeof(*enrich) + n * sizeof(*private_ranges));
	int r;

	if (!enrich)
		return -ENOMEM;
	enrich->inventory = inventory;
	enrich->now_ns = now_ns(CLOCK_BOOTTIME);
	enrich->n_ranges = n;
	if (n > 0)
		memcpy(enrich->ranges, private_ranges, n * sizeof(*private_ranges));
	r = peers_new(&enrich->peers);
	if (r < 0)
		return r;
	*ret = TAKE(enrich);
	return 0;
}

struct enrich *enrich_free(struct enrich *enrich)
{
	if (enrich)
		peers_free(enrich->peers);
	free(enrich);
	return NULL;
}

static bool is_external(const struct enrich *enrich, const struct ip_address *a)
{
	if (enrich->n_ranges == 0)
		return !ip_is_private(a);
	for (size_t i = 0; i < enrich->n_ranges; i++)
		if (ip_prefix_contains(&enrich->ranges[i], a))
			return false;
	return !ip_is_loopback(a) && !ip_is_link_local(a) && !ip_is_multicast(a);
}

/* Who the socket hooks found. False: nobody. */
static bool name_by_process(struct enrich *enrich, struct endpoint *end)
{
	if (end->process.pid == 0 && end->process.cgroup_id == 0)
		return false;
	inventory_workload(enrich->inventory, &end->process, &end->workload);
	return true;
}

/* What a process did by itself. */
static void name_process(struct enrich *enrich, struct process_ref *process,
			 struct workload *workload)
{
	*workload = (struct workload){ WORKLOAD_NONE, "", "", "" };
	if (process->pid != 0 || process->cgroup_id != 0)
		inventory_workload(enrich->inventory, process, workload);
}

/* Who had a flow with this end as his own. */
static bool name_by_address(struct enrich *enrich, const struct flow *flow, struct endpoint *end)
{
	struct process_ref process;

	if (!peers_find(enrich->peers, flow->netns, flow->protocol, end, &process))
		return false;
	end->process = process;
	return name_by_process(enrich, end);
}

/* Ends that live on this host, but in a namespace from where their owner was not seen. */
static bool is_elsewhere(const struct flow *flow)
{
	return flow->unowned == FLOW_UNOWNED_FORWARDED ||
	       flow->unowned == FLOW_UNOWNED_OTHER_NAMESPACE;
}

static void enrich_flow(struct enrich *enrich, struct flow *flow)
{
	struct endpoint *local = &flow->local, *peer = &flow->peer;
	bool here;

	local->workload = peer->workload = (struct workload){ WORKLOAD_NONE, "", "", "" };
	if (name_by_process(enrich, local)) {
		here = true;
		peers_learn(enrich->peers, flow->netns, flow->protocol, local, enrich->now_ns);
	} else {
		here = !is_elsewhere(flow) || name_by_address(enrich, flow, local);
	}
	/* An address of this host may be a public one; to talk to it costs nothing. */
	local->external = !here && is_external(enrich, &local->address);
	here = name_by_process(enrich, peer) || name_by_address(enrich, flow, peer);
	peer->external = !here && is_external(enrich, &peer->address);
}

void enrich_record(struct enrich *enrich, struct record *record)
{
	struct sample *sample = &record->sample;
	struct sample_loss *loss = &record->loss;

	if (record->kind == RECORD_FLOW && !record->flow.other)
		enrich_flow(enrich, &record->flow);
	else if (record->kind == RECORD_SAMPLE)
		name_process(enrich, &sample->process, &sample->workload);
	else if (record->kind == RECORD_SAMPLE_LOSS)
		name_process(enrich, &loss->process, &loss->workload);
}

void enrich_expire(struct enrich *enrich, uint64_t now)
{
	enrich->now_ns = now;
	peers_expire(enrich->peers, now);
}

void enrich_set_budget(struct enrich *enrich, uint64_t bytes)
{
	peers_set_limit(enrich->peers, bytes / PEERS_BYTES_PER_ADDRESS);
}

size_t enrich_bytes(const struct enrich *enrich)
{
	return sizeof(*enrich) + enrich->n_ranges * sizeof(enrich->ranges[0]) +
	       peers_bytes(enrich->peers);
}

void enrich_losses(const struct enrich *enrich, void (*fn)(void *userdata, const struct loss *loss),
		   void *userdata)
{
	fn(userdata, &(struct loss){ "enrich.peers_full", peers_full(enrich->peers) });
}
