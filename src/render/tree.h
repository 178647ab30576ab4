/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The call tree of a profile on a terminal. */
#pragma once

#include <stdio.h>

#include "model/profile-tree.h"
#include "render/table.h"

struct tree_options {
	double min_percent; /* lighter branches are left out, and counted */
	unsigned depth; /* frames from the root; 0: all */
};

/*
 * A line for each node: its share, a bar, and its name, indented where the tree forks; of two profiles
 * the share, that before, and the change. In the end what was left out, and the totals. 0 or -ENOMEM.
 */
int tree_print(const struct profile_tree *tree, const struct tree_options *options,
	       const struct text_look *look, FILE *out);
