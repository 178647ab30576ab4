/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs on a worker, because the grace period takes tens of milliseconds. The loop starts one job at
 * a time and does not touch the structure meanwhile.
 */
#include "collect/flows/drain.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "bpf/wire/flows.h"

#include "bpf/flows.skel.h"
#include "collect/flows/drops.h"
#include "collect/flows/front.h"

#define BATCH 1024 /* flows per system call */

static int reserve(struct drained_flow **array, size_t *room, size_t n)
{
	struct drained_flow *bigger;
	size_t want = *room ? *room : BATCH;

	while (want < n)
		want *= 2;
	if (want == *room)
		return 0;
	bigger = realloc(*array, want * sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	*array = bigger;
	*room = want;
	return 0;
}

/* The new epoch begins; after this no program uses the old one's table. */
static int flip(struct flows_drain *d)
{
	volatile struct wire_flows_settings *settings =
		(volatile struct wire_flows_settings *)&d->skel->bss->settings;

	d->epoch = settings->epoch;
	settings->begun[(d->epoch + 1) & 1] = 0;
	settings->epoch = d->epoch + 1;
	if (d->drops)
		drops_flip(d->drops, d->epoch + 1);
	settings->overflow_left = d->overflow_per_step;
	__sync_synchronize();
	return grace_wait(&d->grace);
}

static void keep(struct flows_drain *d, const struct wire_flow_key *keys,
		 const struct wire_flow *flows, size_t n)
{
	if (reserve(&d->flows, &d->room, d->n_flows + n) < 0) {
		d->failed += n;
		return;
	}
	for (size_t i = 0; i < n; i++)
		d->flows[d->n_flows++] = (struct drained_flow){ keys[i], flows[i] };
}

static int take_flows(struct flows_drain *d)
{
	struct bpf_map *map = d->epoch & 1 ? d->skel->maps.flows_odd : d->skel->maps.flows_even;
	_cleanup_free_ struct wire_flow_key *keys = NULL;
	_cleanup_free_ struct wire_flow *flows = NULL;
	_cleanup_(front_free_p) struct front *front = NULL;
	uint32_t in, out, size = BATCH, n;
	bool first = true;
	int r = front_read(bpf_map__fd(d->skel->maps.front), d->epoch, &front);

	if (r < 0)
		return r;
	for (;;) {
		if (!keys)
			keys = calloc(size, sizeof(*keys));
		if (!flows)
			flows = calloc(size, sizeof(*flows));
		if (!keys || !flows)
			return -ENOMEM;
		n = size;
		r = bpf_map_lookup_and_delete_batch(bpf_map__fd(map), first ? NULL : &in, &out,
						    keys, flows, &n, NULL);
		if (r < 0 && errno != ENOENT && errno != ENOSPC)
			return -errno;
		if (r < 0 && errno == ENOSPC && n == 0) {
			/* One bucket holds more than there is room for. */
			free(TAKE(keys));
			free(TAKE(flows));
			size *= 2;
			continue;
		}
		r = r < 0 && errno == ENOENT;
		front_complete(front, keys, flows, n);
		keep(d, keys, flows, n);
		if (r)
			return 0;
		in = out;
		first = false;
	}
}

int flows_drain_on_overflow(void *userdata, void *data, size_t size)
{
	struct flows_drain *d = userdata;
	const struct wire_overflow *event = data;
	struct drained_flow flow;

	if (size < sizeof(*event))
		return 0;
	flow = (struct drained_flow){ event->key, event->flow };
	d->overflowed++;
	if ((uint32_t)event->epoch == d->epoch) {
		keep(d, &flow.key, &flow.flow, 1);
		return 0;
	}
	if (reserve(&d->late, &d->late_room, d->n_late + 1) < 0) {
		d->failed++;
		return 0;
	}
	d->late[d->n_late++] = flow;
	return 0;
}

/* What came early the last time is of this epoch. */
static void take_overflow(struct flows_drain *d)
{
	for (size_t i = 0; i < d->n_late; i++)
		keep(d, &d->late[i].key, &d->late[i].flow, 1);
	d->n_late = 0;
	ring_buffer__consume(d->overflow);
}

/* Drops of which no flow passed become flows of their own, without counts. */
static int take_drops(struct flows_drain *d)
{
	struct drained_flow alone = {};
	size_t pos = 0;
	int r;

	r = drops_take(d->drops, d->epoch);
	if (r < 0)
		return r;
	for (size_t i = 0; i < d->n_flows; i++)
		drops_mark(d->drops, &d->flows[i].key);
	while (drops_next_alone(d->drops, &pos, &alone.key, alone.flow.end))
		keep(d, &alone.key, &alone.flow, 1);
	return 0;
}

static void add_count(struct wire_count *sum, const struct wire_count *c)
{
	sum->skbs += c->skbs;
	sum->bytes += c->bytes;
	sum->more_packets += c->more_packets;
	sum->more_bytes += c->more_bytes;
}

static int read_interfaces(struct flows_drain *d)
{
	int fd = bpf_map__fd(d->skel->maps.interface_counts), cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct wire_interface_count *values = calloc(cpus, sizeof(*values));
	uint32_t index;

	d->interfaces = calloc(d->n_slots + 1, sizeof(*d->interfaces));
	if (!values || !d->interfaces)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_slots; i++) {
		index = (uint32_t)d->slots[i] << 1 | (d->epoch & 1);
		if (bpf_map_lookup_elem(fd, &index, values) < 0)
			return -errno;
		for (int cpu = 0; cpu < cpus; cpu++)
			for (int hook = 0; hook < 2; hook++) {
				add_count(&d->interfaces[i].counted[hook],
					  &values[cpu].counted[hook]);
				add_count(&d->interfaces[i].duplicate[hook],
					  &values[cpu].duplicate[hook]);
			}
	}
	return 0;
}

static int read_untracked(struct flows_drain *d)
{
	int fd = bpf_map__fd(d->skel->maps.untracked);

	d->untracked = calloc(d->n_untracked + 1, sizeof(*d->untracked));
	if (!d->untracked)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_untracked; i++)
		if (bpf_map_lookup_elem(fd, &d->untracked_keys[i], &d->untracked[i]) < 0)
			return -errno;
	return 0;
}

void flows_drain_run(void *userdata)
{
	struct flows_drain *d = userdata;
	uint64_t start = now_ns(CLOCK_MONOTONIC);

	d->r = flip(d);
	if (d->r >= 0)
		d->r = take_flows(d);
	if (d->r >= 0) {
		take_overflow(d);
		d->r = read_interfaces(d);
	}
	if (d->r >= 0 && d->drops)
		d->r = take_drops(d);
	if (d->r >= 0)
		d->r = read_untracked(d);
	d->seconds = (double)(now_ns(CLOCK_MONOTONIC) - start) / NSEC_PER_SEC;
}

void flows_drain_clear(struct flows_drain *d)
{
	free(TAKE(d->slots));
	free(TAKE(d->untracked_keys));
	free(TAKE(d->interfaces));
	free(TAKE(d->untracked));
	free(TAKE(d->flows));
	if (d->drops)
		drops_clear(d->drops);
	d->n_slots = d->n_untracked = d->n_flows = d->room = 0;
}

void flows_drain_done(struct flows_drain *d)
{
	flows_drain_clear(d);
	free(TAKE(d->late));
}
