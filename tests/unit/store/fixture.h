/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the store's tests share: random flows with an independent sum of them, a store on a loop of
 * its own in a directory of its own, and answers.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <systemd/sd-event.h>

#include "base/util.h"
#include "base/work.h"
#include "model/record.h"
#include "store/store.h"

/* A flow that only depends on n: two flows are of one key if and only if n is the same. */
void make_flow(unsigned n, struct record *ret);
/* The same with random counts. */
void random_flow(unsigned n, unsigned *seed, struct record *ret);

#define SUM_PROTOCOLS 256
/* All that must stay exact at every age: sums by role and protocol. */
struct sums {
	struct flow_count tx[FLOW_ROLE_MAX_][SUM_PROTOCOLS], rx[FLOW_ROLE_MAX_][SUM_PROTOCOLS];
	uint64_t retransmits, resets, drops;
	struct flow_count untracked, interfaces;
};
void sums_add(struct sums *sums, const struct record *record);
void assert_sums_equal(const struct sums *a, const struct sums *b);

struct bed {
	sd_event *event;
	struct work *work;
	struct store *store;
	struct store_options options;
	char dir[64]; /* removed by bed_done() */
	uint64_t now; /* of the steps: the test's own clock */
};

/* A store in a new directory; in memory only, if not on_disk. */
void bed_init(struct bed *bed, bool on_disk);
/* The same in two: options may be changed in between. */
void bed_prepare(struct bed *bed, bool on_disk);
void bed_open(struct bed *bed);
/* Closes the store, whose last step ends at the real time; the directory stays. */
void bed_close(struct bed *bed);
void bed_done(struct bed *bed);
/* Adds n random flows and ends the step 5 s after the one before. */
void bed_step(struct bed *bed, unsigned n, unsigned *seed, struct sums *sums);
/* Runs the loop until nothing waits for the worker. */
void bed_settle(struct bed *bed);
void bed_turn(struct bed *bed); /* one turn of the loop */

struct answer {
	bool ended;
	int r;
	struct store_summary summary;
	struct sums sums;
	size_t flows, others;
	uint64_t last_bytes; /* of the flow before */
	bool in_order;
};
void answer_row(void *userdata, const struct record *record);
void answer_end(void *userdata, int r, const struct store_summary *summary);
/* Asks for everything of a range and waits for the answer. */
void bed_ask(struct bed *bed, uint64_t since, uint64_t until, size_t limit, struct answer *ret);

uint64_t loss_of(const struct store *store, const char *site);
