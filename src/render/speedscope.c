/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The samples are the nodes at which stacks end, each with the frames from the root to there. */
#include "render/speedscope.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/util.h"
#include "render/profile-text.h"
#include "render/quote.h"

struct writer {
	const struct profile_tree *tree;
	FILE *out;
	enum profile_side side;
	uint32_t *path; /* frames by depth */
	const char *separator;
};

static uint64_t self_of(const struct writer *w, uint32_t node)
{
	return profile_tree_node(w->tree, node)->self[w->side].value;
}

/* The root, which is no frame, is not written: the frame of number n is the one at index n - 1. */
static void put_frames(const struct writer *w)
{
	char name[PROFILE_NAME_LEN];

	fputs("\"shared\":{\"frames\":[", w->out);
	for (uint32_t i = 1; i < profile_tree_n_frames(w->tree); i++) {
		const struct profile_frame *frame = profile_tree_frame(w->tree, i);

		fprintf(w->out, "%s{\"name\":", i > 1 ? ",\n" : "\n");
		quote_json(profile_frame_name(w->tree, i, name), false, w->out);
		if (frame->file) {
			fputs(",\"file\":", w->out);
			quote_json(profile_tree_text(w->tree, frame->file), false, w->out);
		}
		if (frame->line)
			fprintf(w->out, ",\"line\":%" PRIu32, frame->line);
		fputc('}', w->out);
	}
	fputs("]}", w->out);
}

static void put_sample(struct writer *w, uint32_t number)
{
	const struct profile_node *node = profile_tree_node(w->tree, number);

	w->path[node->depth] = node->frame;
	if (self_of(w, number) == 0)
		return;
	fprintf(w->out, "%s\n[", w->separator);
	w->separator = ",";
	for (uint32_t depth = 1; depth <= node->depth; depth++)
		fprintf(w->out, "%s%" PRIu32, depth > 1 ? "," : "", w->path[depth] - 1);
	fputc(']', w->out);
}

static void put_weight(struct writer *w, uint32_t number)
{
	if (self_of(w, number) == 0)
		return;
	fprintf(w->out, "%s%" PRIu64, w->separator, self_of(w, number));
	w->separator = ",";
}

static void put_each(struct writer *w, const char *key,
		     void (*put)(struct writer *w, uint32_t node))
{
	uint32_t i = 0;

	fprintf(w->out, ",\"%s\":[", key);
	w->separator = "";
	do {
		put(w, i);
		i = profile_tree_next(w->tree, i);
	} while (i != 0);
	fputc(']', w->out);
}

static void put_profile(struct writer *w, const char *name, enum profile_side side)
{
	const char *unit = profile_tree_info(w->tree, side)->type.unit;

	w->side = side;
	fputs("{\"type\":\"sampled\",\"name\":", w->out);
	quote_json(name, false, w->out);
	/* It knows some units, and no counts. */
	fprintf(w->out, ",\"unit\":\"%s\",\"startValue\":0,\"endValue\":%" PRIu64,
		streq(unit, "nanoseconds") || streq(unit, "bytes") ? unit : "none",
		profile_tree_node(w->tree, 0)->total[side].value);
	put_each(w, "samples", put_sample);
	put_each(w, "weights", put_weight);
	fputc('}', w->out);
}

static void put_head(const struct writer *w, const char *title)
{
	struct profile_totals totals = profile_tree_totals(w->tree, PROFILE_NOW);
	char text[PROFILE_TOTALS_LEN];

	fputs("{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"name\":",
	      w->out);
	quote_json(title, false, w->out);
	/* The only field that is free. */
	fprintf(w->out, ",\"exporter\":\"ebpfobs " EBPFOBS_VERSION ": %s\",\n",
		profile_totals_text(&totals, text));
}

int speedscope_write(const struct profile_tree *tree, const char *title, FILE *out)
{
	_cleanup_free_ uint32_t *path = calloc(PROFILE_TREE_DEPTH_MAX + 1, sizeof(*path));
	struct writer w = { .tree = tree, .out = out, .path = path };
	bool diff = profile_tree_is_diff(tree);

	if (!path)
		return -ENOMEM;
	put_head(&w, title);
	put_frames(&w);
	fputs(",\n\"profiles\":[", out);
	put_profile(&w, diff ? "now" : title, PROFILE_NOW);
	if (diff) {
		fputs(",\n", out);
		put_profile(&w, "before", PROFILE_BEFORE);
	}
	fputs("]}\n", out);
	return 0;
}
