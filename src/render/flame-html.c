/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The page is the fixed parts and a block of JSON: the nodes as one array per property, in the order of a
 * walk from the root, which takes a third of what an object per node would. The script is allowed to run
 * by its hash, so nothing else runs, whatever a symbol is called.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/util.h"
#include "render/flame-assets.h"
#include "render/flame.h"
#include "render/profile-text.h"
#include "render/quote.h"

struct page {
	const struct profile_tree *tree;
	FILE *out;
	uint64_t least; /* weight of the nodes that are in it */
};

static uint32_t count_nodes(const struct profile_tree *tree, uint64_t least)
{
	uint32_t n = 1;

	for (uint32_t i = 1; i < profile_tree_n_nodes(tree); i++)
		n += profile_tree_weight(tree, i) >= least;
	return n;
}

/* A node weighs no more than its parent, so one bound cuts whole branches. */
static uint64_t find_least(const struct profile_tree *tree)
{
	uint64_t least = 1;

	while (count_nodes(tree, least) > FLAME_NODES_MAX)
		least *= 2;
	return least;
}

static uint32_t next_node(const struct page *page, uint32_t node)
{
	node = profile_tree_next(page->tree, node);
	while (node != 0 && profile_tree_weight(page->tree, node) < page->least)
		node = profile_tree_skip(page->tree, node);
	return node;
}

enum property {
	DEPTH,
	FRAME,
	TOTAL,
	SELF,
	SAMPLES,
};

static uint64_t property_of(const struct profile_node *node, enum property property,
			    enum profile_side side)
{
	switch (property) {
	case DEPTH:
		return node->depth;
	case FRAME:
		return node->frame;
	case TOTAL:
		return node->total[side].value;
	case SELF:
		return node->self[side].value;
	default:
		return node->total[side].samples;
	}
}

static void put_nodes(const struct page *page, const char *key, enum property property,
		      enum profile_side side)
{
	uint32_t i = 0;

	fprintf(page->out, ",\n\"%s\":[", key);
	do {
		const struct profile_node *node = profile_tree_node(page->tree, i);

		fprintf(page->out, "%s%" PRIu64, i > 0 ? "," : "",
			property_of(node, property, side));
		i = next_node(page, i);
	} while (i != 0);
	fputc(']', page->out);
}

static void put_sums(const struct page *page, enum profile_side side)
{
	put_nodes(page, "total", TOTAL, side);
	put_nodes(page, "self", SELF, side);
	put_nodes(page, "samples", SAMPLES, side);
}

static void put_names(const struct page *page)
{
	char buf[PROFILE_NAME_LEN];

	fputs(",\n\"names\":[", page->out);
	for (uint32_t i = 0; i < profile_tree_n_frames(page->tree); i++) {
		fputs(i > 0 ? ",\n" : "", page->out);
		quote_json(profile_frame_name(page->tree, i, buf), true, page->out);
	}
	fputc(']', page->out);
}

static void put_frames(const struct page *page, const char *key, size_t offset)
{
	fprintf(page->out, ",\n\"%s\":[", key);
	for (uint32_t i = 0; i < profile_tree_n_frames(page->tree); i++) {
		const void *frame = profile_tree_frame(page->tree, i);
		uint32_t number = *(const uint32_t *)((const char *)frame + offset);

		fprintf(page->out, "%s%" PRIu32, i > 0 ? "," : "", number);
	}
	fputc(']', page->out);
}

/* Those of modules and files; names are in put_names(), as they are shown. */
static int put_strings(const struct page *page)
{
	uint32_t n = profile_tree_n_strings(page->tree);
	_cleanup_free_ bool *used = calloc(n, sizeof(*used));

	if (!used)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile_tree_n_frames(page->tree); i++) {
		const struct profile_frame *frame = profile_tree_frame(page->tree, i);

		used[frame->module] = used[frame->file] = true;
	}
	fputs(",\n\"strings\":[", page->out);
	for (uint32_t i = 0; i < n; i++) {
		fputs(i > 0 ? "," : "", page->out);
		quote_json(used[i] ? profile_tree_text(page->tree, i) : "", true, page->out);
	}
	fputc(']', page->out);
	return 0;
}

static void put_totals(const struct page *page)
{
	uint32_t small = profile_tree_n_nodes(page->tree) - count_nodes(page->tree, page->least);
	struct profile_totals now = profile_tree_totals(page->tree, PROFILE_NOW);
	struct profile_totals before = profile_tree_totals(page->tree, PROFILE_BEFORE);
	char buf[PROFILE_TOTALS_LEN];

	fprintf(page->out, ",\n\"totals\":[\"%s\"", profile_totals_text(&now, buf));
	if (profile_tree_is_diff(page->tree))
		fprintf(page->out, ",\"before: %s\"", profile_totals_text(&before, buf));
	if (small > 0)
		fprintf(page->out, ",\"%" PRIu32 " small frames are not in this page\"", small);
	fputc(']', page->out);
}

static int put_data(const struct page *page, const char *title)
{
	const struct profile_info *info = profile_tree_info(page->tree, PROFILE_NOW);
	char subtitle[PROFILE_SUBTITLE_LEN];
	int r;

	fputs("<script type=\"application/json\" id=\"profile\">\n{\"title\":", page->out);
	quote_json(title, true, page->out);
	fputs(",\n\"subtitle\":", page->out);
	quote_json(profile_subtitle_text(page->tree, subtitle), true, page->out);
	fputs(",\n\"unit\":", page->out);
	quote_json(info->type.unit, true, page->out);
	put_totals(page);
	put_names(page);
	put_frames(page, "modules", offsetof(struct profile_frame, module));
	put_frames(page, "files", offsetof(struct profile_frame, file));
	put_frames(page, "lines", offsetof(struct profile_frame, line));
	r = put_strings(page);
	put_nodes(page, "depth", DEPTH, PROFILE_NOW);
	put_nodes(page, "frame", FRAME, PROFILE_NOW);
	put_sums(page, PROFILE_NOW);
	if (profile_tree_is_diff(page->tree)) {
		/* The first member has no comma of its own. */
		fputs(",\n\"before\":{\"side\":\"before\"", page->out);
		put_sums(page, PROFILE_BEFORE);
		fputc('}', page->out);
	}
	fputs("}\n</script>\n", page->out);
	return r;
}

static void put_head(const struct page *page, const char *title)
{
	fprintf(page->out,
		"<!DOCTYPE html>\n<html lang=\"en\" dir=\"ltr\">\n<head>\n<meta "
		"charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"script-src '%s'; style-src '%s'; base-uri 'none'; form-action 'none'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
		flame_js_hash, flame_css_hash);
	quote_xml(title, page->out);
	fputs("</title>\n<style>", page->out);
	fwrite(flame_css, 1, flame_css_size, page->out);
	fputs("</style>\n</head>\n<body>\n", page->out);
}

int flame_html_write(const struct profile_tree *tree, const char *title, FILE *out)
{
	struct page page = { .tree = tree, .out = out, .least = find_least(tree) };
	int r;

	put_head(&page, title);
	fwrite(flame_html, 1, flame_html_size, out);
	r = put_data(&page, title);
	fputs("<script>", out);
	fwrite(flame_js, 1, flame_js_size, out);
	fputs("</script>\n</body>\n</html>\n", out);
	return r;
}
