/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The line is built as the tree is walked: a node writes its name behind that of its parent. */
#include "render/folded.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/util.h"

struct path {
	char *text;
	size_t size;
	size_t *ends; /* by depth: length of the text up to there */
};

static void path_done(struct path *path)
{
	free(path->text);
	free(path->ends);
}

static int path_reserve(struct path *path, size_t size)
{
	size_t wanted = MAX(2 * path->size, size);
	char *text;

	if (size <= path->size)
		return 0;
	text = realloc(path->text, wanted);
	if (!text)
		return -ENOMEM;
	path->text = text;
	path->size = wanted;
	return 0;
}

static int path_put(struct path *path, const struct profile_tree *tree,
		    const struct profile_node *node)
{
	char buf[PROFILE_NAME_LEN];
	const char *name = profile_frame_name(tree, node->frame, buf);
	size_t at = path->ends[node->depth - 1], room = TEXT_ESCAPED_MAX(strlen(name));

	if (path_reserve(path, at + 1 + room) < 0)
		return -ENOMEM;
	if (at > 0)
		path->text[at++] = ';';
	text_escape(TEXT_TERMINAL, name, path->text + at, room);
	for (; path->text[at]; at++)
		if (path->text[at] == ';')
			path->text[at] = ':';
	path->ends[node->depth] = at;
	return 0;
}

static void print_line(const struct path *path, const struct profile_tree *tree,
		       const struct profile_node *node, FILE *out)
{
	uint64_t now = node->self[PROFILE_NOW].value, before = node->self[PROFILE_BEFORE].value;

	if (now == 0 && before == 0)
		return;
	if (profile_tree_is_diff(tree))
		fprintf(out, "%s %" PRIu64 " %" PRIu64 "\n", path->text, before, now);
	else
		fprintf(out, "%s %" PRIu64 "\n", path->text, now);
}

int folded_print(const struct profile_tree *tree, FILE *out)
{
	_cleanup_(path_done) struct path path = {
		.ends = calloc(PROFILE_TREE_DEPTH_MAX + 1, sizeof(*path.ends)),
	};

	if (!path.ends)
		return -ENOMEM;
	for (uint32_t i = profile_tree_next(tree, 0); i != 0; i = profile_tree_next(tree, i)) {
		const struct profile_node *node = profile_tree_node(tree, i);

		if (path_put(&path, tree, node) < 0)
			return -ENOMEM;
		print_line(&path, tree, node, out);
	}
	return 0;
}
