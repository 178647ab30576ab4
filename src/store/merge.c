/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A row that was thinned away and comes back begins anew, so what it says may be less than it had;
 * the "other" rows hold the difference, and the merge is not exact.
 */
#include "store/merge.h"

#include <errno.h>
#include <string.h>

#include "model/filter.h"
#include "store/stack-segment.h"

int merge_init(struct merge *m, enum segment_kind kind, size_t max_rows, bool folded)
{
	*m = (struct merge){ .kind = kind, .kinds = MERGE_ALL, .exact = true };
	if (kind == SEGMENT_SAMPLES)
		return stacks_new(max_rows * MERGE_STACKS_BYTES_PER_ROW, folded, &m->stacks);
	return table_new(max_rows, &m->table);
}

void merge_done(struct merge *m)
{
	m->table = table_free(m->table);
	m->stacks = stacks_free(m->stacks);
}

size_t merge_rows(const struct merge *m)
{
	return m->stacks ? stacks_rows(m->stacks) : table_flows(m->table);
}

size_t merge_rows_taken(const struct merge *m)
{
	return m->stacks ? stacks_bytes(m->stacks) / MERGE_STACKS_BYTES_PER_ROW + 1
			 : table_flows(m->table);
}

static size_t others(const struct merge *m)
{
	return m->stacks ? m->stacks->n_others : m->table->n_others;
}

int merge_thin(struct merge *m, size_t n)
{
	if (merge_rows(m) - others(m) <= n)
		return 0;
	return m->stacks ? stacks_thin(&m->stacks, n) : table_thin(&m->table, n);
}

static int add(struct merge *m, const struct record *record)
{
	return m->stacks ? stacks_add(m->stacks, record, m->path) : table_add(m->table, record);
}

static int add_other(struct merge *m, const struct record *record)
{
	return m->stacks ? stacks_add_other(m->stacks, record) : table_add_other(m->table, record);
}

static int add_thinning(struct merge *m, const struct record *record)
{
	int r = add(m, record);

	if (r != -ENOSPC)
		return r;
	m->exact = false;
	if (record->kind == RECORD_FLOW || record->kind == RECORD_SAMPLE) {
		r = merge_thin(m, (merge_rows(m) - others(m)) / 2);
		if (r < 0)
			return r;
		if (m->path)
			memset(m->path->known, 0, m->path->n_known * sizeof(*m->path->known));
		r = add(m, record);
	}
	return r == -ENOSPC ? add_other(m, record) : r;
}

static bool matches(const struct filter *filter, const struct record *record)
{
	switch (record->kind) {
	case RECORD_FLOW:
		return filter_match_flow(filter, &record->flow);
	case RECORD_SAMPLE:
		return filter_match_process(filter, &record->sample.process,
					    &record->sample.workload);
	case RECORD_SAMPLE_LOSS:
		return filter_match_process(filter, &record->loss.process, &record->loss.workload);
	default:
		return true;
	}
}

/* An "other" row that holds, or may hold, what is asked for: that of a process is known to be its. */
static bool is_other(const struct record *record, bool match)
{
	if (record->kind == RECORD_FLOW)
		return record->flow.other;
	return record->kind == RECORD_SAMPLE && record->sample.other &&
	       (match || record->sample.process.pid == 0);
}

static void on_record(void *userdata, const struct record *record)
{
	struct merge *m = userdata;
	bool match;

	if (m->r < 0 || !(m->kinds & 1U << record->kind))
		return;
	match = !m->filter || matches(m->filter, record);
	if (is_other(record, match))
		m->exact = false;
	if (match)
		m->r = add_thinning(m, record);
}

static void on_sample(void *userdata, const struct record *record, const struct stack_path *path)
{
	struct merge *m = userdata;

	m->path = path;
	on_record(m, record);
	m->path = NULL;
}

int merge_segment(struct merge *m, const struct segment *segment)
{
	int r = m->stacks ? stack_segment_decode(segment->data, segment->size, on_sample, m)
			  : segment_decode(segment->data, segment->size, on_record, m);

	return m->r < 0 ? m->r : r;
}

int merge_encode(const struct merge *m, struct segment *ret)
{
	ret->kind = m->kind;
	ret->rows = m->stacks ? stacks_rows(m->stacks) : table_rows(m->table);
	return m->stacks ? stack_segment_encode(m->stacks, &ret->data, &ret->size)
			 : segment_encode(m->table, &ret->data, &ret->size);
}

struct ranked_row *merge_ranking(const struct merge *m)
{
	return m->stacks ? stacks_ranking(m->stacks) : table_ranking(m->table);
}

void merge_record(const struct merge *m, const struct ranked_row *row, struct record *ret)
{
	if (m->stacks)
		stacks_record(m->stacks, row->key, row->row, ret);
	else
		table_flow_record(m->table, row->key, row->row, ret);
}

bool merge_next_sum(const struct merge *m, struct merge_position *pos, struct record *ret)
{
	return m->stacks ? stacks_next_loss(m->stacks, &pos->losses, ret)
			 : table_next_sum(m->table, &pos->sums, ret);
}
