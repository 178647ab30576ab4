/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A thousand frames cannot be indented by one each. A node that is its parent's only child worth showing
 * stands below it at the same depth, so only forks take room:
 *
 *     100.00 ██████████ main
 *      99.40 █████████▉ run
 *      70.10 ███████    ├ parse
 *      69.90 ██████▉    │ next_token
 *      29.30 ██▉        └ print
 */
#include "render/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "render/profile-text.h"

#define BAR_WIDTH 10
/* Forks that are indented, at most and of a terminal's width; deeper ones stand below each other. */
#define FORKS_MAX 64U
#define FORKS_PER_WIDTH 6
#define NAME_WIDTH_MIN 16

enum fork {
	FORK_MORE, /* siblings follow */
	FORK_LAST,
};

struct walk {
	const struct profile_tree *tree;
	const struct tree_options *options;
	const struct text_look *look;
	FILE *out;
	uint64_t least; /* weight that is shown */
	uint64_t hidden; /* branches left out */
	enum fork forks[FORKS_MAX];
	unsigned forks_max;
	uint16_t *n_forks; /* by depth: how many the node there is behind */
};

static bool is_shown(const struct walk *walk, uint32_t node)
{
	uint32_t depth = profile_tree_node(walk->tree, node)->depth;

	return profile_tree_weight(walk->tree, node) >= walk->least &&
	       (walk->options->depth == 0 || depth <= walk->options->depth);
}

/* The heaviest come first, so a sibling that is not shown is followed by none that is. */
static uint32_t next_shown(const struct walk *walk, uint32_t sibling)
{
	return sibling != 0 && is_shown(walk, sibling) ? sibling : 0;
}

static void count_hidden(struct walk *walk, uint32_t sibling)
{
	while (sibling != 0) {
		walk->hidden += !is_shown(walk, sibling);
		sibling = profile_tree_node(walk->tree, sibling)->next;
	}
}

/* Eighths of a column in UTF-8, whole ones in ASCII. */
static void print_bar(const struct walk *walk, double percent)
{
	static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	int n = (int)(percent / 100 * 8 * BAR_WIDTH + 0.5), width = 0;

	for (; n >= 8; n -= 8, width++)
		fputs(walk->look->utf8 ? "█" : "#", walk->out);
	if (n > 0 && walk->look->utf8) {
		fputs(eighths[n], walk->out);
		width++;
	}
	fprintf(walk->out, "%*s", BAR_WIDTH - width + 1, "");
}

static void print_share(const struct walk *walk, const struct profile_node *node)
{
	const struct profile_sum *all = profile_tree_node(walk->tree, 0)->total;
	double now = profile_percent(node->total[PROFILE_NOW].value, all[PROFILE_NOW].value);
	double before =
		profile_percent(node->total[PROFILE_BEFORE].value, all[PROFILE_BEFORE].value);
	double change = now - before;
	enum text_style style = change >= 0.005	   ? STYLE_BAD
				: change <= -0.005 ? STYLE_GOOD
						   : STYLE_FAINT;

	fprintf(walk->out, "%6.2f ", now);
	if (!profile_tree_is_diff(walk->tree)) {
		print_bar(walk, now);
		return;
	}
	fprintf(walk->out, "%6.2f %s%+7.2f%s ", before, text_style_begin(style, walk->look), change,
		text_style_end(style, walk->look));
}

/* The lines of the forks that node is behind. Returns the columns that they take. */
static unsigned print_forks(struct walk *walk, const struct profile_node *node, bool begins)
{
	static const char *const utf8[] = { "├ ", "└ ", "│ ", "  " };
	static const char *const ascii[] = { "+ ", "` ", "| ", "  " };
	const char *const *pieces = walk->look->utf8 ? utf8 : ascii;
	unsigned n = walk->n_forks[node->depth];

	fputs(text_style_begin(STYLE_FAINT, walk->look), walk->out);
	for (unsigned i = 0; i < n; i++)
		fputs(pieces[walk->forks[i] + (begins && i == n - 1 ? 0 : 2)], walk->out);
	fputs(text_style_end(STYLE_FAINT, walk->look), walk->out);
	return 2 * n;
}

static void print_name(const struct walk *walk, const struct profile_node *node, unsigned width)
{
	const struct profile_frame *frame = profile_tree_frame(walk->tree, node->frame);
	const char *module = profile_base_name(profile_tree_text(walk->tree, frame->module));
	char buf[PROFILE_NAME_LEN], escaped[TEXT_ESCAPED_MAX(PROFILE_NAME_LEN)];
	unsigned name_width, module_width;

	text_escape(TEXT_TERMINAL, profile_frame_name(walk->tree, node->frame, buf), escaped,
		    sizeof(escaped));
	name_width = text_print_cut(escaped, width, walk->look, walk->out);
	text_escape(TEXT_TERMINAL, module, escaped, sizeof(escaped));
	module_width = text_width(escaped);
	/* Only if it fits whole, and does not repeat the name. */
	if (frame->name && *module && (width == 0 || name_width + 2 + module_width <= width))
		fprintf(walk->out, "  %s%s%s", text_style_begin(STYLE_FAINT, walk->look), escaped,
			text_style_end(STYLE_FAINT, walk->look));
	fputc('\n', walk->out);
}

static void print_node(struct walk *walk, const struct profile_node *node, bool begins)
{
	unsigned used = profile_tree_is_diff(walk->tree) ? 22 : 7 + BAR_WIDTH + 1;
	unsigned width = walk->look->width;

	print_share(walk, node);
	used += print_forks(walk, node, begins);
	if (width > 0)
		width = width > used + NAME_WIDTH_MIN ? width - used : NAME_WIDTH_MIN;
	print_name(walk, node, width);
}

/* Whether node is one of several; if so it stands behind a fork of its own. */
static bool enter_fork(struct walk *walk, const struct profile_node *node)
{
	const struct profile_node *parent = profile_tree_node(walk->tree, node->parent);
	unsigned n = walk->n_forks[parent->depth];
	bool alone = next_shown(walk, profile_tree_node(walk->tree, parent->first)->next) == 0;

	if (!alone && n < walk->forks_max) {
		walk->forks[n++] = next_shown(walk, node->next) ? FORK_MORE : FORK_LAST;
		walk->n_forks[node->depth] = (uint16_t)n;
		return true;
	}
	walk->n_forks[node->depth] = (uint16_t)n;
	return false;
}

static void print_titles(const struct walk *walk)
{
	fprintf(walk->out, "%s   NOW BEFORE  CHANGE%s\n", text_style_begin(STYLE_TITLE, walk->look),
		text_style_end(STYLE_TITLE, walk->look));
}

static void walk_tree(struct walk *walk)
{
	uint32_t i = 0;

	if (profile_tree_is_diff(walk->tree))
		print_titles(walk);
	do {
		const struct profile_node *node = profile_tree_node(walk->tree, i);

		if (i != 0 && !is_shown(walk, i)) {
			i = profile_tree_skip(walk->tree, i);
			continue;
		}
		print_node(walk, node, i != 0 && enter_fork(walk, node));
		count_hidden(walk, node->first);
		i = profile_tree_next(walk->tree, i);
	} while (i != 0);
}

int tree_print(const struct profile_tree *tree, const struct tree_options *options,
	       const struct text_look *look, FILE *out)
{
	_cleanup_free_ uint16_t *n_forks = calloc(PROFILE_TREE_DEPTH_MAX + 1, sizeof(*n_forks));
	struct walk walk = {
		.tree = tree,
		.options = options,
		.look = look,
		.out = out,
		.least = (uint64_t)(options->min_percent / 100 *
				    (double)profile_tree_weight(tree, 0)),
		.n_forks = n_forks,
		.forks_max =
			look->width > 0 ? MIN(look->width / FORKS_PER_WIDTH, FORKS_MAX) : FORKS_MAX,
	};

	if (!n_forks)
		return -ENOMEM;
	walk_tree(&walk);
	if (walk.hidden > 0)
		fprintf(out, "%" PRIu64 " smaller or deeper branches are not shown\n", walk.hidden);
	profile_totals_print(tree, out);
	return 0;
}
