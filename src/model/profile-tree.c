/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nodes are numbered as they are met, and a stack is entered from its root, so that a parent has a lower
 * number than its children: totals add up in one pass from the last node to the first. Nothing here is
 * recursive, since stacks of a thousand frames are ordinary input.
 */
#include "model/profile-tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/pool.h"
#include "base/util.h"

/* A node's identity in the pool; its sums are in the array of nodes. */
struct node_key {
	uint32_t parent, frame;
};

struct profile_tree {
	struct profile_tree_options options;
	bool is_diff;
	struct profile_info info[PROFILE_SIDES_];
	struct profile_totals totals[PROFILE_SIDES_];
	struct string_pool *strings;
	struct pool *frames, *keys;
	struct profile_node *nodes;
	uint32_t n_nodes;
	size_t room;
};

/* What is needed while one profile is entered. */
struct entry {
	struct profile_tree *tree;
	const struct profile *profile;
	enum profile_side side;
	uint32_t *strings; /* number in the profile -> in the tree + 1; 0: not yet */
	size_t n_strings;
	uint32_t stack[PROFILE_TREE_DEPTH_MAX]; /* frames, the innermost first */
	uint32_t n;
};

static void entry_done(struct entry *entry)
{
	free(entry->strings);
}

static int copy_string(struct entry *entry, uint32_t string, uint32_t *ret)
{
	uint32_t *known = &entry->strings[string];
	int r = 0;

	if (*known == 0) {
		r = string_pool_number(entry->tree->strings, profile_text(entry->profile, string),
				       true, known);
		if (r < 0)
			return r;
		++*known;
	}
	*ret = *known - 1;
	return 0;
}

static int push_frame(struct entry *entry, const struct profile_frame *frame)
{
	if (entry->n == PROFILE_TREE_DEPTH_MAX)
		return 0;
	return pool_number(entry->tree->frames, frame, true, &entry->stack[entry->n++]);
}

static int push_line(struct entry *entry, const struct profile_line *line, uint32_t module)
{
	const struct profile_function *function =
		profile_function_at(entry->profile, line->function);
	struct profile_frame frame = {
		.module = module,
		.line = entry->tree->options.lines ? line->line : function->line,
	};

	return copy_string(entry, function->name, &frame.name)
		       ?: copy_string(entry, function->file, &frame.file)
		       ?: push_frame(entry, &frame);
}

static int push_location(struct entry *entry, uint32_t number)
{
	const struct profile_location *location = profile_location_at(entry->profile, number);
	const struct profile_mapping *mapping =
		profile_mapping_at(entry->profile, location->mapping);
	const struct profile_line *line;
	struct profile_frame frame = {};
	int r = copy_string(entry, mapping->file, &frame.module);

	if (r == 0 && location->line == 0)
		return push_frame(entry, &frame);
	for (uint32_t at = location->line; r == 0 && at != 0; at = line->outer) {
		line = profile_line_at(entry->profile, at);
		r = push_line(entry, line, frame.module);
	}
	return r;
}

static int push_stack(struct entry *entry, const struct profile_sample *sample)
{
	static const struct profile_frame unknown;
	struct profile_frame process = {};
	uint32_t location, node = sample->stack;
	int r = 0;

	entry->n = 0;
	while (r == 0 && node != 0) {
		node = profile_caller(entry->profile, node, &location);
		r = push_location(entry, location);
	}
	if (r == 0 && entry->n == 0)
		r = push_frame(entry, &unknown);
	if (r < 0 || !entry->tree->options.processes)
		return r;
	return copy_string(entry, sample->labels.comm, &process.name)
		       ?: push_frame(entry, &process);
}

static int make_room(struct profile_tree *tree)
{
	size_t room = MAX(2 * tree->room, (size_t)64);
	struct profile_node *nodes;

	if (tree->n_nodes < tree->room)
		return 0;
	nodes = reallocarray(tree->nodes, room, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	tree->nodes = nodes;
	tree->room = room;
	return 0;
}

static int find_child(struct profile_tree *tree, uint32_t parent, uint32_t frame, uint32_t *ret)
{
	struct node_key key = { .parent = parent, .frame = frame };
	uint32_t number;
	int r = make_room(tree) ?: pool_number(tree->keys, &key, true, &number);

	if (r < 0)
		return r;
	if (number == tree->n_nodes) {
		tree->nodes[number] = (struct profile_node){
			.parent = parent,
			.frame = frame,
			.depth = number > 0 ? tree->nodes[parent].depth + 1 : 0,
		};
		tree->n_nodes++;
	}
	*ret = number;
	return 0;
}

static void leave_out(struct profile_totals *totals, const struct profile_sum *sum)
{
	totals->samples -= sum->samples;
	totals->value -= sum->value;
	totals->left_out += sum->samples;
}

/* Enters the stack that was pushed. */
static int add_stack(struct entry *entry, const struct profile_sum *sum)
{
	struct profile_sum *self;
	uint32_t node = 0;
	int r = 0;

	while (r == 0 && entry->n > 0)
		r = find_child(entry->tree, node, entry->stack[--entry->n], &node);
	if (r == -ENOSPC) {
		leave_out(&entry->tree->totals[entry->side], sum);
		return 0;
	}
	if (r < 0)
		return r;
	self = &entry->tree->nodes[node].self[entry->side];
	self->samples += sum->samples;
	self->value += sum->value;
	return 0;
}

static int add_profile(struct profile_tree *tree, const struct profile *profile,
		       enum profile_side side)
{
	_cleanup_(entry_done) struct entry entry = {
		.tree = tree,
		.profile = profile,
		.side = side,
		.strings = calloc(profile_n_strings(profile), sizeof(uint32_t)),
	};
	struct profile_sum sum;
	int r = entry.strings ? 0 : -ENOMEM;

	tree->info[side] = *profile_info(profile);
	tree->totals[side] = profile_totals(profile);
	for (uint32_t i = 0; r == 0 && i < profile_n_samples(profile); i++) {
		const struct profile_sample *sample = profile_sample_at(profile, i, &sum);

		r = push_stack(&entry, sample) ?: add_stack(&entry, &sum);
	}
	return r;
}

static uint64_t times(uint64_t n, uint64_t to, uint64_t from)
{
	return (uint64_t)(((__uint128_t)n * to + from / 2) / from);
}

/* Brings the smaller of the two totals to the other's size. */
static void scale(struct profile_tree *tree)
{
	const struct profile_totals *totals = tree->totals;
	enum profile_side small = totals[PROFILE_NOW].value < totals[PROFILE_BEFORE].value
					  ? PROFILE_NOW
					  : PROFILE_BEFORE;
	uint64_t to = totals[!small].value, from = totals[small].value;

	if (from == 0)
		return;
	for (uint32_t i = 0; i < tree->n_nodes; i++) {
		struct profile_sum *self = &tree->nodes[i].self[small];

		self->samples = times(self->samples, to, from);
		self->value = times(self->value, to, from);
	}
}

static void add_up(struct profile_tree *tree)
{
	for (uint32_t i = tree->n_nodes; i-- > 0;) {
		struct profile_node *node = &tree->nodes[i], *parent = &tree->nodes[node->parent];

		for (int side = 0; side < PROFILE_SIDES_; side++) {
			node->total[side].samples += node->self[side].samples;
			node->total[side].value += node->self[side].value;
			if (i == 0)
				continue;
			parent->total[side].samples += node->total[side].samples;
			parent->total[side].value += node->total[side].value;
		}
	}
}

/* By parent; then the heaviest first; then as they were met, which is the same each time. */
static int compare_siblings(const void *a, const void *b, void *arg)
{
	const struct profile_tree *tree = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	uint64_t wx = profile_tree_weight(tree, x), wy = profile_tree_weight(tree, y);

	if (tree->nodes[x].parent != tree->nodes[y].parent)
		return tree->nodes[x].parent < tree->nodes[y].parent ? -1 : 1;
	if (wx != wy)
		return wx > wy ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int link_siblings(struct profile_tree *tree)
{
	_cleanup_free_ uint32_t *order = calloc(tree->n_nodes, sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < tree->n_nodes; i++)
		order[i] = i;
	/* Without the root, which would be its own child. */
	qsort_r(order + 1, tree->n_nodes - 1, sizeof(*order), compare_siblings, tree);
	for (uint32_t i = tree->n_nodes; i-- > 1;) {
		struct profile_node *node = &tree->nodes[order[i]];
		struct profile_node *parent = &tree->nodes[node->parent];

		node->next = parent->first;
		parent->first = order[i];
	}
	return 0;
}

/* The empty string, the frame and the node of the root: number 0 of each. The line tells the root from
 * a frame of which nothing is known. */
static int begin(struct profile_tree *tree)
{
	static const struct profile_frame root = { .line = UINT32_MAX };
	uint32_t nodes = tree->options.nodes ? tree->options.nodes : PROFILE_TREE_NODES_MAX;
	uint32_t number;

	return string_pool_new(UINT32_MAX, &tree->strings)
		?: string_pool_number(tree->strings, "", true, &number)
		?: pool_new(sizeof(struct profile_frame), UINT32_MAX, &tree->frames)
		?: pool_number(tree->frames, &root, true, &number)
		?: pool_new(sizeof(struct node_key), nodes, &tree->keys)
		?: find_child(tree, 0, 0, &number);
}

int profile_tree_new(const struct profile *now, const struct profile *before,
		     const struct profile_tree_options *options, struct profile_tree **ret)
{
	_cleanup_profile_tree_ struct profile_tree *tree = calloc(1, sizeof(*tree));
	int r;

	if (!tree)
		return -ENOMEM;
	tree->options = *options;
	tree->is_diff = before;
	r = begin(tree) ?: add_profile(tree, now, PROFILE_NOW);
	if (r == 0 && before)
		r = add_profile(tree, before, PROFILE_BEFORE);
	if (r < 0)
		return r;
	if (before && !options->absolute)
		scale(tree);
	add_up(tree);
	r = link_siblings(tree);
	if (r < 0)
		return r;
	*ret = TAKE(tree);
	return 0;
}

struct profile_tree *profile_tree_free(struct profile_tree *tree)
{
	if (!tree)
		return NULL;
	string_pool_free(tree->strings);
	pool_free(tree->frames);
	pool_free(tree->keys);
	free(tree->nodes);
	free(tree);
	return NULL;
}

bool profile_tree_is_diff(const struct profile_tree *tree)
{
	return tree->is_diff;
}

const struct profile_info *profile_tree_info(const struct profile_tree *tree,
					     enum profile_side side)
{
	return &tree->info[side];
}

struct profile_totals profile_tree_totals(const struct profile_tree *tree, enum profile_side side)
{
	return tree->totals[side];
}

uint32_t profile_tree_n_nodes(const struct profile_tree *tree)
{
	return tree->n_nodes;
}

uint32_t profile_tree_n_frames(const struct profile_tree *tree)
{
	return (uint32_t)pool_size(tree->frames);
}

const struct profile_node *profile_tree_node(const struct profile_tree *tree, uint32_t node)
{
	return &tree->nodes[node];
}

const struct profile_frame *profile_tree_frame(const struct profile_tree *tree, uint32_t frame)
{
	return pool_get(tree->frames, frame);
}

uint32_t profile_tree_n_strings(const struct profile_tree *tree)
{
	return (uint32_t)string_pool_size(tree->strings);
}

const char *profile_tree_text(const struct profile_tree *tree, uint32_t string)
{
	return string_pool_get(tree->strings, string);
}

uint64_t profile_tree_weight(const struct profile_tree *tree, uint32_t node)
{
	const struct profile_sum *total = tree->nodes[node].total;

	return total[PROFILE_NOW].value + total[PROFILE_BEFORE].value;
}

uint32_t profile_tree_next(const struct profile_tree *tree, uint32_t node)
{
	uint32_t first = tree->nodes[node].first;

	return first ? first : profile_tree_skip(tree, node);
}

uint32_t profile_tree_skip(const struct profile_tree *tree, uint32_t node)
{
	while (node != 0 && tree->nodes[node].next == 0)
		node = tree->nodes[node].parent;
	return tree->nodes[node].next;
}

const char *profile_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

const char *profile_frame_name(const struct profile_tree *tree, uint32_t number,
			       char buf[static PROFILE_NAME_LEN])
{
	const struct profile_frame *frame = profile_tree_frame(tree, number);
	const char *module = profile_base_name(profile_tree_text(tree, frame->module));

	if (frame->name)
		return profile_tree_text(tree, frame->name);
	if (number == 0)
		return "all";
	if (!*module)
		return "[unknown]";
	if (*module == '[')
		return module;
	snprintf(buf, PROFILE_NAME_LEN, "[%s]", module);
	return buf;
}
