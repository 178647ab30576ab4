/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The costliest functions (or lines) of a profile: for people, and as JSON. */
#pragma once

#include <json-c/json.h>
#include <stdio.h>

#include "model/profile-top.h"
#include "render/table.h"

/* The first limit of n rows (0: all), and the totals. 0 or -ENOMEM. */
int top_print(const struct profile_tree *tree, const struct profile_top_row *rows, size_t n,
	      size_t limit, const struct text_look *look, FILE *out);

/*
 * {"type", "unit", "samples", "value", "lost", "truncated", "unsymbolized", "left_out",
 * "functions": [{"name", "file", "line", "module", "self", "total", "self_value", "total_value"}]}.
 * self and total are samples; what is not known is null. Of two profiles each of the sums of a function
 * has a twin, "self_before" and so on, scaled as the tree is, and "before" has what belongs to the
 * whole. A member of "functions" is a row for CSV. NULL: no memory.
 */
struct json_object *top_json(const struct profile_tree *tree, const struct profile_top_row *rows,
			     size_t n, size_t limit);

/* What a profile has and lacks per process and CPU: [{"process": {"pid", "comm"}, "cpu", "samples",
 * "value", "lost", "truncated", "unsymbolized", "left_out"}], null where it is not known. They add up to
 * the totals of the whole. NULL: no memory. */
struct json_object *top_shares_json(const struct profile *profile);
