/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A heap that gives the largest first; what was taken out lies behind it. */
#include "store/ranking.h"

/* Moves the row at i down until nothing below it is larger. */
static void sift_down(struct ranked_row *heap, size_t n, size_t i)
{
	struct ranked_row moved = heap[i];
	size_t child;

	for (; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && heap[child + 1].weight > heap[child].weight)
			child++;
		if (heap[child].weight <= moved.weight)
			break;
		heap[i] = heap[child];
	}
	heap[i] = moved;
}

void ranking_make(struct ranked_row *rows, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift_down(rows, n, i);
}

const struct ranked_row *ranking_next(struct ranked_row *ranking, size_t n)
{
	struct ranked_row largest = ranking[0];

	ranking[0] = ranking[n - 1];
	sift_down(ranking, n - 1, 0);
	ranking[n - 1] = largest;
	return &ranking[n - 1];
}
