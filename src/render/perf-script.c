/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The importers read lines with regular expressions, which take the blank for a separator: within the name
 * of a binary it is written "\x20", as control characters are everywhere.
 */
#include "render/perf-script.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/util.h"
#include "render/profile-text.h"

struct printer {
	const struct profile *profile;
	FILE *out;
	struct profile_totals totals;
	uint64_t passed; /* of totals.value */
};

/* By thread; within one as they are in the profile. */
static int compare_threads(const void *a, const void *b, void *arg)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	struct profile_sum sum;
	struct profile_labels l = profile_sample_at(arg, x, &sum)->labels;
	struct profile_labels m = profile_sample_at(arg, y, &sum)->labels;

	if (l.pid != m.pid)
		return l.pid < m.pid ? -1 : 1;
	if (l.tid != m.tid)
		return l.tid < m.tid ? -1 : 1;
	if (l.comm != m.comm)
		return l.comm < m.comm ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void print_name(const struct printer *p, const char *name, bool blanks)
{
	char escaped[TEXT_ESCAPED_MAX(PROFILE_STRING_MAX)];

	text_escape(TEXT_TERMINAL, *name ? name : "[unknown]", escaped, sizeof(escaped));
	for (const char *s = escaped; *s; s++)
		if (*s == ' ' && !blanks)
			fputs("\\x20", p->out);
		else
			fputc(*s, p->out);
}

static uint64_t now_at(const struct printer *p)
{
	const struct profile_info *info = profile_info(p->profile);
	uint64_t range = info->end_ns - info->begin_ns;
	uint64_t all = p->totals.value;

	return info->begin_ns + (all > 0 ? (uint64_t)((__uint128_t)range * p->passed / all) : 0);
}

static void print_event(const struct printer *p, const struct profile_labels *labels,
			uint64_t period)
{
	uint64_t now = now_at(p);

	print_name(p, profile_text(p->profile, labels->comm), true);
	fprintf(p->out, " %d/%d [%03d] %" PRIu64 ".%09" PRIu64 ": %" PRIu64 " %s:\n", labels->pid,
		labels->tid ? labels->tid : labels->pid, MAX(labels->cpu, 0), now / NSEC_PER_SEC,
		now % NSEC_PER_SEC, period, profile_info(p->profile)->type.name);
}

/* One line of text: of the function, or of one that was inlined into what follows. */
static void print_frame(const struct printer *p, uint64_t address, uint32_t function,
			const char *where)
{
	fprintf(p->out, "\t%16" PRIx64 " ", address);
	print_name(p, profile_text(p->profile, profile_function_at(p->profile, function)->name),
		   true);
	fputs(" (", p->out);
	print_name(p, where, false);
	fputs(")\n", p->out);
}

static void print_location(const struct printer *p, uint32_t number)
{
	const struct profile_location *location = profile_location_at(p->profile, number);
	const struct profile_mapping *mapping = profile_mapping_at(p->profile, location->mapping);
	const char *module = profile_text(p->profile, mapping->file);
	const struct profile_line *line = profile_line_at(p->profile, location->line);

	for (; line->outer != 0; line = profile_line_at(p->profile, line->outer))
		print_frame(p, location->address, line->function, "inlined");
	print_frame(p, location->address, line->function, module);
}

static void print_stack(const struct printer *p, uint32_t node)
{
	uint32_t location;

	while (node != 0) {
		node = profile_caller(p->profile, node, &location);
		print_location(p, location);
	}
	fputc('\n', p->out);
}

/* How many events to print for n samples, at least one. */
static uint64_t n_events(const struct printer *p, uint64_t n)
{
	uint64_t all = p->totals.samples;

	if (all > PERF_SCRIPT_SAMPLES_MAX)
		n = (uint64_t)((__uint128_t)n * PERF_SCRIPT_SAMPLES_MAX / all);
	return MAX(n, UINT64_C(1));
}

static void print_sample(struct printer *p, uint32_t number)
{
	struct profile_sum sum;
	const struct profile_sample *sample = profile_sample_at(p->profile, number, &sum);
	uint64_t n = n_events(p, sum.samples), period;

	/* What is left of the value after each is divided among those to come, so that it adds up. */
	for (; n > 0; n--) {
		period = sum.value / n;
		print_event(p, &sample->labels, period);
		print_stack(p, sample->stack);
		sum.value -= period;
		p->passed += period;
	}
}

int perf_script_print(const struct profile *profile, FILE *out)
{
	uint32_t n = profile_n_samples(profile);
	_cleanup_free_ uint32_t *order = calloc((size_t)n + 1, sizeof(*order));
	struct printer p = {
		.profile = profile,
		.out = out,
		.totals = profile_totals(profile),
	};
	char text[PROFILE_TOTALS_LEN];

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), compare_threads, (void *)profile);
	for (uint32_t i = 0; i < n; i++)
		print_sample(&p, order[i]);
	fprintf(out, "# %s\n", profile_totals_text(&p.totals, text));
	return 0;
}
