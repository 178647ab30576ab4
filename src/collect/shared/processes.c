/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ring is drained by a timer: a wake-up per event would be paid by the forking process (1.4 us
 * against 25 ns, measured). While the ring is quiet the timer slows down, from 20 ms to 200 ms; at
 * 10,000 processes a second 20 ms are 600 events of 48 bytes, far below the ring's 512 KiB.
 */
#define LOG_COMPONENT "processes"
#include "collect/shared/processes.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/util.h"
#include "bpf/process.skel.h"
#include "bpf/wire/process.h"
#include "collect/shared/scope-maps.h"

#define DRAIN_FAST_US (20 * USEC_PER_MSEC)
#define DRAIN_SLOW_US (200 * USEC_PER_MSEC)

struct processes_feed {
	struct processes_config config;
	struct process_bpf *skel;
	struct ring_buffer *ring;
	sd_event_source *timer;
	uint64_t lost, lost_seen;
	char error[256];
};

static int on_event(void *userdata, void *data, size_t size)
{
	struct processes_feed *feed = userdata;
	const struct wire_process_event *e = data;
	struct process_event event;

	if (size < sizeof(*e))
		return 0;
	event = (struct process_event){
		.pid = e->pid,
		.ppid = e->ppid,
		.start_ns = e->start_ns,
		.cgroup_id = e->cgroup_id,
		.netns = e->netns,
	};
	memcpy(event.comm, e->comm, sizeof(event.comm));
	event.comm[sizeof(event.comm) - 1] = 0;
	if (e->what == WIRE_PROCESS_FORK)
		inventory_on_fork(feed->config.inventory, &event);
	else if (e->what == WIRE_PROCESS_EXEC)
		inventory_on_exec(feed->config.inventory, &event);
	else
		inventory_on_exit(feed->config.inventory, event.pid, now_ns(CLOCK_BOOTTIME));
	if (event.netns && feed->config.netns_hint)
		feed->config.netns_hint(feed->config.userdata, event.pid, event.netns);
	return 0;
}

/* Returns how many events there were. */
static int drain(struct processes_feed *feed)
{
	int n = ring_buffer__consume(feed->ring);

	bpf_counter_read(bpf_map__fd(feed->skel->maps.process_losses), WIRE_PROCESS_RING_FULL,
			 &feed->lost);
	if (feed->lost != feed->lost_seen &&
	    inventory_scan(feed->config.inventory, feed->config.scope) >= 0)
		feed->lost_seen = feed->lost;
	return n;
}

void processes_feed_drain(struct processes_feed *feed)
{
	if (feed->ring)
		drain(feed);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct processes_feed *feed = userdata;
	int n = drain(feed);

	sd_event_source_set_time_relative(source, n > 0 ? DRAIN_FAST_US : DRAIN_SLOW_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int load(struct processes_feed *feed)
{
	int r;

	feed->skel = process_bpf__open();
	if (!feed->skel)
		return -errno;
	r = bpf_env_before_load(feed->config.bpf, feed->skel->obj);
	if (r >= 0)
		r = bpf_env_after_load(feed->config.bpf, feed->skel->obj,
				       process_bpf__load(feed->skel));
	if (r >= 0)
		r = scope_maps_fill(feed->config.bpf, feed->config.scope);
	if (r >= 0)
		r = process_bpf__attach(feed->skel);
	if (r < 0)
		return r;
	feed->ring = ring_buffer__new(bpf_map__fd(feed->skel->maps.process_events), on_event, feed,
				      NULL);
	return feed->ring ? 0 : -errno;
}

int processes_feed_new(const struct processes_config *config, struct processes_feed **ret)
{
	struct processes_feed *feed = calloc(1, sizeof(*feed));
	int r;

	if (!feed)
		return -ENOMEM;
	feed->config = *config;
	*ret = feed;
	r = load(feed);
	if (r < 0) {
		snprintf(feed->error, sizeof(feed->error), "%s", bpf_env_message(config->bpf));
		if (!feed->error[0])
			snprintf(feed->error, sizeof(feed->error), "%s", strerror(-r));
		process_bpf__destroy(TAKE(feed->skel));
		return 0;
	}
	return sd_event_add_time_relative(config->event, &feed->timer, CLOCK_MONOTONIC,
					  DRAIN_FAST_US, 10 * USEC_PER_MSEC, on_timer, feed);
}

struct processes_feed *processes_feed_free(struct processes_feed *feed)
{
	if (!feed)
		return NULL;
	sd_event_source_disable_unref(feed->timer);
	ring_buffer__free(feed->ring);
	process_bpf__destroy(feed->skel);
	free(feed);
	return NULL;
}

void processes_feed_status(const struct processes_feed *feed, struct part_status *status)
{
	if (!feed->skel)
		part_degrade(status, PART_DEGRADED,
			     "processes that live shorter than a /proc scan have no name: the "
			     "scheduler's tracepoints were refused (%s)",
			     feed->error);
}

void processes_feed_losses(const struct processes_feed *feed,
			   void (*fn)(void *userdata, const struct loss *loss), void *userdata)
{
	const struct loss loss = { .site = "processes.ring_full", .count = feed->lost };

	fn(userdata, &loss);
}

uint64_t processes_feed_bpf_bytes(const struct processes_feed *feed)
{
	return feed->skel ? bpf_object_footprint(feed->config.bpf, feed->skel->obj) : 0;
}
