/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ebpfobsctl profile: where programs spend their time, as a table, a tree, a picture or a file. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "ctl/ctl.h"
#include "ctl/profile-read.h"
#include "ctl/verb.h"
#include "model/profile-top.h"
#include "render/flame.h"
#include "render/folded.h"
#include "render/top.h"
#include "render/tree.h"

#define TOP_ROWS 30 /* on a terminal, when nobody asked for more */
#define TREE_PERCENT 1.0 /* lighter branches are left out */
#define TITLE "CPU profile"

static int print_rows(struct ctl *ctl, struct json_object *top)
{
	struct json_object *functions = json_object_object_get(top, "functions");

	for (size_t i = 0; i < json_object_array_length(functions); i++)
		if (csv_add(ctl->csv, json_object_array_get_idx(functions, i)) < 0)
			return ctl_no_memory();
	return EXIT_OK;
}

static int print_top(struct ctl *ctl, const struct profile_tree *tree,
		     const struct profile_top_row *rows, size_t n)
{
	size_t limit = ctl->limit >= 0				     ? (size_t)ctl->limit
		       : ctl->format == CTL_TABLE && ctl->look.width ? TOP_ROWS
								     : 0;
	struct json_object *top;
	int status;

	if (ctl->format == CTL_TABLE)
		return top_print(tree, rows, n, limit, &ctl->look, ctl->out) < 0 ? ctl_no_memory()
										 : EXIT_OK;
	top = top_json(tree, rows, n, limit);
	if (!top)
		return ctl_no_memory();
	status = ctl->format == CTL_CSV ? print_rows(ctl, top) : ctl_print_object(ctl, top);
	json_object_put(top);
	return status;
}

static int show_top(struct ctl *ctl, const struct profile_tree *tree, int argc, char **argv)
{
	_cleanup_free_ struct profile_top_row *rows = NULL;
	size_t n;

	if (profile_top(tree,
			ctl_has_switch(argc, argv, "--total") ? PROFILE_BY_TOTAL : PROFILE_BY_SELF,
			&rows, &n) < 0)
		return ctl_no_memory();
	return print_top(ctl, tree, rows, n);
}

static int show_tree(struct ctl *ctl, const struct profile_tree *tree, int argc, char **argv)
{
	const struct tree_options options = { .min_percent = TREE_PERCENT };

	return tree_print(tree, &options, &ctl->look, ctl->out) < 0 ? ctl_no_memory() : EXIT_OK;
}

static int show_flame(struct ctl *ctl, const struct profile_tree *tree, int argc, char **argv)
{
	return flame_html_write(tree, TITLE, ctl->out) < 0 ? ctl_no_memory() : EXIT_OK;
}

static int show_folded(struct ctl *ctl, const struct profile_tree *tree, int argc, char **argv)
{
	return folded_print(tree, ctl->out) < 0 ? ctl_no_memory() : EXIT_OK;
}

static const struct view {
	const char *name;
	int (*show)(struct ctl *ctl, const struct profile_tree *tree, int argc, char **argv);
} views[] = {
	{ "top", show_top },
	{ "tree", show_tree },
	{ "flame", show_flame },
	{ "folded", show_folded },
};

static const struct view *find_view(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(views); i++)
		if (streq(views[i].name, name))
			return &views[i];
	return NULL;
}

static int run_profile(struct ctl *ctl, int argc, char **argv)
{
	const struct view *view = find_view(argc > 1 ? argv[1] : "top");
	_cleanup_profile_ struct profile *profile = NULL;
	_cleanup_profile_tree_ struct profile_tree *tree = NULL;
	struct profile_tree_options options = {
		.lines = ctl_has_switch(argc, argv, "--lines"),
	};
	int status;

	if (!view)
		return ctl_fail(EXIT_USAGE, "\"%s\" is none of top, tree, flame and folded.",
				argv[1]);
	status = profile_read(ctl, &profile);
	if (status != EXIT_OK)
		return status;
	if (profile_tree_new(profile, NULL, &options, &tree) < 0)
		return ctl_no_memory();
	return view->show(ctl, tree, argc, argv);
}

static const struct verb_switch switches[] = {
	{ "total", "top: in the order of what functions cost with all that they call" },
	{ "lines", "tell the lines of a function apart" },
	{},
};

const struct verb_ops verb_profile = {
	.name = "profile",
	.synopsis = "[top|tree|flame|folded] [--total] [--lines]",
	.help = "where programs spend their time",
	.takes = VERB_TAKES_RANGE | VERB_TAKES_FILTERS | VERB_TAKES_WATCH,
	.switches = switches,
	.run = run_profile,
};
