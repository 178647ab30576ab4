/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The free runs, in the order of their places, never two side by side. There are few: what is given
 * back joins its neighbours.
 */
#include "collect/profile/runs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

struct run {
	uint32_t first, n;
};

struct runs {
	struct run *free;
	size_t n_free, room;
	uint32_t taken;
};

int runs_new(uint32_t places, struct runs **ret)
{
	struct runs *r = calloc(1, sizeof(*r));

	if (r)
		r->free = malloc(sizeof(*r->free));
	if (!r || !r->free) {
		free(r);
		return -ENOMEM;
	}
	r->room = r->n_free = 1;
	r->free[0] = (struct run){ 0, places };
	*ret = r;
	return 0;
}

struct runs *runs_free(struct runs *r)
{
	if (r)
		free(r->free);
	free(r);
	return NULL;
}

static void remove_at(struct runs *r, size_t i)
{
	r->n_free--;
	memmove(&r->free[i], &r->free[i + 1], (r->n_free - i) * sizeof(*r->free));
}

int runs_take(struct runs *r, uint32_t n, uint32_t *ret_first)
{
	size_t best = r->n_free;

	for (size_t i = 0; i < r->n_free; i++)
		if (r->free[i].n >= n && (best == r->n_free || r->free[i].n < r->free[best].n))
			best = i;
	if (best == r->n_free)
		return -ENOSPC;
	*ret_first = r->free[best].first;
	r->free[best].first += n;
	r->free[best].n -= n;
	if (r->free[best].n == 0)
		remove_at(r, best);
	r->taken += n;
	return 0;
}

static int insert_at(struct runs *r, size_t i, struct run run)
{
	if (r->n_free == r->room) {
		struct run *bigger = realloc(r->free, 2 * (r->room + 1) * sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		r->free = bigger;
		r->room = 2 * (r->room + 1);
	}
	memmove(&r->free[i + 1], &r->free[i], (r->n_free - i) * sizeof(*r->free));
	r->free[i] = run;
	r->n_free++;
	return 0;
}

void runs_give(struct runs *r, uint32_t first, uint32_t n)
{
	size_t i = 0;
	bool joins_before, joins_after;

	while (i < r->n_free && r->free[i].first < first)
		i++;
	joins_before = i > 0 && r->free[i - 1].first + r->free[i - 1].n == first;
	joins_after = i < r->n_free && first + n == r->free[i].first;
	if (joins_before && joins_after) {
		r->free[i - 1].n += n + r->free[i].n;
		remove_at(r, i);
	} else if (joins_before) {
		r->free[i - 1].n += n;
	} else if (joins_after) {
		r->free[i].first = first;
		r->free[i].n += n;
	} else if (insert_at(r, i, (struct run){ first, n }) < 0) {
		return;
	}
	r->taken -= n;
}

uint32_t runs_taken(const struct runs *r)
{
	return r->taken;
}
