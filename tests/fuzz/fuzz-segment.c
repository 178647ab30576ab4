/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The input is a segment, as a damaged or planted database would hold it. What can be read of it is
 * added up in a small table, as a query does; the table, encoded, must then be a segment that reads
 * back as the same number of rows.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/merge.h"

#define ROWS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(void *userdata, const struct record *record)
{
	const struct flow *f = &record->flow;

	assert(record->kind < RECORD_KIND_MAX_);
	if (record->kind != RECORD_FLOW)
		return;
	assert(f->role < FLOW_ROLE_MAX_ && f->side < FLOW_SIDE_MAX_);
	assert(f->unowned < FLOW_UNOWNED_MAX_ && f->tcp.state < TCP_STATE_MAX_);
	assert(f->n_drops <= FLOW_DROPS_MAX);
	assert(strlen(f->local.workload.id) <= POOL_STRING_MAX);
}

static void check_round_trip(const struct table *table)
{
	struct merge again;
	struct segment segment = {};

	assert(merge_init(&again, SEGMENT_FLOWS, ROWS_MAX, false) == 0);
	assert(segment_encode(table, &segment.data, &segment.size) == 0);
	assert(merge_segment(&again, &segment) == 0);
	assert(table_rows(again.table) == table_rows(table));
	merge_done(&again);
	free(segment.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segment segment = { .data = (void *)data, .size = size };
	struct merge merge;
	int r;

	r = segment_decode(data, size, check_record, NULL);
	assert(r == 0 || r == -EBADMSG);
	assert(merge_init(&merge, SEGMENT_FLOWS, ROWS_MAX, false) == 0);
	assert(merge_segment(&merge, &segment) == r);
	check_round_trip(merge.table);
	merge_done(&merge);
	return 0;
}
