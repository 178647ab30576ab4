/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Collectors are drained one after the other; who asks for a flush while that goes on waits for the
 * next round, because packets may have come after his round began. The step ends when its drain did.
 */
#include "daemon/pipeline.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/util.h"

#define FLUSH_MIN_NS (100 * NSEC_PER_MSEC) /* between two rounds that questions ask for */

struct waiter {
	void (*done)(void *cookie, int r);
	void *cookie;
	struct waiter *next;
};

struct pipeline {
	sd_event *event;
	sd_event_source *step_timer, *flush_timer;
	uint64_t interval;
	struct store *store;
	void (*before_round)(void *userdata, bool ends_step);
	void *userdata;

	const struct pipeline_collector *collectors;
	size_t n_collectors;
	struct enrich *enrich;

	bool draining;
	size_t next; /* collector to drain */
	int result; /* of this round: the first failure */
	bool ends_step; /* this round, or the next one if draining */
	bool step_due;
	struct waiter *waiting, *served; /* for the next round, for this one */
	uint64_t last_ns; /* when the last round ended */
	uint64_t records;
};

static void round_start(struct pipeline *p);

void pipeline_emit(void *userdata, struct record *record)
{
	struct pipeline *p = userdata;

	p->records++;
	if (p->enrich)
		enrich_record(p->enrich, record);
	store_add(p->store, record); /* what finds no room is in its "other" row, and counted */
}

static void serve(struct waiter **list, int r)
{
	struct waiter *waiter, *next;

	for (waiter = TAKE(*list); waiter; waiter = next) {
		next = waiter->next;
		waiter->done(waiter->cookie, r);
		free(waiter);
	}
}

static void round_end(struct pipeline *p)
{
	p->draining = false;
	p->last_ns = now_ns(CLOCK_MONOTONIC);
	if (p->ends_step)
		store_step(p->store, now_ns(CLOCK_REALTIME));
	p->ends_step = false;
	serve(&p->served, p->result);
	if (p->step_due || p->waiting)
		round_start(p);
}

static void drain_next(struct pipeline *p);

static void on_drained(void *userdata, int r)
{
	struct pipeline *p = userdata;

	if (!p->draining)
		return; /* of a round that was given up */
	if (r < 0 && p->result == 0)
		p->result = r;
	drain_next(p);
}

static void drain_next(struct pipeline *p)
{
	const struct pipeline_collector *c;

	if (p->next >= p->n_collectors) {
		round_end(p);
		return;
	}
	c = &p->collectors[p->next++];
	c->ops->drain(c->collector, on_drained, p);
}

static void round_start(struct pipeline *p)
{
	if (p->draining)
		return;
	p->draining = true;
	p->next = 0;
	p->result = 0;
	p->ends_step = p->step_due;
	p->step_due = false;
	p->served = TAKE(p->waiting);
	p->before_round(p->userdata, p->ends_step);
	drain_next(p);
}

static int on_step(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pipeline *p = userdata;
	uint64_t period = p->interval / NSEC_PER_USEC, now;

	p->step_due = true;
	round_start(p);
	/* On the grid, and never in the past: a machine that slept does not catch up step by step. */
	sd_event_now(p->event, CLOCK_MONOTONIC, &now);
	while (usec <= now)
		usec += period;
	sd_event_source_set_time(source, usec);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_flush(sd_event_source *source, uint64_t usec, void *userdata)
{
	round_start(userdata);
	return 0;
}

int pipeline_new(sd_event *event, uint64_t interval, struct store *store,
		 void (*before_round)(void *userdata, bool ends_step), void *userdata,
		 struct pipeline **ret)
{
	struct pipeline *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct pipeline){
		.event = event,
		.interval = interval,
		.store = store,
		.before_round = before_round,
		.userdata = userdata,
	};
	r = sd_event_add_time_relative(event, &p->step_timer, CLOCK_MONOTONIC,
				       interval / NSEC_PER_USEC, USEC_PER_MSEC, on_step, p);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &p->flush_timer, CLOCK_MONOTONIC, 0,
					       USEC_PER_MSEC, on_flush, p);
	if (r >= 0)
		r = sd_event_source_set_enabled(p->flush_timer, SD_EVENT_OFF);
	if (r < 0) {
		pipeline_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct pipeline *pipeline_free(struct pipeline *p)
{
	if (!p)
		return NULL;
	serve(&p->served, -ECANCELED);
	serve(&p->waiting, -ECANCELED);
	sd_event_source_disable_unref(p->step_timer);
	sd_event_source_disable_unref(p->flush_timer);
	free(p);
	return NULL;
}

static int schedule_flush(struct pipeline *p)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC), soonest = p->last_ns + FLUSH_MIN_NS;

	sd_event_source_set_time_relative(p->flush_timer,
					  now < soonest ? (soonest - now) / NSEC_PER_USEC : 0);
	return sd_event_source_set_enabled(p->flush_timer, SD_EVENT_ONESHOT);
}

/* Who waited for this round waits for the next one, and so does the step. */
static void round_give_up(struct pipeline *p)
{
	struct waiter **last = &p->waiting;

	while (*last)
		last = &(*last)->next;
	*last = TAKE(p->served);
	p->step_due |= p->ends_step;
	p->ends_step = p->draining = false;
	if (p->waiting)
		schedule_flush(p);
}

void pipeline_set(struct pipeline *p, const struct pipeline_collector *collectors, size_t n,
		  struct enrich *enrich)
{
	/* A collector that is stopped in the middle of a drain may never say that it is done. */
	if (p->draining)
		round_give_up(p);
	p->collectors = collectors;
	p->n_collectors = n;
	p->enrich = enrich;
}

void pipeline_set_interval(struct pipeline *p, uint64_t interval)
{
	p->interval = interval;
}

int pipeline_flush(struct pipeline *p, void (*done)(void *cookie, int r), void *cookie)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (!waiter)
		return -ENOMEM;
	*waiter = (struct waiter){ .done = done, .cookie = cookie, .next = p->waiting };
	p->waiting = waiter;
	if (p->draining)
		return 0; /* its end starts the next round */
	return schedule_flush(p);
}

uint64_t pipeline_records(const struct pipeline *p)
{
	return p->records;
}
