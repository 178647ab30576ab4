/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One table for a profile and one for the difference of two: shares are what people compare, so those
 * come first, and there the change.
 */
#include "render/top.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/util.h"
#include "render/profile-text.h"

static const struct text_table_column columns[] = {
	{ .title = "SELF%", .right = true },
	{ .title = "SELF", .right = true, .drop = 1 },
	{ .title = "TOTAL%", .right = true },
	{ .title = "TOTAL", .right = true, .drop = 2 },
	{ .title = "FUNCTION", .min = 24 },
	{ .title = "MODULE", .min = 10, .drop = 3 },
	{ .title = "SOURCE", .min = 12, .drop = 4, .optional = true, .keep_port = true },
};

static const struct text_table_column diff_columns[] = {
	{ .title = "SELF%", .right = true },
	{ .title = "BEFORE", .right = true },
	{ .title = "CHANGE", .right = true },
	{ .title = "TOTAL%", .right = true },
	{ .title = "BEFORE", .right = true, .drop = 5 },
	{ .title = "CHANGE", .right = true },
	{ .title = "FUNCTION", .min = 24 },
	{ .title = "MODULE", .min = 10, .drop = 3 },
	{ .title = "SOURCE", .min = 12, .drop = 4, .optional = true, .keep_port = true },
};

static int add_percent(struct text_table *table, double percent)
{
	return text_table_cell(table, STYLE_PLAIN, "%.2f", percent);
}

static int add_sum(struct text_table *table, const struct profile_tree *tree, uint64_t value)
{
	const struct profile_type *type = &profile_tree_info(tree, PROFILE_NOW)->type;
	char buf[PROFILE_VALUE_LEN];

	return add_percent(table,
			   profile_percent(value,
					   profile_tree_node(tree, 0)->total[PROFILE_NOW].value))
		       ?: text_table_cell(table, STYLE_PLAIN, "%s",
					  profile_value_text(type, value, buf));
}

static int add_change(struct text_table *table, const struct profile_tree *tree,
		      const struct profile_sum *sum)
{
	const struct profile_sum *all = profile_tree_node(tree, 0)->total;
	double now = profile_percent(sum[PROFILE_NOW].value, all[PROFILE_NOW].value);
	double before = profile_percent(sum[PROFILE_BEFORE].value, all[PROFILE_BEFORE].value);
	double change = now - before;

	return add_percent(table, now)
		       ?: add_percent(table, before)
		       ?: text_table_cell(table,
					  change >= 0.005    ? STYLE_BAD
					  : change <= -0.005 ? STYLE_GOOD
							     : STYLE_FAINT,
					  "%+.2f", change);
}

static int add_name(struct text_table *table, const struct profile_tree *tree, uint32_t number)
{
	const struct profile_frame *frame = profile_tree_frame(tree, number);
	const char *module = profile_tree_text(tree, frame->module);
	const char *file = profile_tree_text(tree, frame->file);
	char name[PROFILE_NAME_LEN], line[16] = "";

	if (*file && frame->line)
		snprintf(line, sizeof(line), ":%" PRIu32, frame->line);
	return text_table_cell(table, frame->name ? STYLE_PLAIN : STYLE_FAINT, "%s",
			       profile_frame_name(tree, number, name))
		       ?: text_table_cell(table, STYLE_PLAIN, "%s", profile_base_name(module))
		       ?: text_table_cell(table, STYLE_FAINT, "%s%s", file, line);
}

static int add_row(struct text_table *table, const struct profile_tree *tree,
		   const struct profile_top_row *row)
{
	int r;

	if (profile_tree_is_diff(tree))
		r = add_change(table, tree, row->self) ?: add_change(table, tree, row->total);
	else
		r = add_sum(table, tree, row->self[PROFILE_NOW].value)
			    ?: add_sum(table, tree, row->total[PROFILE_NOW].value);
	return r ?: add_name(table, tree, row->frame);
}

int top_print(const struct profile_tree *tree, const struct profile_top_row *rows, size_t n,
	      size_t limit, const struct text_look *look, FILE *out)
{
	_cleanup_(text_table_free_p) struct text_table *table = NULL;
	size_t shown = limit > 0 ? MIN(limit, n) : n;
	int r;

	if (profile_tree_is_diff(tree))
		r = text_table_new(diff_columns, ARRAY_SIZE(diff_columns), &table);
	else
		r = text_table_new(columns, ARRAY_SIZE(columns), &table);
	for (size_t i = 0; r == 0 && i < shown; i++)
		r = add_row(table, tree, &rows[i]);
	if (r < 0)
		return r;
	text_table_print(table, look, out);
	if (shown < n)
		fprintf(out, "%zu more\n", n - shown);
	profile_totals_print(tree, out);
	return 0;
}

static int add_known(struct json_object *o, const char *key, const char *text)
{
	return json_add_string(o, key, *text ? text : NULL);
}

static int add_sums(struct json_object *o, const struct profile_top_row *row,
		    enum profile_side side, const char *const keys[static 4])
{
	return json_add_u64(o, keys[0], row->self[side].samples)
		       ?: json_add_u64(o, keys[1], row->total[side].samples)
		       ?: json_add_u64(o, keys[2], row->self[side].value)
		       ?: json_add_u64(o, keys[3], row->total[side].value);
}

static struct json_object *function_json(const struct profile_tree *tree,
					 const struct profile_top_row *row)
{
	static const char *const now[] = { "self", "total", "self_value", "total_value" };
	static const char *const before[] = { "self_before", "total_before", "self_value_before",
					      "total_value_before" };
	const struct profile_frame *frame = profile_tree_frame(tree, row->frame);
	struct json_object *o = json_object_new_object();
	int r = add_known(o, "name", profile_tree_text(tree, frame->name))
			?: add_known(o, "file", profile_tree_text(tree, frame->file))
			?: frame->line ? json_add_u64(o, "line", frame->line)
				       : json_add_null(o, "line");

	r = r ?: add_known(o, "module", profile_tree_text(tree, frame->module))
			 ?: add_sums(o, row, PROFILE_NOW, now);
	if (r == 0 && profile_tree_is_diff(tree))
		r = add_sums(o, row, PROFILE_BEFORE, before);
	if (r == 0)
		return o;
	json_object_put(o);
	return NULL;
}

static int add_totals(struct json_object *o, const struct profile_totals *totals)
{
	int r = json_add_u64(o, "samples", totals->samples)
			?: json_add_u64(o, "value", totals->value)
			?: json_add_u64(o, "lost", totals->lost);

	return r ?: json_add_u64(o, "truncated", totals->truncated)
			    ?: json_add_u64(o, "unsymbolized", totals->unsymbolized)
			    ?: json_add_u64(o, "left_out", totals->left_out);
}

static int add_whole(struct json_object *o, const struct profile_tree *tree, enum profile_side side)
{
	struct profile_totals totals = profile_tree_totals(tree, side);
	const struct profile_info *info = profile_tree_info(tree, side);

	return json_add_string(o, "type", info->type.name)
		       ?: json_add_string(o, "unit", info->type.unit)
		       ?: add_totals(o, &totals);
}

static int add_before(struct json_object *o, const struct profile_tree *tree)
{
	struct json_object *before = json_object_new_object();
	int r = add_whole(before, tree, PROFILE_BEFORE);

	if (r == 0)
		return json_add(o, "before", before);
	json_object_put(before);
	return r;
}

struct json_object *top_json(const struct profile_tree *tree, const struct profile_top_row *rows,
			     size_t n, size_t limit)
{
	size_t shown = limit > 0 ? MIN(limit, n) : n;
	_cleanup_json_ struct json_object *o = json_object_new_object();
	struct json_object *functions = json_object_new_array();
	int r = add_whole(o, tree, PROFILE_NOW);

	if (r == 0 && profile_tree_is_diff(tree))
		r = add_before(o, tree);
	for (size_t i = 0; r == 0 && i < shown; i++)
		r = json_append(functions, function_json(tree, &rows[i]));
	if (r < 0) {
		json_object_put(functions);
		return NULL;
	}
	return json_add(o, "functions", functions) < 0 ? NULL : TAKE(o);
}

static struct json_object *process_json(const struct profile *profile,
					const struct profile_share *share)
{
	struct json_object *o = json_object_new_object();
	int r = json_add_int(o, "pid", share->pid)
			?: add_known(o, "comm", profile_text(profile, share->comm));

	if (r == 0)
		return o;
	json_object_put(o);
	return NULL;
}

static struct json_object *share_json(const struct profile *profile,
				      const struct profile_share *share,
				      const struct profile_totals *totals)
{
	struct json_object *o = json_object_new_object();
	int r = share->pid ? json_add(o, "process", process_json(profile, share))
			   : json_add_null(o, "process");

	r = r ?: share->cpu >= 0 ? json_add_int(o, "cpu", share->cpu) : json_add_null(o, "cpu");
	r = r ?: add_totals(o, totals);
	if (r == 0)
		return o;
	json_object_put(o);
	return NULL;
}

struct json_object *top_shares_json(const struct profile *profile)
{
	struct json_object *shares = json_object_new_array();
	struct profile_totals totals;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < profile_n_shares(profile); i++) {
		const struct profile_share *share = profile_share_at(profile, i, &totals);

		if (totals.samples + totals.lost + totals.left_out > 0)
			r = json_append(shares, share_json(profile, share, &totals));
	}
	if (r == 0)
		return shares;
	json_object_put(shares);
	return NULL;
}
