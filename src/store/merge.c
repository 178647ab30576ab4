/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A row that was thinned away and comes back begins anew, so what it says may be less than it had;
 * the "other" rows hold the difference, and the merge is not exact.
 */
#include "store/merge.h"

#include <errno.h>

#include "model/filter.h"

int merge_init(struct merge *m, size_t max_rows)
{
	*m = (struct merge){ .kinds = MERGE_ALL, .exact = true };
	return table_new(max_rows, &m->table);
}

void merge_done(struct merge *m)
{
	m->table = table_free(m->table);
}

static int add(struct merge *m, const struct record *record)
{
	int r = table_add(m->table, record);

	if (r != -ENOSPC)
		return r;
	m->exact = false;
	if (record->kind == RECORD_FLOW) {
		r = table_thin(&m->table, m->table->max_rows / 2);
		if (r < 0)
			return r;
		r = table_add(m->table, record);
	}
	return r == -ENOSPC ? table_add_other(m->table, record) : r;
}

static void merge_record(void *userdata, const struct record *record)
{
	struct merge *m = userdata;

	if (m->r < 0 || !(m->kinds & 1U << record->kind))
		return;
	if (record->kind == RECORD_FLOW) {
		m->exact = m->exact && !record->flow.other;
		if (m->filter && !filter_match_flow(m->filter, &record->flow))
			return;
	}
	m->r = add(m, record);
}

int merge_segment(struct merge *m, const struct segment *segment)
{
	int r = segment_decode(segment->data, segment->size, merge_record, m);

	return m->r < 0 ? m->r : r;
}
