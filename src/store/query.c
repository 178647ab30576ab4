/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A query is a chain of small jobs. First the worker reads the range, some minutes at a time, into
 * a table; then it picks the largest rows from a heap, some hundred at a time, and the loop calls
 * row() for them from the same table: worker and loop take turns, so nothing is held twice and
 * neither is busy for long. Steps are written in between.
 *
 * Answers hold rows out of one store->max_rows, because they are what takes memory. A query begins
 * when it can have all of them, or at least half, and gives back what its answer turns out not to
 * need; so they read one after the other, and wait for readers that are slow with large answers only.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "store/merge.h"
#include "store/stack-segment.h"
#include "store/store-internal.h"

#define READ_NS (20 * NSEC_PER_MSEC) /* of one job, unless a single minute takes longer */
#define PICK_ROWS 256
#define MESSAGE_ROWS 512 /* what a query's replies take on their way, in rows: 270 KB */

struct store_cursor {
	struct store *store;
	struct store_cursor *next;
	struct store_query query;
	store_record_fn row;
	void (*end)(void *userdata, int r, const struct store_summary *summary);
	void *userdata;

	/* Of the loop. */
	uint64_t asked_ns; /* CLOCK_MONOTONIC */
	bool waiting; /* for rows */
	bool busy; /* a job is under way, which has what follows */
	bool emitting, paused, cancelled;
	size_t rows_lent;

	/* Of whose turn it is. */
	struct segment running; /* the current step as it was then; data NULL: not asked for */
	bool begun, complete; /* reading */
	struct history_walk walk;
	struct merge merge;
	struct ranked_row *ranking;
	size_t left; /* in the heap */
	size_t picked; /* at ranking[left ..], the largest last; not given out yet */
	struct merge_position sums;
	struct store_summary summary;
	uint64_t damaged; /* segments */
	int r;
};

static enum segment_kind kind_of(const struct store_query *query)
{
	return query->kinds & STORE_SAMPLE_KINDS ? SEGMENT_SAMPLES : SEGMENT_FLOWS;
}

static void cursor_done(void *arg);
static void serve_waiting(struct store *store);

static struct store_cursor *cursor_free(struct store_cursor *c)
{
	struct store *store = c->store;

	for (struct store_cursor **p = &store->cursors; *p; p = &(*p)->next)
		if (*p == c) {
			*p = c->next;
			store->n_queries--;
			break;
		}
	store->rows_lent -= c->rows_lent;
	filter_done(&c->query.filter);
	free(c->running.data);
	free(c->ranking);
	merge_done(&c->merge);
	free(c);
	serve_waiting(store);
	return NULL;
}

static void end_query(struct store_cursor *c, int r)
{
	c->summary.exact = c->merge.exact;
	c->summary.rows_left_out = c->left + c->picked;
	c->end(c->userdata, r, &c->summary);
	cursor_free(c);
}

static int add_segment(void *userdata, const struct segment *segment)
{
	struct store_cursor *c = userdata;
	struct store_summary *s = &c->summary;
	int r;

	if (!s->covered_until_ns || segment->start_ns < s->covered_since_ns)
		s->covered_since_ns = segment->start_ns;
	s->covered_until_ns = MAX(s->covered_until_ns, segment->end_ns);
	r = merge_segment(&c->merge, segment);
	if (r == -EBADMSG) {
		c->damaged++;
		c->merge.exact = false;
		r = 0;
	}
	return r;
}

/* Reads for a while. 1: there is more. */
static int read_some(struct store_cursor *c)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	int r;

	if (!c->begun)
		history_walk_begin(c->store->history, kind_of(&c->query), &c->query.range,
				   &c->walk);
	c->begun = true;
	do
		r = history_walk_next(c->store->history, &c->walk, add_segment, c);
	while (r > 0 && now_ns(CLOCK_MONOTONIC) - start < READ_NS);
	if (r == 0 && c->running.data)
		r = add_segment(c, &c->running);
	return r;
}

static int rank(struct store_cursor *c)
{
	c->ranking = merge_ranking(&c->merge);
	if (!c->ranking)
		return -ENOMEM;
	c->left = merge_rows(&c->merge);
	c->complete = true;
	return 0;
}

/* Takes the next rows out of the heap; as many as the limit still allows. */
static void pick_some(struct store_cursor *c)
{
	size_t limit = c->query.limit ? c->query.limit - c->summary.rows : SIZE_MAX;

	for (; c->picked < PICK_ROWS && c->picked < limit && c->left > 0; c->picked++)
		ranking_next(c->ranking, c->left--);
}

static void cursor_run(void *arg)
{
	struct store_cursor *c = arg;

	if (!c->complete && c->r >= 0) {
		c->r = read_some(c);
		if (c->r == 0)
			c->r = rank(c);
	}
	if (c->complete && c->picked == 0)
		pick_some(c);
}

/* The next record of what is at hand. */
static bool next_record(struct store_cursor *c, struct record *ret)
{
	if (merge_next_sum(&c->merge, &c->sums, ret))
		return true;
	if (c->picked == 0)
		return false;
	merge_record(&c->merge, &c->ranking[c->left + --c->picked], ret);
	c->summary.rows++;
	return true;
}

/* Calls row for what is at hand, at most PICK_ROWS times. True: that was the last of all. */
static bool emit_some(struct store_cursor *c)
{
	bool more = true;
	struct record record;

	c->emitting = true;
	for (unsigned n = 0; n < PICK_ROWS && !c->paused && !c->cancelled && more; n++) {
		more = next_record(c, &record);
		if (more)
			c->row(c->userdata, &record);
	}
	c->emitting = false;
	return !more && (c->left == 0 || (c->query.limit && c->summary.rows >= c->query.limit));
}

/* Gives back the rows that the answer turned out not to need. */
static void settle_loan(struct store_cursor *c)
{
	size_t needed = merge_rows_taken(&c->merge) + MESSAGE_ROWS;

	if (needed < c->rows_lent) {
		c->store->rows_lent -= c->rows_lent - needed;
		c->rows_lent = needed;
		serve_waiting(c->store);
	}
}

/* Lets the worker go on; ends the query if that cannot be. */
static void go_on(struct store_cursor *c)
{
	int r = store_run(c->store, cursor_run, cursor_done, c);

	if (r < 0)
		end_query(c, r);
	else
		c->busy = true;
}

static void proceed(struct store_cursor *c)
{
	bool last = c->r < 0 && !c->paused;

	if (c->complete && !c->cancelled) {
		settle_loan(c);
		last = emit_some(c);
	}
	if (c->cancelled)
		cursor_free(c);
	else if (last)
		end_query(c, MIN(c->r, 0));
	else if (!c->paused || (!c->complete && c->r >= 0))
		go_on(c);
}

static void cursor_done(void *arg)
{
	struct store_cursor *c = arg;
	struct store *store = c->store;

	c->busy = false;
	store->damaged += c->damaged;
	c->damaged = 0;
	proceed(c);
	store_job_done(store);
}

/* A range that reaches into the last step that ended, or beyond, reaches up to now: the step that
 * is running is then part of it. */
static int take_running(struct store_cursor *c)
{
	const struct store *store = c->store;

	if (c->query.range.until_ns <= store->last_step_since_ns)
		return 0;
	c->query.range.until_ns = UINT64_MAX;
	c->running.start_ns = store->running_since_ns;
	c->running.end_ns = MAX(store->running_since_ns, now_ns(CLOCK_REALTIME));
	if (c->merge.kind == SEGMENT_SAMPLES)
		return stack_segment_encode(store->running_stacks, &c->running.data,
					    &c->running.size);
	return segment_encode(store->running, &c->running.data, &c->running.size);
}

/* Begins, with the rows that are left. What fails here is tried again later. */
static int begin(struct store_cursor *c, size_t rows)
{
	struct store *store = c->store;
	int r;

	r = merge_init(&c->merge, kind_of(&c->query), rows, c->query.folded);
	if (r < 0)
		return r;
	c->merge.kinds = c->query.kinds;
	c->merge.filter = &c->query.filter;
	r = take_running(c);
	if (r >= 0)
		r = store_run(store, cursor_run, cursor_done, c);
	if (r < 0) {
		merge_done(&c->merge);
		free(TAKE(c->running.data));
		return r;
	}
	c->rows_lent = rows + MESSAGE_ROWS;
	store->rows_lent += c->rows_lent;
	c->waiting = false;
	c->busy = true;
	return 0;
}

static void serve_waiting(struct store *store)
{
	size_t all = store->max_rows + MESSAGE_ROWS, left;

	for (struct store_cursor *c = store->cursors; c; c = c->next) {
		if (!c->waiting)
			continue;
		left = all - MIN(store->rows_lent, all);
		if (left < MESSAGE_ROWS + (store->max_rows + 1) / 2 ||
		    begin(c, MIN(left - MESSAGE_ROWS, store->max_rows)) < 0)
			return;
	}
}

static void append(struct store *store, struct store_cursor *c)
{
	struct store_cursor **last = &store->cursors;

	while (*last)
		last = &(*last)->next;
	*last = c;
	store->n_queries++;
}

int store_query(struct store *store, struct store_query *query, store_record_fn row,
		void (*end)(void *userdata, int r, const struct store_summary *summary),
		void *userdata, struct store_cursor **ret)
{
	struct store_cursor *c;

	if (query->kinds & STORE_SAMPLE_KINDS && query->kinds & ~STORE_SAMPLE_KINDS)
		return -EINVAL;
	if (store->n_queries == STORE_QUERIES_MAX)
		return -EBUSY;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	*c = (struct store_cursor){
		.store = store,
		.query = *query,
		.row = row,
		.end = end,
		.userdata = userdata,
		.asked_ns = now_ns(CLOCK_MONOTONIC),
		.waiting = true,
	};
	query->filter = (struct filter){};
	append(store, c);
	serve_waiting(store);
	*ret = c;
	return 0;
}

void store_query_pause(struct store_cursor *c, bool pause)
{
	c->paused = pause;
	if (!pause && !c->busy && !c->emitting && !c->waiting)
		go_on(c);
}

void store_query_cancel(struct store_cursor *c)
{
	c->cancelled = true;
	if (!c->busy && !c->emitting)
		cursor_free(c);
}

void store_cancel_queries(struct store *store)
{
	struct store_cursor *next;

	for (struct store_cursor *c = store->cursors; c; c = c->next)
		c->waiting = false; /* none begins any more */
	for (struct store_cursor *c = store->cursors; c; c = next) {
		next = c->next;
		store_query_cancel(c);
	}
}

void store_expire_queries(struct store *store, uint64_t now)
{
	struct store_cursor *next;

	for (struct store_cursor *c = store->cursors; c; c = next) {
		next = c->next;
		if (c->waiting && !c->paused && now - c->asked_ns >= STORE_WAIT_NS)
			end_query(c, -EBUSY);
	}
}
