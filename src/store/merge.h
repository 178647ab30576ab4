/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Adds segments up in a table: the steps of a minute, or what a query asks for. A table that gets
 * full is thinned to its larger half, so that its memory is bounded and its totals stay exact.
 */
#pragma once

#include <stdbool.h>

#include "store/segment.h"
#include "store/table.h"

struct filter;

struct merge {
	struct table *table;
	unsigned kinds; /* set of 1 << enum record_kind: the others are skipped */
	const struct filter *filter; /* of flows; NULL: all */
	bool exact; /* no "other" row was met or made */
	int r;
};

/* kinds of everything */
#define MERGE_ALL ((1U << RECORD_KIND_MAX_) - 1)

int merge_init(struct merge *merge, size_t max_rows);
void merge_done(struct merge *merge);
/* -EBADMSG: the segment is damaged, what could be read was added; -ENOMEM. */
int merge_segment(struct merge *merge, const struct segment *segment);
