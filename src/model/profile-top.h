/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The functions (or lines) of a profile in order of what they cost, from its tree. */
#pragma once

#include "model/profile-tree.h"

struct profile_top_row {
	uint32_t frame; /* of the tree */
	struct profile_sum self[PROFILE_SIDES_]; /* while it ran itself */
	struct profile_sum total[PROFILE_SIDES_]; /* while it was on the stack, however often */
};

enum profile_order {
	PROFILE_BY_SELF,
	PROFILE_BY_TOTAL,
};

/*
 * One row per frame of the tree but its root, the costliest first; in a tree of two profiles the one that
 * changed most. *ret_rows is the caller's to free. -ENOMEM. The tree should not have been made with
 * options.processes, or those would be rows, too.
 */
int profile_top(const struct profile_tree *tree, enum profile_order order,
		struct profile_top_row **ret_rows, size_t *ret_n);
