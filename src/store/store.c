/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loop's side: the running step, and jobs for the worker. A step that ends is encoded here, so
 * that what waits for a slow disk is compact, and no table is shared between threads: 10,000 flows
 * are 2 ms and 350 KB.
 */
#include "store/store.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "store/stack-segment.h"
#include "store/store-internal.h"

#define MIB INT64_C(1048576)
#define JOIN_SHARE 4 /* of a step's rows: a minute is thinned to store.top anyway */

static const struct option keys[] = {
	{
		.key = "path",
		.type = OPTION_STRING,
		.offset = offsetof(struct store_options, path),
		.value = LOCALSTATEDIR "/lib/ebpfobs",
		.help = "directory of the history",
	},
	{
		.key = "max_size",
		.type = OPTION_BYTES,
		.offset = offsetof(struct store_options, max_size),
		.min = 32 * MIB,
		.max = 1024 * 1024 * MIB,
		.value = "256M",
		.help = "disk that the history may take; the oldest goes first",
	},
	{
		.key = "retention",
		.type = OPTION_DURATION,
		.offset = offsetof(struct store_options, retention),
		.min = 600 * (int64_t)NSEC_PER_SEC,
		.max = 366 * 86400 * (int64_t)NSEC_PER_SEC,
		.value = "24h",
		.help = "how long the history is kept",
	},
	{
		.key = "top",
		.type = OPTION_INT,
		.offset = offsetof(struct store_options, top),
		.min = 1,
		.max = TABLE_ROWS_DEFAULT,
		.value = "1000",
		.help = "flows kept of each minute older than 10 minutes; the rest is one sum",
	},
	{
		.key = "top_stacks",
		.type = OPTION_INT,
		.offset = offsetof(struct store_options, top_stacks),
		.min = 1,
		.max = TABLE_ROWS_DEFAULT,
		.value = "1000",
		.help = "stacks kept of each such minute; the rest is one sum per process",
	},
	{},
};

const struct option_group store_options_group = {
	.prefix = "store",
	.size = sizeof(struct store_options),
	.options = keys,
};

static struct store *release(struct store *store)
{
	table_free(store->running);
	stacks_free(store->running_stacks);
	free(store);
	return NULL;
}

static void store_release_p(struct store **store)
{
	if (*store)
		release(*store);
}

int store_run(struct store *store, void (*run)(void *arg), void (*done)(void *arg), void *arg)
{
	int r = work_run(store->work, WORK_LANE_STORE, run, done, arg);

	store->jobs += r >= 0;
	return r;
}

void store_job_done(struct store *store)
{
	if (--store->jobs == 0 && store->closed)
		release(store);
}

/* A job that takes a step over, and then, one by one, jobs that tidy up. */
struct upkeep {
	struct store *store;
	struct segment step; /* of flows; data NULL: none, only tidying */
	struct segment samples; /* of the same step; data NULL: it has none */
	size_t max_rows;
	bool more;
	struct history_report report;
};

static void upkeep_run(void *arg)
{
	struct upkeep *u = arg;

	if (u->step.data)
		history_add(u->store->history, &u->step);
	if (u->samples.data)
		history_add(u->store->history, &u->samples);
	u->more = u->step.data || history_tidy(u->store->history, u->max_rows);
	history_report(u->store->history, &u->report);
}

static void upkeep_done(void *arg);

static int post_upkeep(struct upkeep *u)
{
	u->max_rows = u->store->max_rows / JOIN_SHARE;
	return store_run(u->store, upkeep_run, upkeep_done, u);
}

static void upkeep_done(void *arg)
{
	struct upkeep *u = arg;
	struct store *store = u->store;
	bool had_step = u->step.data;

	store->report = u->report;
	store->waiting_steps -= had_step;
	u->step.data = u->samples.data = NULL;
	if (!had_step)
		store->tidying = false;
	if (u->more && !store->tidying && !store->closed && post_upkeep(u) >= 0)
		store->tidying = true;
	else
		free(u);
	store_job_done(store);
}

/* Opens the database early, so that status can say early what is wrong with it. */
static void start_tidying(struct store *store)
{
	struct upkeep *u = calloc(1, sizeof(*u));

	if (!u)
		return;
	u->store = store;
	if (post_upkeep(u) < 0)
		free(u);
	else
		store->tidying = true;
}

/* Empty tables for a step. */
static int begin_step(const struct store *store, struct table **ret_flows,
		      struct stacks **ret_stacks)
{
	_cleanup_(table_free_p) struct table *flows = NULL;
	int r;

	r = table_new(store->max_rows, &flows);
	if (r >= 0)
		r = stacks_new(store->max_rows * STORE_STACKS_BYTES_PER_ROW, false, ret_stacks);
	if (r >= 0)
		*ret_flows = TAKE(flows);
	return r;
}

int store_new(struct work *work, const char *dir, const struct store_options *options,
	      struct store **ret)
{
	_cleanup_(store_release_p) struct store *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return -ENOMEM;
	store->work = work;
	store->max_rows = TABLE_ROWS_DEFAULT;
	store->running_since_ns = now_ns(CLOCK_REALTIME);
	store->last_step_since_ns = store->running_since_ns;
	store->report.status = (struct part_status){ .name = "store", .state = PART_ON };
	r = begin_step(store, &store->running, &store->running_stacks);
	if (r >= 0)
		r = history_new(dir, options, &store->history);
	if (r < 0)
		return r;
	start_tidying(store);
	*ret = TAKE(store);
	return 0;
}

struct closing {
	struct store *store;
	sem_t closed;
};

static void close_run(void *arg)
{
	struct closing *closing = arg;

	history_free(closing->store->history);
	sem_post(&closing->closed);
}

static void close_done(void *arg)
{
	struct closing *closing = arg;

	store_job_done(closing->store);
	sem_destroy(&closing->closed);
	free(closing);
}

/*
 * The lane is in order, so when the closing job has run, all others have. Their done() is still to
 * come, from the loop or from work_free(), which must be later than this.
 */
struct store *store_free(struct store *store)
{
	struct closing *closing;

	if (!store)
		return NULL;
	store_cancel_queries(store);
	store->n_exporters = 0; /* they may be gone already */
	store_step(store, now_ns(CLOCK_REALTIME));
	store->closed = true;
	closing = calloc(1, sizeof(*closing));
	if (!closing)
		return NULL; /* work_free() will still write what was handed over */
	closing->store = store;
	sem_init(&closing->closed, 0, 0);
	if (store_run(store, close_run, close_done, closing) < 0) {
		free(closing);
		return NULL;
	}
	while (sem_wait(&closing->closed) < 0)
		;
	return NULL;
}

static int add_flows(struct store *store, const struct record *record)
{
	int r = table_add(store->running, record), other;

	if (r == -ENOSPC) {
		store->table_full++;
		other = table_add_other(store->running, record);
		r = other < 0 ? other : r;
	}
	return r;
}

static int add_samples(struct store *store, const struct record *record)
{
	int r = stacks_add(store->running_stacks, record, NULL), other;

	if (r == -ENOSPC) {
		store->stacks_full++;
		other = stacks_add_other(store->running_stacks, record);
		r = other < 0 ? other : r;
	}
	return r;
}

int store_add(struct store *store, const struct record *record)
{
	int r = STORE_SAMPLE_KINDS & 1U << record->kind ? add_samples(store, record)
							: add_flows(store, record);

	if (r < 0 && r != -ENOSPC)
		store->no_memory++;
	return r;
}

static void tell_exporters(struct store *store)
{
	for (size_t i = 0; i < store->n_exporters; i++) {
		table_each(store->running, store->exporters[i].fn, store->exporters[i].userdata);
		stacks_each(store->running_stacks, store->exporters[i].fn,
			    store->exporters[i].userdata);
		if (store->exporters[i].end)
			store->exporters[i].end(store->exporters[i].userdata);
	}
}

static struct upkeep *upkeep_free(struct upkeep *u)
{
	free(u->step.data);
	free(u->samples.data);
	free(u);
	return NULL;
}

DEFINE_CLEANUP(struct upkeep *, upkeep_free)

/* Encodes the running step for the worker. NULL: no memory. */
static struct upkeep *new_upkeep(struct store *store, uint64_t now)
{
	_cleanup_(upkeep_free_p) struct upkeep *u = calloc(1, sizeof(*u));
	struct stacks *stacks = store->running_stacks;

	if (!u || segment_encode(store->running, &u->step.data, &u->step.size) < 0)
		return NULL;
	if (!stacks_is_empty(stacks) &&
	    stack_segment_encode(stacks, &u->samples.data, &u->samples.size) < 0)
		return NULL;
	u->store = store;
	u->step.kind = SEGMENT_FLOWS;
	u->step.level = u->samples.level = SEGMENT_STEP;
	/* The clock may have been set back. */
	u->step.start_ns = u->samples.start_ns = MIN(store->running_since_ns, now);
	u->step.end_ns = u->samples.end_ns = now;
	u->step.rows = table_rows(store->running);
	u->samples.kind = SEGMENT_SAMPLES;
	u->samples.rows = stacks_rows(stacks);
	return TAKE(u);
}

static int hand_over(struct store *store, uint64_t now)
{
	_cleanup_(upkeep_free_p) struct upkeep *u = NULL;
	int r;

	if (store->waiting_steps >= STORE_WAITING_MAX)
		return -EAGAIN;
	u = new_upkeep(store, now);
	if (!u)
		return -ENOMEM;
	r = post_upkeep(u);
	if (r < 0)
		return r;
	TAKE(u);
	store->waiting_steps++;
	return 0;
}

int store_step(struct store *store, uint64_t now_realtime_ns)
{
	struct table *next;
	struct stacks *next_stacks;
	int r;

	store_expire_queries(store, now_ns(CLOCK_MONOTONIC));
	r = begin_step(store, &next, &next_stacks);
	if (r < 0)
		return r; /* the step goes on */
	tell_exporters(store);
	r = hand_over(store, now_realtime_ns);
	if (r == -EAGAIN)
		store->queue_full++;
	else if (r < 0)
		store->no_memory++;
	table_free(store->running);
	stacks_free(store->running_stacks);
	store->running = next;
	store->running_stacks = next_stacks;
	store->last_step_since_ns = MIN(store->running_since_ns, now_realtime_ns);
	store->running_since_ns = now_realtime_ns;
	return r;
}

int store_on_step(struct store *store, store_record_fn fn, void (*end)(void *userdata),
		  void *userdata)
{
	if (store->n_exporters == STORE_EXPORTERS_MAX)
		return -ENOSPC;
	store->exporters[store->n_exporters++] = (struct on_step){ fn, end, userdata };
	return 0;
}

void store_set_max_rows(struct store *store, size_t rows)
{
	store->max_rows = rows ? rows : TABLE_ROWS_DEFAULT;
	table_set_max_rows(store->running, store->max_rows);
	stacks_set_max_bytes(store->running_stacks, store->max_rows * STORE_STACKS_BYTES_PER_ROW);
}

void store_status(const struct store *store, struct part_status *ret)
{
	*ret = store->report.status;
	if (store->waiting_steps == STORE_WAITING_MAX)
		part_degrade(ret, PART_DEGRADED,
			     "the disk is too slow: %u steps wait to be written and new ones are "
			     "dropped; set store.path to a faster one",
			     store->waiting_steps);
}

void store_losses(const struct store *store, void (*fn)(void *userdata, const struct loss *loss),
		  void *userdata)
{
	const struct loss losses[] = {
		{ "store.table_full", store->table_full },
		{ "store.stacks_full", store->stacks_full },
		{ "store.no_memory", store->no_memory },
		{ "store.queue_full", store->queue_full },
		{ "store.disk_full", store->report.lost_full },
		{ "store.write_failed", store->report.lost_failed },
		{ "store.damaged", store->report.damaged + store->damaged },
	};

	for (size_t i = 0; i < ARRAY_SIZE(losses); i++)
		fn(userdata, &losses[i]);
}

void store_figures(const struct store *store, struct store_figures *ret)
{
	*ret = (struct store_figures){
		.disk_bytes = store->report.disk_bytes,
		.memory_rows = table_rows(store->running) + stacks_rows(store->running_stacks) +
			       store->report.waiting_rows,
		.sample_bytes = store->report.sample_bytes,
		.holds_ns = store->report.holds_ns,
		.oldest_ns = store->report.oldest_ns,
		.running_since_ns = store->running_since_ns,
		.waiting_steps = store->waiting_steps,
	};
}
