/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Room 4 of the road: aggregate and keep, inside a byte and an age budget. The current step and the
 * one before are in memory; older steps are in one SQLite file (WAL), which one worker thread owns.
 * Nothing here blocks the loop, and nothing here logs: what fails is in store_status().
 *
 * Steps of 5 s are kept in full for 10 minutes; older ones are joined to steps of 1 minute that
 * hold the top N rows and exact "other" rows, so totals stay exact at every age: of flows per (netns,
 * role, protocol), of samples per (event, end of the stack, process). A minute does not know the
 * threads' ids and the CPUs of samples any more.
 */
#pragma once

#include "base/option.h"
#include "base/util.h"
#include "model/filter.h"
#include "model/metric.h"
#include "model/record.h"
#include "model/status.h"

struct store;
struct store_cursor;
struct work;

struct store_options { /* the keys below "store" */
	char *path; /* directory */
	uint64_t max_size; /* bytes */
	uint64_t retention; /* ns */
	int64_t top, top_stacks;
};
extern const struct option_group store_options_group;

/*
 * Opens or makes DIR/history.db. A file that is damaged is put aside (history.db.damaged) and a new
 * one begun; a directory that cannot be written leaves the store in memory only, and degraded.
 * dir may be NULL: memory only. SQLite runs as jobs of WORK_LANE_STORE. Errors: -ENOMEM.
 * work must be freed after the store, not before.
 */
int store_new(struct work *work, const char *dir, const struct store_options *options,
	      struct store **ret);
/* Ends the current step (exporters are not told), waits until what was handed over is on disk,
 * closes. Queries end without end(). Takes NULL. */
struct store *store_free(struct store *store);

/* Adds a record to the current step; copies. 0, or -ENOSPC when the step's table is at its limit:
 * the record is then in an "other" row, and counted in "store.table_full" or "store.stacks_full". */
int store_add(struct store *store, const struct record *record);

/* Ends the current step and hands it to the worker. Called by the pipeline every interval, after
 * the collectors were drained. */
int store_step(struct store *store, uint64_t now_realtime_ns);

/* Calls fn for each record of the step that just ended, then end (may be NULL); for exporters, which
 * register once. -ENOSPC: there are too many. */
typedef void (*store_record_fn)(void *userdata, const struct record *record);
int store_on_step(struct store *store, store_record_fn fn, void (*end)(void *userdata),
		  void *userdata);

/*
 * A step, or a joined minute, belongs to the range in which it ended (since < end <= until), whole:
 * so adjacent ranges count each once, and a range that begins inside a step takes all of it. A range
 * that reaches into the last step that ended, or beyond, reaches up to now, and then the running
 * step belongs to it. What was taken is in the summary.
 */
struct store_query {
	unsigned kinds; /* set of 1 << enum record_kind: of flows, untracked and interfaces, or of
			   samples and their losses */
	struct time_range range;
	struct filter
		filter; /* of flows and samples; the query takes it over when it was accepted */
	size_t limit; /* rows of flows or samples, the largest first; 0 = all */
	bool folded; /* samples are added up over threads of one name and CPUs: tid 0, cpu -1 */
};

struct store_summary {
	bool exact; /* false: some rows are in "other" rows: a part of the range was thinned to the
		       top N, or there were more than a step or an answer can hold */
	uint64_t covered_since_ns, covered_until_ns; /* what was taken; 0, 0: nothing */
	uint64_t rows, rows_left_out; /* of flows or samples; left out by limit */
};

/*
 * Answers a query: rows of the range added up by key (record.flow.tx is the sum over the range).
 * row is called in pieces from the loop; end once, with r 0 or a negative errno (the rows so far are
 * then a part of the answer); the cursor is gone when it returns. First come untracked and interface
 * records, then flows, the largest by bytes first; or losses, then samples, the largest by value first.
 * Strings and frames of a row are valid during the call. -EBUSY: STORE_QUERIES_MAX are under way;
 * -EINVAL: kinds of both sorts.
 *
 * All answers together have a bounded number of rows (store_set_max_rows). While they are taken a
 * query waits, in order; what has waited for STORE_WAIT_NS when a step ends, ends with -EBUSY.
 */
#define STORE_QUERIES_MAX 8
#define STORE_WAIT_NS (10 * NSEC_PER_SEC)
int store_query(struct store *store, struct store_query *query, store_record_fn row,
		void (*end)(void *userdata, int r, const struct store_summary *summary),
		void *userdata, struct store_cursor **ret);
/*
 * For a reader that is slower than the store: once this returns, neither row nor end is called until
 * the cursor is resumed with false. May be called from row. Resuming calls row from the loop, never
 * from inside. A cursor that is paused may be cancelled.
 */
void store_query_pause(struct store_cursor *cursor, bool pause);
/* May be called at any time before end, also from row. Neither row nor end are called any more. */
void store_query_cancel(struct store_cursor *cursor);

void store_status(const struct store *store, struct part_status *ret);
/*
 * store.table_full    records of flows that are in "other" rows
 * store.stacks_full   records of samples that are in "other" rows
 * store.no_memory     records and steps
 * store.queue_full    steps for which the disk was too slow
 * store.disk_full     steps that waited in memory for space on the disk, until there was no room
 * store.write_failed  the same for any other error
 * store.damaged       segments that could not be read, or not to their end
 */
void store_losses(const struct store *store, void (*fn)(void *userdata, const struct loss *loss),
		  void *userdata);
struct store_figures {
	uint64_t disk_bytes, memory_rows;
	uint64_t sample_bytes; /* of disk_bytes, in segments of samples */
	/* How much time store.max_size has room for at the rate of the last hour; older data are dropped
	 * earlier if store.retention says so. 0: not known yet, in the first ten minutes. */
	uint64_t holds_ns;
	uint64_t oldest_ns; /* when the oldest step ended; 0: there is none */
	uint64_t running_since_ns; /* when the last step ended, and the running one began */
	uint64_t waiting_steps; /* that have ended and are not on disk: a crash loses them too */
};
void store_figures(const struct store *store, struct store_figures *ret);
/*
 * Caps the rows of flows that a step may hold, and the answers to all queries together; 0 = the
 * default. Samples have their share by bytes: 128 in the running step for each row of flows, and what
 * rows of flows would take in an answer and in a minute. For each row the store then takes at most
 * STORE_BYTES_PER_ROW: one in the running step (224 bytes, if each flow has an address of its own)
 * and, encoded, in the step that is being written (70); one in an answer (224, and half as much again
 * while it is thinned, 24 in its order, 70 encoded); a quarter of one in the minute that is being
 * joined (a quarter of 336); and 128 for samples, 32 when they are encoded.
 */
void store_set_max_rows(struct store *store, size_t rows);
#define STORE_BYTES_PER_ROW (294 + 430 + 84 + 160)
