/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The input is a segment of samples, as a damaged or planted database would hold it. What can be read
 * of it is added up in stacks of little memory, as a query and the joining of a minute do; the sum,
 * encoded, must then be a segment that reads back as the same counts.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/merge.h"
#include "store/stack-segment.h"

#define ROWS_MAX 64 /* 16 kB of stacks */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sums {
	uint64_t count, value, lost;
};

static void add_record(void *userdata, const struct record *record, const struct stack_path *path)
{
	const struct sample *s = &record->sample;
	struct sums *sums = userdata;

	if (record->kind == RECORD_SAMPLE_LOSS) {
		assert(record->loss.event < SAMPLE_EVENT_MAX_ && record->loss.cpu >= -1);
		sums->lost += record->loss.lost;
		return;
	}
	assert(record->kind == RECORD_SAMPLE);
	assert(s->event < SAMPLE_EVENT_MAX_ && s->end < STACK_END_MAX_ && s->cpu >= -1);
	assert(s->n <= SAMPLE_FRAMES_MAX && s->n_kernel <= s->n && (!s->other || s->n == 0));
	assert(memchr(s->thread, '\0', sizeof(s->thread)));
	assert(strlen(s->workload.id) <= POOL_STRING_MAX);
	for (uint32_t i = 0; i < s->n; i++) {
		assert(s->frames[i].code->id_size <= CODE_ID_MAX);
		assert(strlen(s->frames[i].code->path) <= POOL_STRING_MAX);
	}
	sums->count += s->count;
	sums->value += s->value;
}

static struct sums sums_of(const struct segment *segment, int expected)
{
	struct sums sums = {};

	assert(stack_segment_decode(segment->data, segment->size, add_record, &sums) == expected);
	return sums;
}

static void check(const struct segment *input, bool folded, int expected)
{
	struct segment segment = {};
	struct sums sums = sums_of(input, expected), again;
	struct merge merge;

	assert(merge_init(&merge, SEGMENT_SAMPLES, ROWS_MAX, folded) == 0);
	assert(merge_segment(&merge, input) == expected);
	assert(merge_thin(&merge, merge_rows(&merge) / 2) == 0);
	assert(merge_encode(&merge, &segment) == 0);
	again = sums_of(&segment, 0);
	assert(memcmp(&sums, &again, sizeof(sums)) == 0);
	free(segment.data);
	merge_done(&merge);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segment segment = { .data = (void *)data, .size = size };
	struct sums sums = {};
	int r;

	r = stack_segment_decode(data, size, add_record, &sums);
	assert(r == 0 || r == -EBADMSG);
	check(&segment, false, r);
	check(&segment, true, r);
	return 0;
}
