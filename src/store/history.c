/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Steps wait in a list until they are in the database: for a moment as a rule, for as long as the
 * disk is full or the directory missing otherwise. They are written in order, so the database holds
 * what is older and the list what is newer. The list is bounded; its oldest steps go first.
 */
#include "store/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/database.h"
#include "store/merge.h"

#define HOUR_NS (3600 * NSEC_PER_SEC)
#define HOLDS_MAX_NS 1e18 /* 32 years */

struct waiting {
	struct segment step; /* data are ours */
	struct waiting *next;
};

struct history {
	char *dir; /* NULL: memory only */
	uint64_t max_size, retention;
	size_t top[SEGMENT_KIND_MAX_];
	struct database *db;
	int error; /* why the last attempt to open or write failed */
	bool put_aside; /* a database was */
	uint64_t put_aside_ns; /* CLOCK_MONOTONIC: when */
	uint64_t now_ns; /* when the last step ended */
	uint64_t retry_ns; /* CLOCK_MONOTONIC: when to open again */
	uint64_t holds_ns; /* see struct store_figures */
	int64_t last_id;
	struct waiting *first, **last;
	size_t waiting_bytes;
	uint64_t waiting_rows;
	uint64_t lost_full, lost_failed, damaged;
};

DEFINE_CLEANUP(struct history *, history_free)

int history_new(const char *dir, const struct store_options *options, struct history **ret)
{
	_cleanup_(history_free_p) struct history *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->last = &h->first;
	h->max_size = options->max_size;
	h->retention = options->retention;
	h->top[SEGMENT_FLOWS] = (size_t)options->top;
	h->top[SEGMENT_SAMPLES] = (size_t)options->top_stacks;
	if (dir) {
		h->dir = strdup(dir);
		if (!h->dir)
			return -ENOMEM;
	}
	*ret = TAKE(h);
	return 0;
}

/* Takes the oldest step out of the list. */
static void drop_waiting(struct history *h)
{
	struct waiting *w = h->first;

	h->first = w->next;
	if (!h->first)
		h->last = &h->first;
	h->waiting_bytes -= w->step.size;
	h->waiting_rows -= w->step.rows;
	free(w->step.data);
	free(w);
}

struct history *history_free(struct history *h)
{
	if (!h)
		return NULL;
	while (h->first)
		drop_waiting(h);
	database_close(h->db);
	free(h->dir);
	free(h);
	return NULL;
}

/* Ids ascend in the database too, which may know higher ones than we do. */
static void adopt_ids(struct history *h)
{
	int64_t shift = database_last_id(h->db);

	if (h->last_id > shift)
		return;
	for (struct waiting *w = h->first; w; w = w->next)
		w->step.id += shift;
	h->last_id += shift;
}

/* Puts a damaged file aside, so that a new one can be begun; not again and again. */
static bool put_aside(struct history *h, uint64_t now)
{
	if ((h->put_aside && now < h->put_aside_ns + HISTORY_RETRY_NS) ||
	    database_put_aside(h->dir) < 0)
		return false;
	h->put_aside = true;
	h->put_aside_ns = now;
	return true;
}

/* Closes a database that cannot be used, for a while or, if the file was at fault, a moment. */
static void give_up(struct history *h, int error)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	h->error = error;
	if (error == -ENOSPC || error == -ENOMEM)
		return; /* it may work the next time, as it is */
	h->db = database_close(h->db);
	h->retry_ns = now + HISTORY_RETRY_NS;
	if (error == -EUCLEAN && put_aside(h, now))
		h->retry_ns = 0;
}

/* True if the database is open, or could be opened. */
static bool is_open(struct history *h)
{
	int r;

	if (h->db || !h->dir)
		return h->db;
	for (int attempt = 0; attempt < 2 && now_ns(CLOCK_MONOTONIC) >= h->retry_ns; attempt++) {
		r = database_open(h->dir, h->max_size, &h->db);
		if (r >= 0) {
			adopt_ids(h);
			return true;
		}
		give_up(h, r);
	}
	return false;
}

static void count_lost(struct history *h)
{
	if (!h->dir)
		return; /* there is no more that it was to keep */
	if (h->error == -ENOSPC)
		h->lost_full++;
	else
		h->lost_failed++;
}

static void write_waiting(struct history *h)
{
	int r;

	while (h->first && is_open(h)) {
		r = database_append(h->db, &h->first->step);
		if (r == -EFBIG) { /* it will never fit */
			h->error = r;
			count_lost(h);
			drop_waiting(h);
		} else if (r < 0) {
			give_up(h, r);
			if (h->db || h->retry_ns)
				return;
		} else {
			h->error = 0;
			drop_waiting(h);
		}
	}
}

static void bound_waiting(struct history *h)
{
	while (h->waiting_bytes > HISTORY_WAITING_BYTES_MAX) {
		count_lost(h);
		drop_waiting(h);
	}
}

void history_add(struct history *h, const struct segment *step)
{
	struct waiting *w = malloc(sizeof(*w));

	h->now_ns = step->end_ns;
	if (!w) {
		h->lost_failed++;
		free(step->data);
		return;
	}
	*w = (struct waiting){ .step = *step };
	is_open(h); /* first, because ids follow those of the database */
	w->step.id = ++h->last_id;
	*h->last = w;
	h->last = &w->next;
	h->waiting_bytes += step->size;
	h->waiting_rows += step->rows;
	write_waiting(h);
	bound_waiting(h);
}

static uint64_t minute_begin(uint64_t end_ns)
{
	return (end_ns - 1) / HISTORY_MINUTE_NS * HISTORY_MINUTE_NS;
}

struct joining {
	struct history *history;
	struct merge merge;
	struct segment minute;
};

static int join_segment(void *userdata, const struct segment *segment)
{
	struct joining *j = userdata;
	struct segment *minute = &j->minute;
	int r;

	r = merge_segment(&j->merge, segment);
	if (r == -EBADMSG) {
		j->history->damaged++;
		r = 0;
	}
	minute->start_ns =
		minute->end_ns ? MIN(minute->start_ns, segment->start_ns) : segment->start_ns;
	minute->end_ns = MAX(minute->end_ns, segment->end_ns);
	return r;
}

/* Reads what ended in the minute that begins after a time, and writes it back as one segment. */
static int join_minute(struct history *h, uint64_t after_ns, struct joining *j)
{
	uint64_t until_ns = after_ns + HISTORY_MINUTE_NS;
	int r;

	r = database_each(h->db, j->merge.kind, after_ns, until_ns, INT64_MAX, join_segment, j);
	if (r >= 0)
		r = merge_thin(&j->merge, h->top[j->merge.kind]);
	if (r >= 0)
		r = merge_encode(&j->merge, &j->minute);
	if (r < 0)
		return r;
	j->minute.id = ++h->last_id;
	j->minute.level = SEGMENT_MINUTE;
	r = database_join(h->db, after_ns, until_ns, &j->minute);
	free(j->minute.data);
	return r;
}

/* Bytes of segments of all kinds. */
static int size_of(struct history *h, uint64_t after_ns, uint64_t until_ns, uint64_t *ret)
{
	uint64_t sum = 0, bytes;
	int r = 0;

	for (enum segment_kind kind = 0; kind < SEGMENT_KIND_MAX_ && r >= 0; kind++) {
		r = database_size(h->db, kind, after_ns, until_ns, &bytes);
		sum += r >= 0 ? bytes : 0;
	}
	if (r >= 0)
		*ret = sum;
	return r;
}

/* How much time fits into the file, if it goes on as in the hour of minutes that was joined last. */
static int estimate(struct history *h, uint64_t joined_until_ns)
{
	uint64_t limit = database_limit(h->db), since_ns, minutes, steps;
	double holds;
	int r;

	r = database_first(h->db, &since_ns);
	if (r < 0)
		return r;
	since_ns = minute_begin(since_ns);
	if (joined_until_ns > HOUR_NS)
		since_ns = MAX(since_ns, joined_until_ns - HOUR_NS);
	r = size_of(h, since_ns, joined_until_ns, &minutes);
	if (r >= 0)
		r = size_of(h, joined_until_ns, UINT64_MAX, &steps);
	if (r < 0)
		return r;
	holds = (double)(joined_until_ns - since_ns) * (double)(limit - MIN(steps, limit)) /
		(double)MAX(minutes, UINT64_C(1));
	h->holds_ns = HISTORY_FULL_NS + (uint64_t)MIN(holds, HOLDS_MAX_NS);
	return 0;
}

/* Joins the oldest minute that still has steps of a kind, if it is old enough. 1: it did. */
static int join_oldest(struct history *h, enum segment_kind kind, size_t max_rows)
{
	struct joining joining = { .history = h };
	uint64_t end_ns, after_ns;
	int r;

	r = database_next(h->db, kind, 0, true, &end_ns);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	after_ns = minute_begin(end_ns);
	if (after_ns + HISTORY_MINUTE_NS + HISTORY_FULL_NS > h->now_ns)
		return 0;
	r = merge_init(&joining.merge, kind, max_rows, true);
	if (r >= 0)
		r = join_minute(h, after_ns, &joining);
	if (r >= 0)
		r = estimate(h, after_ns + HISTORY_MINUTE_NS);
	merge_done(&joining.merge);
	return r < 0 ? r : 1;
}

bool history_tidy(struct history *h, size_t max_rows)
{
	int r;

	if (!is_open(h))
		return false;
	r = database_trim(h->db, h->now_ns > h->retention ? h->now_ns - h->retention : 0);
	for (enum segment_kind kind = 0; kind < SEGMENT_KIND_MAX_ && r == 0; kind++)
		if (h->error == 0) /* no joining while the disk is full */
			r = join_oldest(h, kind, max_rows);
	if (r < 0)
		give_up(h, r);
	return r > 0;
}

static void describe(const struct history *h, struct part_status *status)
{
	if (h->put_aside)
		part_degrade(status, PART_DEGRADED,
			     "the history was damaged, or not written by this version, and is now "
			     "%s/" DATABASE_DAMAGED
			     "; a new one was begun; delete the old file when "
			     "it is not wanted any more",
			     h->dir);
	if (h->error == -ENOSPC)
		part_degrade(status, PART_DEGRADED,
			     "the history is kept in memory for a few steps only, because the file "
			     "system of %s is full; it goes on by itself when there is space: free "
			     "some or lower store.max_size",
			     h->dir);
	else if (h->error == -EBUSY)
		part_degrade(status, PART_DEGRADED,
			     "the history is kept in memory for a few steps only, because another "
			     "process has %s/" DATABASE_FILE " open; stop it or set store.path",
			     h->dir);
	else if (h->error == -EFBIG)
		part_degrade(status, PART_DEGRADED,
			     "a step was too large for the history; raise store.max_size");
	else if (h->error < 0)
		part_degrade(status, PART_DEGRADED,
			     "the history is kept in memory for a few steps only, because "
			     "%s/" DATABASE_FILE " cannot be written: %s; make the directory "
			     "writable for ebpfobsd or set store.path",
			     h->dir, strerror(-h->error));
}

void history_report(struct history *h, struct history_report *ret)
{
	struct history_report report = {
		.status = { .name = "store", .state = PART_ON },
		.waiting_rows = h->waiting_rows,
		.lost_full = h->lost_full,
		.lost_failed = h->lost_failed,
		.damaged = h->damaged,
	};

	if (h->db) {
		report.disk_bytes = database_bytes(h->db);
		report.sample_bytes = database_sample_bytes(h->db);
		report.holds_ns = h->holds_ns;
		database_first(h->db, &report.oldest_ns);
	}
	if (!report.oldest_ns && h->first)
		report.oldest_ns = h->first->step.end_ns;
	describe(h, &report.status);
	*ret = report;
}

void history_walk_begin(struct history *h, enum segment_kind kind, const struct time_range *range,
			struct history_walk *ret)
{
	is_open(h); /* a query may come before the first step */
	*ret = (struct history_walk){
		.kind = kind,
		.range = *range,
		.position_ns = range->since_ns,
		.last_id = h->last_id,
	};
}

static int walk_waiting(struct history *h, const struct history_walk *walk,
			int (*fn)(void *userdata, const struct segment *segment), void *userdata)
{
	int r = 0;

	for (const struct waiting *w = h->first; w && r >= 0; w = w->next)
		if (w->step.kind == walk->kind && w->step.end_ns > walk->range.since_ns &&
		    w->step.end_ns <= walk->range.until_ns && w->step.id <= walk->last_id)
			r = fn(userdata, &w->step);
	return MIN(r, 0);
}

int history_walk_next(struct history *h, struct history_walk *walk,
		      int (*fn)(void *userdata, const struct segment *segment), void *userdata)
{
	uint64_t end_ns, until_ns;
	int r = -ENOENT;

	if (h->db)
		r = database_next(h->db, walk->kind, walk->position_ns, false, &end_ns);
	if (r >= 0 && end_ns <= walk->range.until_ns) {
		until_ns = MIN(minute_begin(end_ns) + HISTORY_MINUTE_NS, walk->range.until_ns);
		r = database_each(h->db, walk->kind, walk->position_ns, until_ns, walk->last_id, fn,
				  userdata);
		walk->position_ns = until_ns;
		if (r >= 0)
			return 1;
	}
	if (r < 0 && r != -ENOENT) {
		give_up(h, r);
		return r;
	}
	return walk_waiting(h, walk, fn, userdata);
}
