/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The map has a value for each CPU, of some 64 flows. The same flow may be at several CPUs' hands, so
 * they are added up by key first.
 */
#include "collect/flows/front.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/hashmap.h"

struct front {
	struct hashmap *flows; /* struct wire_flow_key -> struct wire_traffic */
};

static void add_traffic(struct wire_traffic *sum, const struct wire_traffic *t)
{
	for (int end = 0; end < 2; end++) {
		sum->sent[end].skbs += t->sent[end].skbs;
		sum->sent[end].bytes += t->sent[end].bytes;
		sum->sent[end].more_packets += t->sent[end].more_packets;
		sum->sent[end].more_bytes += t->sent[end].more_bytes;
		sum->tcp_flags[end] |= t->tcp_flags[end];
	}
	if (t->rtt_us)
		sum->rtt_us = t->rtt_us;
	sum->retransmits += t->retransmits;
	sum->resets += t->resets;
}

static int take_cpu(struct front *f, const struct wire_front *cpu, uint32_t epoch)
{
	const struct wire_front_flow *flow;
	struct wire_traffic *sum;
	bool is_new;

	for (int i = 0; i < WIRE_FRONT_FLOWS; i++) {
		flow = &cpu->flows[i];
		if (flow->epoch != epoch)
			continue;
		sum = hashmap_put(f->flows, &flow->key, &is_new);
		if (!sum)
			return -ENOMEM;
		add_traffic(sum, &flow->traffic);
	}
	return 0;
}

int front_read(int map_fd, uint32_t epoch, struct front **ret)
{
	int cpus = libbpf_num_possible_cpus(), r;
	_cleanup_free_ struct wire_front *values = calloc(cpus, sizeof(*values));
	_cleanup_(front_free_p) struct front *f = calloc(1, sizeof(*f));
	uint32_t parity = epoch & 1;

	if (!values || !f)
		return -ENOMEM;
	r = hashmap_new(sizeof(struct wire_flow_key), sizeof(struct wire_traffic),
			(size_t)cpus * WIRE_FRONT_FLOWS, &f->flows);
	if (r < 0)
		return r;
	if (bpf_map_lookup_elem(map_fd, &parity, values) < 0)
		return -errno;
	for (int cpu = 0; cpu < cpus; cpu++) {
		r = take_cpu(f, &values[cpu], epoch);
		if (r < 0)
			return r;
	}
	*ret = TAKE(f);
	return 0;
}

struct front *front_free(struct front *f)
{
	if (!f)
		return NULL;
	hashmap_free(f->flows);
	free(f);
	return NULL;
}

void front_complete(const struct front *f, const struct wire_flow_key *keys,
		    struct wire_flow *flows, size_t n)
{
	const struct wire_traffic *traffic;

	if (!hashmap_size(f->flows))
		return;
	for (size_t i = 0; i < n; i++) {
		traffic = hashmap_get(f->flows, &keys[i]);
		if (traffic)
			add_traffic(&flows[i].traffic, traffic);
	}
}
