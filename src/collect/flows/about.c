/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the flows collector says of itself: status, accounts, losses, metrics, memory. */
#include <inttypes.h>

#include "base/util.h"
#include "bpf/wire/flows.h"

#include "bpf/flows.skel.h"
#include "collect/flows/flows-internal.h"
#include "collect/shared/sockets.h"

void flows_status(const struct collector *c, struct part_status *ret)
{
	*ret = (struct part_status){ .name = "flows", .state = PART_ON };
	if (!c->skel) {
		part_degrade(ret, PART_OFF, "%s", c->off_reason);
		return;
	}
	interfaces_status(c->interfaces, ret);
	sockets_status(c->env.sockets, ret);
	if (c->drops)
		part_add_rung(ret, "tp_btf");
	else
		part_degrade(ret, PART_DEGRADED, "%s", c->drops_reason);
	if (c->cap_felt)
		part_degrade(
			ret, PART_DEGRADED,
			"memory.limit holds the flow table to %" PRIu64 " of max_flows' %" PRId64
			" flows per step, the rest is counted as untracked: raise memory.limit, or "
			"lower max_flows",
			c->cap, c->options->max_flows);
}

void flows_account(const struct collector *c, struct accounting *ret)
{
	*ret = c->account;
	ret->dropped = c->lost_table;
}

void flows_losses(const struct collector *c, void (*fn)(void *userdata, const struct loss *loss),
		  void *userdata)
{
	const struct drops_lost drops = c->drops ? drops_lost(c->drops) : (struct drops_lost){ 0 };
	const struct loss losses[] = {
		{ "flows.map_full", c->lost_table },
		{ "flows.drops_full", drops.full },
		{ "flows.drops_nested", drops.nested },
		{ "flows.drops_unreadable", drops.unreadable },
		{ "flows.no_memory", c->drain.failed },
		{ "flows.connections_full", c->connections ? connections_lost(c->connections) : 0 },
		{ "flows.interfaces_full", c->interfaces ? interfaces_lost(c->interfaces) : 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(losses); i++)
		fn(userdata, &losses[i]);
}

/* What the tables hold now: the epoch that runs, and the one that is being drained. */
static uint64_t in_kernel(const struct collector *c)
{
	const volatile struct wire_flows_settings *settings =
		(const volatile struct wire_flows_settings *)&c->skel->bss->settings;

	return c->draining ? settings->begun[0] + settings->begun[1]
			   : settings->begun[settings->epoch & 1];
}

uint64_t flows_bpf_bytes(const struct collector *c)
{
	const struct bpf_map *map;

	if (!c->skel)
		return 0;
	map = c->skel->maps.flows_even;
	return bpf_object_footprint(c->env.bpf, c->skel->obj) + slots_bpf_bytes(c->slots) +
	       (c->drops ? drops_bpf_bytes(c->drops) : 0) + bpf_map_footprint(map, in_kernel(c)) -
	       bpf_map_footprint(map, 0);
}

void flows_metrics(const struct collector *c, struct metric_sink *sink)
{
	static const char *const collector[] = { "flows" };
	static const char *const map[] = { "flows" };
	static const char *const error[] = { "flows_drain" };
	const struct metric_histogram duration = {
		.counts = c->duration_counts,
		.sum = c->duration_sum,
		.count = c->duration_count,
	};

	metric_emit(sink, METRIC_BPF_MAP_UTILIZATION, map, 100.0 * c->flows_last / c->cap);
	metric_emit(sink, METRIC_BATCH_SIZE, collector, c->batch);
	metric_emit(sink, METRIC_ERRORS, error, c->errors);
	metric_emit(sink, METRIC_OVERFLOW_FLOWS, NULL, c->drain.overflowed);
	sink->histogram(sink, METRIC_COLLECTION_DURATION, collector, &duration);
}
