/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The profile collector: a BPF program on a perf event of each CPU (bpf/profile.bpf.c) takes stacks, so
 * many times a second; they come through a ring, which is emptied so and so often, and at once when a
 * process is to be made known.
 */
#define LOG_COMPONENT "profile"
#include "collect/collect.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/util.h"
#include "base/work.h"
#include "bpf/wire/profile.h"

#include "bpf/profile.skel.h"
#include "collect/profile/events.h"
#include "collect/profile/samples.h"
#include "collect/profile/spaces.h"
#include "collect/shared/bpf.h"
#include "collect/shared/grace.h"

#define DRAIN_NS (100 * NSEC_PER_MSEC) /* between two looks into the ring */
#define RING_BYTES_PER_CPU 65536 /* seven of the deepest stacks, or a hundred usual ones */
#define RING_BYTES_LEAST 262144
#define RING_BYTES_MOST (64U << 20)
#define TABLES_SHARE 2 /* of the budget: the rest is for what is known of binaries and processes */
#define TABLES_LEAST (UINT64_C(1) << 20)
#define FREQUENCY_MAX 10000

struct profile_options {
	int64_t frequency; /* samples per second and CPU */
};

static const struct option options[] = {
	{ .key = "frequency",
	  .type = OPTION_INT,
	  .min = 1,
	  .max = FREQUENCY_MAX,
	  .value = "19",
	  .offset = offsetof(struct profile_options, frequency),
	  .help = "stacks that are taken per second on each busy CPU" },
	{},
};

static const struct option_group profile_options_group = {
	.prefix = "collectors.profile",
	.size = sizeof(struct profile_options),
	.options = options,
};

struct collector {
	struct collect_env env;
	const struct profile_options *options;
	struct profile_bpf *skel; /* NULL: off */
	struct grace grace;
	struct binaries *binaries;
	struct spaces *spaces;
	struct samples *samples;
	struct events *events;
	struct ring_buffer *ring;
	sd_event_source *timer, *wakeup;
	uint64_t weight; /* of a sample, ns */
	uint64_t delivered; /* samples that came */
	uint64_t malformed;
	uint64_t filtered, lost; /* as the kernel side counted when it was asked last */
	uint64_t lost_told; /* of them in records */
	char off_reason[PART_REASON_LEN];
};

/* --- samples --------------------------------------------------------------------------------- */

static int on_sample(void *userdata, void *data, size_t size)
{
	struct collector *c = userdata;
	const struct wire_sample *wire = data;
	struct record record;

	c->delivered++;
	if (!samples_record(c->samples, wire, size, c->weight, &record)) {
		c->malformed++;
		return 0;
	}
	spaces_on_sample(c->spaces, wire);
	c->env.emit(c->env.userdata, &record);
	return 0;
}

static int on_wakeup(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct collector *c = userdata;

	ring_buffer__consume(c->ring);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct collector *c = userdata;

	ring_buffer__consume(c->ring);
	sd_event_source_set_time_relative(source, DRAIN_NS / NSEC_PER_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Nobody knows of which process a sample is that found no room. */
static void emit_lost(struct collector *c)
{
	struct record record = {
		.kind = RECORD_SAMPLE_LOSS,
		.loss = { .event = SAMPLE_CPU, .cpu = -1, .lost = c->lost - c->lost_told },
	};

	if (!record.loss.lost)
		return;
	c->env.emit(c->env.userdata, &record);
	c->lost_told = c->lost;
}

static void read_counts(struct collector *c)
{
	int fd = bpf_map__fd(c->skel->maps.profile_counts);

	bpf_counter_read(fd, WIRE_PROFILE_FILTERED, &c->filtered);
	bpf_counter_read(fd, WIRE_PROFILE_LOST, &c->lost);
}

static void profile_drain(struct collector *c, void (*done)(void *userdata, int r), void *userdata)
{
	if (c->skel) {
		ring_buffer__consume(c->ring);
		read_counts(c);
		emit_lost(c);
		events_refresh(c->events);
		spaces_expire(c->spaces, now_ns(CLOCK_MONOTONIC));
	}
	done(userdata, 0);
}

static void on_binary(void *userdata, const struct binary *binary)
{
	struct collector *c = userdata;

	spaces_on_binary(c->spaces, binary);
}

/* --- start and stop -------------------------------------------------------------------------- */

static uint32_t ring_bytes(void)
{
	uint32_t bytes = RING_BYTES_LEAST;
	uint64_t wanted = (uint64_t)libbpf_num_possible_cpus() * RING_BYTES_PER_CPU;

	while (bytes < wanted && bytes < RING_BYTES_MOST)
		bytes *= 2; /* the kernel wants a power of two */
	return bytes;
}

static int load(struct collector *c)
{
	int r;

	c->skel = profile_bpf__open();
	if (!c->skel)
		return -errno;
	bpf_map__set_max_entries(c->skel->maps.samples, ring_bytes());
	r = bpf_env_before_load(c->env.bpf, c->skel->obj);
	if (r < 0)
		return r;
	return bpf_env_after_load(c->env.bpf, c->skel->obj, profile_bpf__load(c->skel));
}

static int make_tables(struct collector *c)
{
	const struct binaries_config binaries = {
		.work = c->env.work,
		.cache = c->env.cache,
		.skel = c->skel,
		.max_bytes = MAX(c->env.budget / TABLES_SHARE, TABLES_LEAST),
		.changed = on_binary,
		.userdata = c,
	};
	struct spaces_config spaces = {
		.work = c->env.work,
		.skel = c->skel,
		.grace = &c->grace,
		.roots = c->env.roots,
	};
	int r = grace_init(&c->grace, c->skel->maps.grace);

	if (r >= 0)
		r = binaries_new(&binaries, &c->binaries);
	spaces.binaries = c->binaries;
	if (r >= 0)
		r = spaces_new(&spaces, &c->spaces);
	return r < 0 ? r : samples_new(c->binaries, c->spaces, &c->samples);
}

static int listen_to_ring(struct collector *c)
{
	int r;

	c->ring = ring_buffer__new(bpf_map__fd(c->skel->maps.samples), on_sample, c, NULL);
	if (!c->ring)
		return -errno;
	r = sd_event_add_io(c->env.event, &c->wakeup, ring_buffer__epoll_fd(c->ring), EPOLLIN,
			    on_wakeup, c);
	if (r < 0)
		return r;
	return sd_event_add_time_relative(c->env.event, &c->timer, CLOCK_MONOTONIC,
					  DRAIN_NS / NSEC_PER_USEC, USEC_PER_MSEC, on_timer, c);
}

static int bring_up(struct collector *c)
{
	int r = load(c);

	if (r >= 0)
		r = make_tables(c);
	if (r >= 0)
		r = listen_to_ring(c);
	if (r < 0)
		return r;
	c->weight = NSEC_PER_SEC / (uint64_t)c->options->frequency;
	return events_new(c->skel->progs.profile_sample, (unsigned)c->options->frequency,
			  &c->events);
}

static void unload(struct collector *c)
{
	c->events = events_free(c->events);
	work_drain(c->env.work);
	c->timer = sd_event_source_disable_unref(c->timer);
	c->wakeup = sd_event_source_disable_unref(c->wakeup);
	ring_buffer__free(TAKE(c->ring));
	c->samples = samples_free(c->samples);
	c->spaces = spaces_free(c->spaces);
	c->binaries = binaries_free(c->binaries);
	grace_done(&c->grace);
	profile_bpf__destroy(TAKE(c->skel));
}

static void explain(struct collector *c, int r)
{
	const char *message = bpf_env_message(c->env.bpf);

	if (r == -EPERM || r == -EACCES)
		snprintf(c->off_reason, sizeof(c->off_reason),
			 "the kernel refused the perf events or their program (%s): run as root or "
			 "with CAP_BPF and CAP_PERFMON; kernel.perf_event_paranoid and the "
			 "container's seccomp profile may forbid perf_event_open, too%s%s",
			 strerror(-r), message[0] ? "; libbpf says: " : "", message);
	else
		snprintf(c->off_reason, sizeof(c->off_reason), "cannot take stacks: %s%s%s",
			 strerror(-r), message[0] ? "; libbpf says: " : "", message);
}

static int profile_start(const struct collect_env *env, const void *values, struct collector **ret)
{
	struct collector *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->env = *env;
	c->options = values;
	c->grace.inner_fd = -EBADF;
	r = bring_up(c);
	if (r < 0) {
		explain(c, r);
		unload(c);
	}
	if (r == -ENOMEM) {
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

static void profile_stop(struct collector *c)
{
	if (!c)
		return;
	unload(c);
	free(c);
}

/* --- about itself ---------------------------------------------------------------------------- */

static void profile_status(const struct collector *c, struct part_status *ret)
{
	struct binaries_figures binaries;

	*ret = (struct part_status){ .name = "profile", .state = PART_ON };
	if (!c->skel) {
		part_degrade(ret, PART_OFF, "%s", c->off_reason);
		return;
	}
	binaries = binaries_figures(c->binaries);
	part_add_rung(ret, events_source(c->events) == EVENTS_CYCLES ? "cycles" : "cpu-clock");
	if (binaries.no_room)
		part_degrade(ret, PART_DEGRADED,
			     "memory.limit leaves no room for the unwind tables of all programs, "
			     "stacks of some are followed by frame pointer: raise memory.limit");
}

/* What is in the ring has not been seen yet. */
static void profile_account(const struct collector *c, struct accounting *ret)
{
	*ret = (struct accounting){
		.seen = c->delivered + c->filtered + c->lost,
		.delivered = c->delivered - c->malformed,
		.filtered = c->filtered,
		.dropped = c->lost + c->malformed,
	};
}

static void profile_losses(const struct collector *c,
			   void (*fn)(void *userdata, const struct loss *loss), void *userdata)
{
	const struct binaries_figures binaries =
		c->binaries ? binaries_figures(c->binaries) : (struct binaries_figures){};
	const struct spaces_figures spaces =
		c->spaces ? spaces_figures(c->spaces) : (struct spaces_figures){};
	const struct loss losses[] = {
		{ "profile.ring_full", c->lost },
		{ "profile.malformed", c->malformed },
		{ "profile.tables_full", binaries.no_room },
		{ "profile.tables_refused", binaries.refused },
		{ "profile.binaries_full", binaries.left_out },
		{ "profile.spaces_full", spaces.no_room },
	};

	for (size_t i = 0; i < ARRAY_SIZE(losses); i++)
		fn(userdata, &losses[i]);
}

static uint64_t profile_bpf_bytes(const struct collector *c)
{
	if (!c->skel)
		return 0;
	return bpf_object_footprint(c->env.bpf, c->skel->obj) +
	       binaries_figures(c->binaries).kernel_bytes;
}

const struct collect_ops collect_profile = {
	.name = "profile",
	.opt_in = true, /* until it can do all that it is meant to */
	.options = &profile_options_group,
	.start = profile_start,
	.drain = profile_drain,
	.stop = profile_stop,
	.status = profile_status,
	.account = profile_account,
	.losses = profile_losses,
	.bpf_bytes = profile_bpf_bytes,
};
