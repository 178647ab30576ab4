/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples that depend on a number alone, and sums of samples that are added up without any table. */
#pragma once

#include "model/record.h"

#define SAMPLE_PROCESSES 24

/* A sample of key n: two are of one key if and only if n is the same, and its tid is n + 1. Stacks
 * have callers in common, and some are the same. Its frames are valid until the next call. */
void make_sample(unsigned n, struct record *ret);
/* The same with a random weight. */
void random_sample(unsigned n, unsigned *seed, struct record *ret);
void random_loss(unsigned n, unsigned *seed, struct record *ret);

/* What must stay exact at every age. */
struct sample_sums {
	struct {
		uint64_t count, value;
	} samples[SAMPLE_EVENT_MAX_][STACK_END_MAX_][SAMPLE_PROCESSES];
	uint64_t lost[SAMPLE_EVENT_MAX_][SAMPLE_PROCESSES];
};
void sample_sums_add(struct sample_sums *sums, const struct record *record);
void assert_sample_sums_equal(const struct sample_sums *a, const struct sample_sums *b);
/* Compares all but weights. */
void assert_same_sample(const struct sample *a, const struct sample *b);
