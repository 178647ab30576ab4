/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values keep three digits: a share of a second matters beside an hour. */
#include "render/profile-text.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/timestamp.h"
#include "base/util.h"
#include "render/human.h"

_Static_assert(PROFILE_VALUE_LEN >= HUMAN_LEN, "human_bytes() writes there");

const char *profile_totals_text(const struct profile_totals *totals,
				char buf[static PROFILE_TOTALS_LEN])
{
	int n = snprintf(buf, PROFILE_TOTALS_LEN,
			 "samples %" PRIu64 ", lost %" PRIu64 ", truncated %" PRIu64
			 ", unsymbolized %" PRIu64,
			 totals->samples, totals->lost, totals->truncated, totals->unsymbolized);

	if (totals->left_out > 0)
		snprintf(buf + n, PROFILE_TOTALS_LEN - (size_t)n, ", left out %" PRIu64,
			 totals->left_out);
	return buf;
}

void profile_totals_print(const struct profile_tree *tree, FILE *out)
{
	struct profile_totals totals = profile_tree_totals(tree, PROFILE_NOW);
	char buf[PROFILE_TOTALS_LEN];

	fprintf(out, "%s\n", profile_totals_text(&totals, buf));
	if (!profile_tree_is_diff(tree))
		return;
	totals = profile_tree_totals(tree, PROFILE_BEFORE);
	fprintf(out, "before: %s\n", profile_totals_text(&totals, buf));
}

static const char *duration_text(uint64_t ns, char buf[static PROFILE_VALUE_LEN])
{
	static const struct {
		double ns;
		const char *unit;
	} scales[] = { { 60e9, "min" }, { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "µs" }, { 1, "ns" } };
	size_t i = 0;
	double n;

	/* Minutes from two on, so that 90 s do not become 1.5 min. */
	while (i < ARRAY_SIZE(scales) - 1 && (double)ns < scales[i].ns * (i == 0 ? 2 : 1))
		i++;
	n = (double)ns / scales[i].ns;
	snprintf(buf, PROFILE_VALUE_LEN, "%.*f %s",
		 i == ARRAY_SIZE(scales) - 1 || n >= 99.95 ? 0
		 : n >= 9.995				   ? 1
							   : 2,
		 n, scales[i].unit);
	return buf;
}

const char *profile_value_text(const struct profile_type *type, uint64_t value,
			       char buf[static PROFILE_VALUE_LEN])
{
	if (streq(type->unit, "nanoseconds"))
		return duration_text(value, buf);
	if (streq(type->unit, "bytes"))
		return human_bytes(value, buf);
	return human_number(value, buf);
}

double profile_percent(uint64_t part, uint64_t of)
{
	return of > 0 ? 100.0 * (double)part / (double)of : 0;
}

/* "60.0 s from 2026-11-20T17:00:00Z" */
static int range_text(const struct profile_info *info, char *buf, size_t size)
{
	char from[TIMESTAMP_LEN], length[PROFILE_VALUE_LEN];

	/* Nobody reads the fraction of a second. */
	timestamp_format(info->begin_ns, from);
	from[strcspn(from, ".Z")] = '\0';
	return snprintf(buf, size, "%s from %sZ",
			duration_text(info->end_ns - info->begin_ns, length), from);
}

const char *profile_subtitle_text(const struct profile_tree *tree,
				  char buf[static PROFILE_SUBTITLE_LEN])
{
	const struct profile_info *now = profile_tree_info(tree, PROFILE_NOW);
	size_t n = (size_t)snprintf(buf, PROFILE_SUBTITLE_LEN, "%.64s, ", now->type.name);

	n += (size_t)range_text(now, buf + n, PROFILE_SUBTITLE_LEN - n);
	if (profile_tree_is_diff(tree)) {
		n += (size_t)snprintf(buf + n, PROFILE_SUBTITLE_LEN - n, ", against ");
		range_text(profile_tree_info(tree, PROFILE_BEFORE), buf + n,
			   PROFILE_SUBTITLE_LEN - n);
	}
	return buf;
}
