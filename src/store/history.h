/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The steps that have ended: in the database, or waiting in memory as long as there is none that
 * can be written. Belongs to the worker: every function but history_new() runs in WORK_LANE_STORE.
 */
#pragma once

#include "base/util.h"
#include "model/filter.h"
#include "model/status.h"
#include "store/segment.h"
#include "store/store.h"

struct history;

#define HISTORY_WAITING_BYTES_MAX ((size_t)4 << 20) /* of steps that could not be written */
#define HISTORY_RETRY_NS (30 * NSEC_PER_SEC) /* between attempts to open the database */
#define HISTORY_FULL_NS (600 * NSEC_PER_SEC) /* steps are kept in full */
#define HISTORY_MINUTE_NS (60 * NSEC_PER_SEC) /* and then joined */

/* What the loop is told after each job. */
struct history_report {
	struct part_status status;
	uint64_t disk_bytes, sample_bytes, oldest_ns;
	uint64_t holds_ns; /* see struct store_figures */
	uint64_t waiting_rows; /* in memory */
	uint64_t lost_full, lost_failed; /* segments of steps: no space; any other error */
	uint64_t damaged; /* segments that could not be read, whole or in part */
};

/* dir NULL: memory only. Both are copied. */
int history_new(const char *dir, const struct store_options *options, struct history **ret);
/* Takes NULL. */
struct history *history_free(struct history *history);

/* Takes what a step has of one kind over, with its data, which free() releases. */
void history_add(struct history *history, const struct segment *step);
/* Opens the database, if need be, and does one small piece of tidying up: a minute joined, old
 * segments dropped. True: there is more. max_rows bounds the memory that joining takes. */
bool history_tidy(struct history *history, size_t max_rows);
void history_report(struct history *history, struct history_report *ret);

/* A walk over the segments of one kind in a range, minute by minute. Minutes are joined between calls, so a minute is read in
 * one go; steps that are added after history_walk_begin() are left out. */
struct history_walk {
	enum segment_kind kind;
	struct time_range range;
	uint64_t position_ns;
	int64_t last_id;
};
void history_walk_begin(struct history *history, enum segment_kind kind,
			const struct time_range *range, struct history_walk *ret);
/* Calls fn for the segments of the next minute that has some. 1: go on; 0: that was the last. */
int history_walk_next(struct history *history, struct history_walk *walk,
		      int (*fn)(void *userdata, const struct segment *segment), void *userdata);
