/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two walks: how high it gets, then a group for each frame. The root is at the bottom. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/util.h"
#include "render/flame.h"
#include "render/profile-text.h"
#include "render/quote.h"

#define ROW 17 /* pixels */
#define NARROWEST 0.33
#define TOP 52 /* what stands above and below the frames */
#define BOTTOM 46
#define SIDE 10
#define LETTER 6.7 /* width of a character of 11 pixels */

struct picture {
	const struct profile_tree *tree;
	FILE *out;
	double width; /* of the frames */
	unsigned height; /* of everything */
	double *next; /* by depth: where the next child of the node there begins */
};

static double width_of(const struct picture *picture, uint32_t node)
{
	uint64_t all = profile_tree_weight(picture->tree, 0);

	return all > 0 ? picture->width * (double)profile_tree_weight(picture->tree, node) /
				 (double)all
		       : 0;
}

static uint32_t next_node(const struct picture *picture, uint32_t node)
{
	node = profile_tree_next(picture->tree, node);
	while (node != 0 && width_of(picture, node) < NARROWEST)
		node = profile_tree_skip(picture->tree, node);
	return node;
}

static unsigned measure(const struct picture *picture)
{
	uint32_t i = 0, depth = 0;

	do {
		depth = MAX(depth, profile_tree_node(picture->tree, i)->depth);
		i = next_node(picture, i);
	} while (i != 0);
	return TOP + (depth + 1) * ROW + BOTTOM;
}

struct color {
	double part[3]; /* red, green, blue: 0 to 1 */
};

/* The formula of CSS Color 4, section 7.1. */
static struct color hsl(double hue, double saturation, double lightness)
{
	double a = saturation * MIN(lightness, 1 - lightness);
	struct color color;

	for (int i = 0; i < 3; i++) {
		double k = (i == 0 ? 0 : i == 1 ? 8 : 4) + hue / 30, ramp;

		k -= k >= 12 ? 12 : 0;
		ramp = k < 6 ? k - 3 : 9 - k;
		ramp = MIN(ramp, 1.0);

		color.part[i] = lightness - a * MAX(-1.0, ramp);
	}
	return color;
}

static struct color mix(struct color from, struct color to, double share)
{
	for (int i = 0; i < 3; i++)
		from.part[i] += (to.part[i] - from.part[i]) * share;
	return from;
}

static uint32_t hash(const char *text)
{
	uint32_t h = 2166136261;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 16777619;
	return h ^ h >> 15;
}

/* As in flame.js: the kernel is warm, each module of a program has a hue from green to violet. */
static struct color module_color(const char *module)
{
	uint32_t hue = hash(module) % 360;

	if (!*module)
		return hsl(220, 0.1, 0.85);
	return hsl(*module == '[' ? 18 + hue % 22 : 70 + hue * 200.0 / 360, 0.58, 0.76);
}

static struct color change_color(const struct profile_tree *tree, const struct profile_node *node)
{
	const struct profile_sum *all = profile_tree_node(tree, 0)->total;
	double now = profile_percent(node->total[PROFILE_NOW].value, all[PROFILE_NOW].value);
	double before =
		profile_percent(node->total[PROFILE_BEFORE].value, all[PROFILE_BEFORE].value);
	double change = now + before > 0 ? (now - before) / (now + before) : 0;
	double much = change > 0 ? change : -change;

	return mix(hsl(220, 0.1, 0.87), change > 0 ? hsl(8, 0.77, 0.61) : hsl(213, 0.7, 0.6),
		   much * (2 - much));
}

static void put_title(const struct picture *picture, const struct profile_node *node)
{
	const struct profile_frame *frame = profile_tree_frame(picture->tree, node->frame);
	const struct profile_sum *all = profile_tree_node(picture->tree, 0)->total;
	const struct profile_type *type = &profile_tree_info(picture->tree, PROFILE_NOW)->type;
	const struct profile_sum *now = &node->total[PROFILE_NOW];
	const struct profile_sum *before = &node->total[PROFILE_BEFORE];
	char name[PROFILE_NAME_LEN], value[PROFILE_VALUE_LEN];

	fputs("<title>", picture->out);
	quote_xml(profile_frame_name(picture->tree, node->frame, name), picture->out);
	fprintf(picture->out, "\n%s, %.2f%%, %" PRIu64 " samples",
		profile_value_text(type, now->value, value),
		profile_percent(now->value, all[PROFILE_NOW].value), now->samples);
	if (profile_tree_is_diff(picture->tree))
		fprintf(picture->out, "\nbefore %s, %.2f%%, %" PRIu64 " samples",
			profile_value_text(type, before->value, value),
			profile_percent(before->value, all[PROFILE_BEFORE].value), before->samples);
	if (node->frame != 0 && frame->file) {
		fputc('\n', picture->out);
		quote_xml(profile_tree_text(picture->tree, frame->file), picture->out);
		if (frame->line)
			fprintf(picture->out, ":%" PRIu32, frame->line);
	}
	if (frame->module) {
		fputc('\n', picture->out);
		quote_xml(profile_tree_text(picture->tree, frame->module), picture->out);
	}
	fputs("</title>", picture->out);
}

/* As many characters as fit. */
static void put_name(const struct picture *picture, const struct profile_node *node, double x,
		     double y, double width)
{
	size_t room = width > 6 ? (size_t)((width - 6) / LETTER) : 0, used = 0, last = 0, n = 0;
	char buf[PROFILE_NAME_LEN], cut[TEXT_ESCAPED_MAX(PROFILE_NAME_LEN)];
	uint32_t c;

	if (room < 3)
		return;
	/* Spelled out before it is counted, for that makes it longer. */
	text_escape(TEXT_TERMINAL, profile_frame_name(picture->tree, node->frame, buf), cut,
		    sizeof(cut));
	for (; cut[used] && n < room; n++) {
		last = used;
		used += text_utf8_char(cut + used, &c);
	}
	fprintf(picture->out, "<text x=\"%.1f\" y=\"%.1f\">", x + 3, y + ROW - 5);
	if (cut[used]) {
		cut[last] = '\0';
		quote_xml(cut, picture->out);
		fputs("…", picture->out);
	} else {
		quote_xml(cut, picture->out);
	}
	fputs("</text>", picture->out);
}

static void put_node(const struct picture *picture, uint32_t number)
{
	const struct profile_node *node = profile_tree_node(picture->tree, number);
	const struct profile_frame *frame = profile_tree_frame(picture->tree, node->frame);
	struct color color =
		profile_tree_is_diff(picture->tree)
			? change_color(picture->tree, node)
			: module_color(profile_tree_text(picture->tree, frame->module));
	double width = width_of(picture, number), x = SIDE;
	double y = picture->height - BOTTOM - (node->depth + 1.0) * ROW;

	if (number != 0) {
		x = picture->next[node->depth - 1];
		picture->next[node->depth - 1] += width;
	}
	picture->next[node->depth] = x;
	fputs("<g>", picture->out);
	put_title(picture, node);
	fprintf(picture->out,
		"<rect x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" height=\"%d\" "
		"fill=\"#%02x%02x%02x\"/>",
		x, y, MAX(width - (width > 3 ? 0.7 : 0), 0.2), ROW - 1,
		(unsigned)(255 * color.part[0] + 0.5), (unsigned)(255 * color.part[1] + 0.5),
		(unsigned)(255 * color.part[2] + 0.5));
	put_name(picture, node, x, y, width);
	fputs("</g>\n", picture->out);
}

static void put_head(const struct picture *picture, const char *title, unsigned width)
{
	char subtitle[PROFILE_SUBTITLE_LEN];

	fprintf(picture->out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
		"viewBox=\"0 0 %u %u\">\n<style>\n"
		"svg { background: #ffffff; }\n"
		"text { font: 11px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; "
		"fill: #16181c; pointer-events: none; }\n"
		".head { font: 600 15px system-ui, 'DejaVu Sans', sans-serif; }\n"
		".faint { font: 12px system-ui, 'DejaVu Sans', sans-serif; fill: #667080; }\n"
		"g:hover rect { stroke: #16181c; }\n"
		"@media (prefers-color-scheme: dark) { svg { background: #16181c; } "
		".head { fill: #e4e7ec; } .faint { fill: #97a1b0; } }\n"
		"</style>\n<text class=\"head\" x=\"%d\" y=\"22\">",
		width, picture->height, width, picture->height, SIDE);
	quote_xml(title, picture->out);
	fprintf(picture->out, "</text>\n<text class=\"faint\" x=\"%d\" y=\"40\">", SIDE);
	quote_xml(profile_subtitle_text(picture->tree, subtitle), picture->out);
	fputs("</text>\n", picture->out);
}

static void put_totals(const struct picture *picture)
{
	struct profile_totals now = profile_tree_totals(picture->tree, PROFILE_NOW);
	struct profile_totals before = profile_tree_totals(picture->tree, PROFILE_BEFORE);
	char buf[PROFILE_TOTALS_LEN];

	fprintf(picture->out, "<text class=\"faint\" x=\"%d\" y=\"%u\">%s</text>\n", SIDE,
		picture->height - BOTTOM + 20, profile_totals_text(&now, buf));
	if (profile_tree_is_diff(picture->tree))
		fprintf(picture->out, "<text class=\"faint\" x=\"%d\" y=\"%u\">before: %s</text>\n",
			SIDE, picture->height - BOTTOM + 37, profile_totals_text(&before, buf));
}

int flame_svg_write(const struct profile_tree *tree, const char *title, unsigned width, FILE *out)
{
	_cleanup_free_ double *next = calloc(PROFILE_TREE_DEPTH_MAX + 1, sizeof(*next));
	struct picture picture = {
		.tree = tree,
		.out = out,
		.width = width - 2.0 * SIDE,
		.next = next,
	};
	uint32_t i = 0;

	if (!next)
		return -ENOMEM;
	picture.height = measure(&picture);
	put_head(&picture, title, width);
	do {
		put_node(&picture, i);
		i = next_node(&picture, i);
	} while (i != 0);
	put_totals(&picture);
	fputs("</svg>\n", out);
	return 0;
}
