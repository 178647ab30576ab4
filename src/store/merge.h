/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Adds segments of one kind up: the steps of a minute, or what a query asks for. A table that gets full
 * is thinned to its larger half, so that its memory is bounded and its totals stay exact. Then gives
 * the sum out: as a segment, or record by record, the largest first.
 */
#pragma once

#include <stdbool.h>

#include "store/segment.h"
#include "store/stacks.h"
#include "store/table.h"

struct filter;

/* Bytes of stacks that take no more memory than one row of flows: 430 in an answer, 336 in a minute.
 * Half as much again while they are thinned, and what is decoded meanwhile. */
#define MERGE_STACKS_BYTES_PER_ROW 215

struct merge {
	enum segment_kind kind;
	struct table *table; /* of flows */
	struct stacks *stacks; /* of samples */
	const struct stack_path *path; /* of the sample that is being added */
	unsigned kinds; /* set of 1 << enum record_kind: the others are skipped */
	const struct filter *filter; /* of flows and samples; NULL: all */
	bool exact; /* no "other" row was met or made */
	int r;
};

/* kinds of everything */
#define MERGE_ALL ((1U << RECORD_KIND_MAX_) - 1)

/* max_rows: of flows; of samples as many as take the memory of these. folded: see stacks_new(). */
int merge_init(struct merge *merge, enum segment_kind kind, size_t max_rows, bool folded);
void merge_done(struct merge *merge);
/* -EBADMSG: the segment is damaged, what could be read was added; -ENOMEM. */
int merge_segment(struct merge *merge, const struct segment *segment);

size_t merge_rows(const struct merge *merge); /* flows or samples, "other" ones included */
/* Rows of flows that take the memory that it has by now. */
size_t merge_rows_taken(const struct merge *merge);
/* Keeps the n largest. */
int merge_thin(struct merge *merge, size_t n);
/* Sets kind, rows and data, which is the caller's, to free(). */
int merge_encode(const struct merge *merge, struct segment *ret);

/* merge_rows() as a heap, for ranking_next(). NULL: no memory. */
struct ranked_row *merge_ranking(const struct merge *merge);
/* The record of a row. Strings and frames are those of merge; frames until the next record. */
void merge_record(const struct merge *merge, const struct ranked_row *row, struct record *ret);
/* Goes through the records that are in no ranking, from a position that is all zero. False: the end. */
struct merge_position {
	struct sum_position sums;
	size_t losses;
};
bool merge_next_sum(const struct merge *merge, struct merge_position *position, struct record *ret);
