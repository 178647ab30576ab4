/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Everything is a thing of fixed size in a pool, what has a variable length included: the lines of a
 * location are a list linked from the innermost to the outermost, and the stacks form one tree whose
 * nodes point to their callers. So what is alike is stored once, suffixes of inline chains and common
 * callers too, and a stack is the number of one node.
 */
#include "model/profile.h"

#include <errno.h>
#include <stdlib.h>

#include "base/pool.h"
#include "base/text.h"
#include "base/util.h"

_Static_assert(PROFILE_STRING_MAX == POOL_STRING_MAX, "the pool would cut within a character");

const struct profile_limits profile_limits_max = {
	.strings = 1 << 20,
	.mappings = 1 << 17,
	.functions = 1 << 20,
	.lines = 1 << 21,
	.locations = 1 << 21,
	.nodes = 1 << 22,
	.samples = 1 << 21,
	.shares = 1 << 18,
};

const struct profile_type profile_types[SAMPLE_EVENT_MAX_] = {
	[SAMPLE_CPU] = { "cpu", "nanoseconds" },
	[SAMPLE_OFF_CPU] = { "off_cpu", "nanoseconds" },
	[SAMPLE_PAGE_FAULTS] = { "page-faults", "count" },
	[SAMPLE_ALLOC] = { "alloc_space", "bytes" },
};

struct node {
	uint32_t caller; /* node */
	uint32_t location;
};

struct profile {
	struct profile_info info;
	struct string_pool *strings;
	struct pool *mappings, *functions, *lines, *locations, *nodes, *samples;
	struct profile_sum *sums; /* of each sample */
	size_t sums_room;
	struct pool *shares;
	struct profile_totals *share_totals; /* of each share */
	size_t shares_room;
	uint64_t names_left_out;
};

/* A pool of at most limit things, and nothing as its number 0. */
static int new_pool(size_t size, uint32_t limit, const void *nothing, struct pool **ret)
{
	uint32_t number;
	int r = pool_new(size, (size_t)limit + 1, ret);

	return r < 0 ? r : pool_number(*ret, nothing, true, &number);
}

static int new_pools(struct profile *p, const struct profile_limits *limits)
{
	/* Address 0 without a mapping is a place where programs get to. */
	static const struct profile_location no_location = { .mapping = UINT32_MAX };
	static const struct profile_function no_function;
	static const struct profile_mapping no_mapping;
	static const struct profile_line no_line;
	static const struct profile_share no_share = { .cpu = -1 };
	static const struct node no_node;
	uint32_t number;
	int r = string_pool_new((size_t)limits->strings + 1, &p->strings)
			?: string_pool_number(p->strings, "", true, &number)
			?: new_pool(sizeof(no_mapping), limits->mappings, &no_mapping, &p->mappings);

	return r ?: new_pool(sizeof(no_function), limits->functions, &no_function, &p->functions)
			    ?: new_pool(sizeof(no_line), limits->lines, &no_line, &p->lines)
			    ?: new_pool(sizeof(no_location), limits->locations, &no_location,
					&p->locations)
			    ?: new_pool(sizeof(no_node), limits->nodes, &no_node, &p->nodes)
			    ?: pool_new(sizeof(struct profile_sample), limits->samples,
					&p->samples)
			    ?: new_pool(sizeof(no_share), limits->shares, &no_share, &p->shares);
}

int profile_new(const struct profile_info *info, const struct profile_limits *limits,
		struct profile **ret)
{
	_cleanup_profile_ struct profile *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->info = *info;
	r = new_pools(p, limits ? limits : &profile_limits_max);
	if (r < 0)
		return r;
	*ret = TAKE(p);
	return 0;
}

struct profile *profile_free(struct profile *p)
{
	if (!p)
		return NULL;
	string_pool_free(p->strings);
	pool_free(p->mappings);
	pool_free(p->functions);
	pool_free(p->lines);
	pool_free(p->locations);
	pool_free(p->nodes);
	pool_free(p->samples);
	pool_free(p->shares);
	free(p->sums);
	free(p->share_totals);
	free(p);
	return NULL;
}

size_t profile_bytes(const struct profile *p)
{
	return sizeof(*p) + string_pool_bytes(p->strings) + pool_bytes(p->mappings) +
	       pool_bytes(p->functions) + pool_bytes(p->lines) + pool_bytes(p->locations) +
	       pool_bytes(p->nodes) + pool_bytes(p->samples) + pool_bytes(p->shares) +
	       p->sums_room * sizeof(*p->sums) + p->shares_room * sizeof(*p->share_totals);
}

/* What a pool said about a thing that has a name: a full one gives 0. */
static int or_nothing(struct profile *p, int r, uint32_t *ret)
{
	if (r != -ENOSPC)
		return r;
	p->names_left_out++;
	*ret = 0;
	return 0;
}

int profile_string(struct profile *p, const char *text, uint32_t *ret)
{
	char valid[PROFILE_STRING_MAX + 1];

	text_escape(TEXT_PLAIN, text, valid, sizeof(valid));
	return or_nothing(p, string_pool_number(p->strings, valid, true, ret), ret);
}

int profile_mapping(struct profile *p, const struct profile_mapping *mapping, uint32_t *ret)
{
	return or_nothing(p, pool_number(p->mappings, mapping, true, ret), ret);
}

int profile_function(struct profile *p, const struct profile_function *function, uint32_t *ret)
{
	return or_nothing(p, pool_number(p->functions, function, true, ret), ret);
}

int profile_location(struct profile *p, uint64_t address, uint32_t mapping,
		     const struct profile_line *lines, size_t n, uint32_t *ret)
{
	struct profile_location location = { .address = address, .mapping = mapping };
	struct profile_line line;
	int r;

	while (n > 0) {
		line = lines[--n];
		line.outer = location.line;
		r = or_nothing(p, pool_number(p->lines, &line, true, &location.line),
			       &location.line);
		if (r < 0)
			return r;
	}
	return or_nothing(p, pool_number(p->locations, &location, true, ret), ret);
}

/* The node of the innermost location. -ENOSPC also if one of them found no place. */
static int find_stack(struct profile *p, const uint32_t *locations, size_t n, uint32_t *ret)
{
	struct node node = {};
	int r;

	while (n > 0) {
		node.location = locations[--n];
		if (node.location == 0)
			return -ENOSPC;
		r = pool_number(p->nodes, &node, true, &node.caller);
		if (r < 0)
			return r;
	}
	*ret = node.caller;
	return 0;
}

/* array with room for element number n, zeros where it is new. */
static int make_room(void *array, size_t *room, size_t size, size_t n)
{
	size_t more = MAX(2 * *room, (size_t)64);
	void *bigger;

	if (n < *room)
		return 0;
	bigger = reallocarray(*(void **)array, more, size);
	if (!bigger)
		return -ENOMEM;
	memset((char *)bigger + *room * size, 0, (more - *room) * size);
	*(void **)array = bigger;
	*room = more;
	return 0;
}

static int find_sum(struct profile *p, const struct profile_sample *sample,
		    struct profile_sum **ret)
{
	uint32_t n;
	/* The room first: a sample that is there has a sum. */
	int r = make_room(&p->sums, &p->sums_room, sizeof(*p->sums), pool_size(p->samples))
			?: pool_number(p->samples, sample, true, &n);

	if (r < 0)
		return r;
	*ret = &p->sums[n];
	return 0;
}

static int find_share(struct profile *p, const struct profile_labels *labels,
		      struct profile_totals **ret)
{
	struct profile_share share = { labels->comm, labels->pid, labels->cpu };
	uint32_t n = 0;
	int r = pool_number(p->shares, &share, true, &n);

	if (r == -ENOSPC)
		r = 0;
	r = r ?: make_room(&p->share_totals, &p->shares_room, sizeof(*p->share_totals), n);
	if (r < 0)
		return r;
	*ret = &p->share_totals[n];
	return 0;
}

static bool is_symbolized(const struct profile *p, const uint32_t *locations, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t line = profile_location_at(p, locations[i])->line;

		if (profile_line_at(p, line)->function == 0)
			return false;
	}
	return n > 0;
}

int profile_add(struct profile *p, const uint32_t *locations, size_t n, bool truncated,
		const struct profile_labels *labels, const struct profile_sum *sum)
{
	size_t kept = MIN(n, (size_t)PROFILE_DEPTH_MAX);
	struct profile_sample sample = { .labels = *labels };
	struct profile_totals *totals;
	struct profile_sum *known;
	int r = find_share(p, labels, &totals);

	if (r < 0)
		return r;
	r = find_stack(p, locations, kept, &sample.stack);
	if (r == 0)
		r = find_sum(p, &sample, &known);
	if (r == -ENOSPC) {
		totals->left_out += sum->samples;
		return 0;
	}
	if (r < 0)
		return r;
	known->samples += sum->samples;
	known->value += sum->value;
	totals->samples += sum->samples;
	totals->value += sum->value;
	totals->truncated += truncated || kept < n ? sum->samples : 0;
	totals->unsymbolized += is_symbolized(p, locations, kept) ? 0 : sum->samples;
	return 0;
}

int profile_add_lost(struct profile *p, const struct profile_labels *labels, uint64_t samples)
{
	struct profile_totals *totals;
	int r = find_share(p, labels, &totals);

	if (r < 0)
		return r;
	totals->lost += samples;
	return 0;
}

const struct profile_info *profile_info(const struct profile *p)
{
	return &p->info;
}

struct profile_totals profile_totals(const struct profile *p)
{
	struct profile_totals sum = {}, one;

	for (uint32_t i = 0; i < profile_n_shares(p); i++) {
		profile_share_at(p, i, &one);
		sum.samples += one.samples;
		sum.value += one.value;
		sum.lost += one.lost;
		sum.truncated += one.truncated;
		sum.unsymbolized += one.unsymbolized;
		sum.left_out += one.left_out;
	}
	return sum;
}

uint32_t profile_n_shares(const struct profile *p)
{
	return (uint32_t)pool_size(p->shares);
}

const struct profile_share *profile_share_at(const struct profile *p, uint32_t share,
					     struct profile_totals *ret)
{
	/* Number 0 is there before it has totals. */
	*ret = share < p->shares_room ? p->share_totals[share] : (struct profile_totals){};
	return pool_get(p->shares, share);
}

uint64_t profile_names_left_out(const struct profile *p)
{
	return p->names_left_out;
}

uint32_t profile_n_strings(const struct profile *p)
{
	return (uint32_t)string_pool_size(p->strings);
}

uint32_t profile_n_mappings(const struct profile *p)
{
	return (uint32_t)pool_size(p->mappings) - 1;
}

uint32_t profile_n_functions(const struct profile *p)
{
	return (uint32_t)pool_size(p->functions) - 1;
}

uint32_t profile_n_locations(const struct profile *p)
{
	return (uint32_t)pool_size(p->locations) - 1;
}

uint32_t profile_n_samples(const struct profile *p)
{
	return (uint32_t)pool_size(p->samples);
}

const char *profile_text(const struct profile *p, uint32_t string)
{
	return string_pool_get(p->strings, string);
}

const struct profile_mapping *profile_mapping_at(const struct profile *p, uint32_t mapping)
{
	return pool_get(p->mappings, mapping);
}

const struct profile_function *profile_function_at(const struct profile *p, uint32_t function)
{
	return pool_get(p->functions, function);
}

const struct profile_line *profile_line_at(const struct profile *p, uint32_t line)
{
	return pool_get(p->lines, line);
}

const struct profile_location *profile_location_at(const struct profile *p, uint32_t location)
{
	return pool_get(p->locations, location);
}

const struct profile_sample *profile_sample_at(const struct profile *p, uint32_t sample,
					       struct profile_sum *ret_sum)
{
	*ret_sum = p->sums[sample];
	return pool_get(p->samples, sample);
}

uint32_t profile_caller(const struct profile *p, uint32_t node, uint32_t *ret_location)
{
	const struct node *at = pool_get(p->nodes, node);

	*ret_location = at->location;
	return at->caller;
}
