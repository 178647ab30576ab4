/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What store.c and query.c share. All of it belongs to the loop thread. */
#pragma once

#include "base/work.h"
#include "store/history.h"
#include "store/stacks.h"
#include "store/store.h"
#include "store/table.h"

#define STORE_WAITING_MAX 12 /* steps that wait for a slow disk: a minute */
#define STORE_EXPORTERS_MAX 16
#define STORE_STACKS_BYTES_PER_ROW 128 /* of the running step: beside each row of flows */

struct on_step {
	store_record_fn fn;
	void (*end)(void *userdata);
	void *userdata;
};

struct store {
	struct work *work;
	struct history *history; /* the worker's */
	struct table *running; /* the current step */
	struct stacks *running_stacks; /* its samples */
	uint64_t running_since_ns; /* CLOCK_REALTIME */
	uint64_t last_step_since_ns; /* of the step that ended last */
	size_t max_rows;
	struct on_step exporters[STORE_EXPORTERS_MAX];
	size_t n_exporters;
	unsigned waiting_steps;
	bool tidying; /* a chain of small jobs is under way */
	struct history_report report; /* as of the last job */
	uint64_t table_full, stacks_full, no_memory, queue_full;
	uint64_t damaged; /* segments that queries could not read */
	struct store_cursor *cursors; /* the oldest first */
	size_t n_queries;
	size_t rows_lent; /* to the answers to queries */
	unsigned jobs; /* under way; the last one frees a store that was closed */
	bool closed;
};

/* What of the kinds of records is in segments of samples. */
#define STORE_SAMPLE_KINDS (1U << RECORD_SAMPLE | 1U << RECORD_SAMPLE_LOSS)

/* Runs a job in the store's lane; done must end with store_job_done(). */
int store_run(struct store *store, void (*run)(void *arg), void (*done)(void *arg), void *arg);
void store_job_done(struct store *store);

/* Ends all queries without a word. */
void store_cancel_queries(struct store *store);
/* Ends those that have waited for too long with -EBUSY. now_ns: CLOCK_MONOTONIC. */
void store_expire_queries(struct store *store, uint64_t now_ns);
