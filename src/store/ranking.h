/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows in the order of size, as a heap, because most readers stop long before the end. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Key and row are valid as long as nothing is added to their table. */
struct ranked_row {
	const void *key;
	const void *row;
	uint64_t weight;
};

/* Makes a heap of n rows in any order. */
void ranking_make(struct ranked_row *rows, size_t n);
/* Takes the largest out of a ranking of n: it is then at ranking[n - 1]. */
const struct ranked_row *ranking_next(struct ranked_row *ranking, size_t n);
