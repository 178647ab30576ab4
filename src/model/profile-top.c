/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One walk over the tree. A frame's total grows where it is met for the first time on the way from the
 * root, so that a function that calls itself counts once.
 */
#include "model/profile-top.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"

/* The frames between the root and where the walk is. */
struct path {
	uint32_t *frames; /* by depth */
	uint32_t *times; /* by frame: how often it is on the path */
	uint32_t n;
};

static void path_done(struct path *path)
{
	free(path->frames);
	free(path->times);
}

static int path_init(struct path *path, const struct profile_tree *tree)
{
	path->frames = calloc(PROFILE_TREE_DEPTH_MAX + 1, sizeof(*path->frames));
	path->times = calloc(profile_tree_n_frames(tree), sizeof(*path->times));
	return path->frames && path->times ? 0 : -ENOMEM;
}

/* Puts node's frame at its depth. True: it is not there a second time. */
static bool path_enter(struct path *path, const struct profile_node *node)
{
	while (path->n > node->depth)
		path->times[path->frames[--path->n]]--;
	path->frames[path->n++] = node->frame;
	return ++path->times[node->frame] == 1;
}

static void add(struct profile_sum to[static PROFILE_SIDES_],
		const struct profile_sum what[static PROFILE_SIDES_])
{
	for (int side = 0; side < PROFILE_SIDES_; side++) {
		to[side].samples += what[side].samples;
		to[side].value += what[side].value;
	}
}

static int add_up(const struct profile_tree *tree, struct profile_top_row *rows)
{
	_cleanup_(path_done) struct path path = {};
	uint32_t number = 0;
	int r = path_init(&path, tree);

	if (r < 0)
		return r;
	do {
		const struct profile_node *node = profile_tree_node(tree, number);
		struct profile_top_row *row = &rows[node->frame];

		add(row->self, node->self);
		if (path_enter(&path, node))
			add(row->total, node->total);
		number = profile_tree_next(tree, number);
	} while (number != 0);
	return 0;
}

static uint64_t cost(const struct profile_top_row *row, enum profile_order order)
{
	const struct profile_sum *sum = order == PROFILE_BY_SELF ? row->self : row->total;
	uint64_t now = sum[PROFILE_NOW].value, before = sum[PROFILE_BEFORE].value;

	return now > before ? now - before : before - now;
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct profile_top_row *x = a, *y = b;
	const enum profile_order *order = arg;
	enum profile_order other = *order == PROFILE_BY_SELF ? PROFILE_BY_TOTAL : PROFILE_BY_SELF;
	uint64_t cx = cost(x, *order), cy = cost(y, *order);

	if (cx == cy) {
		cx = cost(x, other);
		cy = cost(y, other);
	}
	if (cx != cy)
		return cx > cy ? -1 : 1;
	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

int profile_top(const struct profile_tree *tree, enum profile_order order,
		struct profile_top_row **ret_rows, size_t *ret_n)
{
	size_t n = profile_tree_n_frames(tree);
	_cleanup_free_ struct profile_top_row *rows = calloc(n, sizeof(*rows));
	int r = rows ? add_up(tree, rows) : -ENOMEM;

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n; i++)
		rows[i].frame = i;
	/* The root's row goes. */
	rows[0] = rows[--n];
	qsort_r(rows, n, sizeof(*rows), compare_rows, &order);
	*ret_rows = TAKE(rows);
	*ret_n = n;
	return 0;
}
