/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stacks of a profile, or of two, as one tree with the root first: frames of one function (or of one
 * line) that were called alike are one node. Siblings are in the order of their weight, the heaviest
 * first. The tree owns all that it holds; the profiles may go.
 *
 * Of two profiles each node has both sums, so what vanished or is new is there with 0 on one side. Unless
 * the difference is an absolute one, the side with the smaller total is scaled up to the other's, so that
 * an hour can be compared with a minute, and nothing is rounded away.
 */
#pragma once

#include "model/profile.h"

/* Nodes; samples that find no place are left out, and counted as such in the tree's totals. */
#define PROFILE_TREE_NODES_MAX (1 << 22)
/* Frames of one stack, inlined ones included; what is next to the root of a longer one is left away. */
#define PROFILE_TREE_DEPTH_MAX 8192

enum profile_side {
	PROFILE_NOW,
	PROFILE_BEFORE, /* zeros unless the tree is of two profiles */
	PROFILE_SIDES_,
};

/* Of what a node is. Numbers of strings are the tree's own: profile_tree_text(). */
struct profile_frame {
	uint32_t name; /* 0: not known */
	uint32_t module; /* path of the binary, or "[kernel.kallsyms]"; 0: not known */
	uint32_t file; /* of the source */
	uint32_t
		line; /* where it is, or (without options.lines) where the function begins; 0: not known */
};

struct profile_node {
	uint32_t parent; /* of the root: itself, 0 */
	uint32_t frame; /* of the root: 0 */
	uint32_t depth; /* of the root: 0 */
	uint32_t first, next; /* child, sibling; 0: none */
	struct profile_sum self[PROFILE_SIDES_]; /* of stacks that end here */
	struct profile_sum total[PROFILE_SIDES_]; /* of all that pass */
};

struct profile_tree_options {
	bool lines; /* tell the lines of a function apart */
	bool processes; /* begin each stack with the name of its process */
	bool absolute; /* do not scale */
	uint32_t nodes; /* at most; 0: PROFILE_TREE_NODES_MAX */
};

struct profile_tree;

/* before: NULL for a tree of one. -ENOMEM. */
int profile_tree_new(const struct profile *now, const struct profile *before,
		     const struct profile_tree_options *options, struct profile_tree **ret);
struct profile_tree *profile_tree_free(struct profile_tree *tree); /* takes NULL, returns NULL */

bool profile_tree_is_diff(const struct profile_tree *tree);
const struct profile_info *profile_tree_info(const struct profile_tree *tree,
					     enum profile_side side);
/* As the profile had them, not scaled, but for what found no place here. */
struct profile_totals profile_tree_totals(const struct profile_tree *tree, enum profile_side side);

uint32_t profile_tree_n_nodes(const struct profile_tree *tree);
uint32_t profile_tree_n_frames(const struct profile_tree *tree); /* the root's included */
const struct profile_node *profile_tree_node(const struct profile_tree *tree, uint32_t node);
const struct profile_frame *profile_tree_frame(const struct profile_tree *tree, uint32_t frame);
uint32_t profile_tree_n_strings(const struct profile_tree *tree);
const char *profile_tree_text(const struct profile_tree *tree, uint32_t string);
/* How wide it is drawn: the value, of two profiles the sum of both, so that widths add up and what
 * vanished is seen. */
uint64_t profile_tree_weight(const struct profile_tree *tree, uint32_t node);

/* Each node behind its parent: begin with 0, the root; 0 is the end. profile_tree_skip() passes what is
 * below node over. */
uint32_t profile_tree_next(const struct profile_tree *tree, uint32_t node);
uint32_t profile_tree_skip(const struct profile_tree *tree, uint32_t node);

#define PROFILE_NAME_LEN (PROFILE_STRING_MAX + 3)
/* What to call a frame: its name, else "[libfoo.so.1]" after its module, else "[unknown]"; the root is
 * "all". Strangers' text. */
const char *profile_frame_name(const struct profile_tree *tree, uint32_t frame,
			       char buf[static PROFILE_NAME_LEN]);
/* What is behind the last slash. */
const char *profile_base_name(const char *path);

DEFINE_CLEANUP(struct profile_tree *, profile_tree_free)
#define _cleanup_profile_tree_ _cleanup_(profile_tree_free_p)
