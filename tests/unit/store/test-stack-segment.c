/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "fixture.h"
#include "samples.h"
#include "store/merge.h"
#include "store/stack-segment.h"
#include "store/stacks.h"

#define KEYS 1500U

struct bytes {
	unsigned char *data;
	size_t size;
};

static struct stacks *random_stacks(unsigned n, struct sample_sums *sums)
{
	struct stacks *stacks;
	struct record record;
	unsigned seed = 7;

	assert_int_equal(stacks_new((size_t)64 << 20, false, &stacks), 0);
	for (unsigned i = 0; i < n; i++) {
		random_sample(i, &seed, &record);
		assert_int_equal(stacks_add(stacks, &record, NULL), 0);
		sample_sums_add(sums, &record);
		random_loss(i, &seed, &record);
		assert_int_equal(stacks_add(stacks, &record, NULL), 0);
		sample_sums_add(sums, &record);
	}
	return stacks;
}

static struct bytes encode(const struct stacks *stacks)
{
	struct bytes bytes;
	void *data;

	assert_int_equal(stack_segment_encode(stacks, &data, &bytes.size), 0);
	bytes.data = data;
	return bytes;
}

static void add_to_sums(void *userdata, const struct record *record)
{
	sample_sums_add(userdata, record);
}

struct decoded {
	struct sample_sums sums;
	struct stacks *again;
	unsigned samples;
};

static void compare_record(void *userdata, const struct record *record)
{
	struct decoded *d = userdata;
	struct record expected;

	if (record->kind != RECORD_SAMPLE)
		return;
	d->samples++;
	make_sample((unsigned)record->sample.tid - 1, &expected);
	assert_same_sample(&record->sample, &expected.sample);
}

static void on_record(void *userdata, const struct record *record, const struct stack_path *path)
{
	struct decoded *d = userdata;

	sample_sums_add(&d->sums, record);
	assert_int_equal(stacks_add(d->again, record, path), 0);
	compare_record(d, record);
}

static void test_round_trip(void **state)
{
	struct sample_sums sums = {};
	struct stacks *stacks = random_stacks(KEYS, &sums);
	struct bytes first = encode(stacks), second;
	struct decoded d = {};

	assert_int_equal(stacks_new((size_t)64 << 20, false, &d.again), 0);
	assert_int_equal(stack_segment_decode(first.data, first.size, on_record, &d), 0);
	assert_int_equal(d.samples, KEYS);
	assert_sample_sums_equal(&d.sums, &sums);
	second = encode(d.again);
	d.samples = 0; /* what was added by path is what it was */
	stacks_each(d.again, compare_record, &d);
	assert_int_equal(d.samples, KEYS);
	assert_int_equal(pool_size(d.again->nodes), pool_size(stacks->nodes));
	assert_in_range(second.size, first.size - first.size / 10, first.size + first.size / 10);
	free(first.data);
	free(second.data);
	stacks_free(d.again);
	stacks_free(stacks);
}

static void compare_kept(void *userdata, const struct record *record)
{
	if (record->kind == RECORD_SAMPLE && !record->sample.other)
		compare_record(userdata, record);
}

/* A merge that thins in the middle of a segment still knows which stack is which. */
static void test_thinned_while_read(void **state)
{
	struct sample_sums sums = {}, merged = {};
	struct stacks *stacks = random_stacks(KEYS, &sums);
	struct bytes bytes = encode(stacks);
	struct segment segment = { .data = bytes.data, .size = bytes.size };
	struct decoded d = {};
	struct merge merge;

	assert_int_equal(merge_init(&merge, SEGMENT_SAMPLES, 5000, false), 0);
	assert_int_equal(merge_segment(&merge, &segment), 0);
	assert_int_equal(merge_segment(&merge, &segment), 0);
	assert_false(merge.exact);
	stacks_each(merge.stacks, compare_kept, &d);
	assert_in_range(d.samples, 50, KEYS / 2);
	stacks_each(merge.stacks, add_to_sums, &merged);
	stacks_each(stacks, add_to_sums, &sums); /* twice each */
	assert_sample_sums_equal(&merged, &sums);
	merge_done(&merge);
	free(bytes.data);
	stacks_free(stacks);
}

static void count(void *userdata, const struct record *record, const struct stack_path *path)
{
	++*(unsigned *)userdata;
}

static void test_others_and_nothing(void **state)
{
	struct sample_sums sums = {};
	struct stacks *stacks = random_stacks(0, &sums);
	struct decoded d = {};
	struct record record;
	struct bytes bytes = encode(stacks);
	unsigned n = 0;

	assert_int_equal(stack_segment_decode(bytes.data, bytes.size, count, &n), 0);
	assert_int_equal(n, 0);
	free(bytes.data);
	make_sample(3, &record);
	assert_int_equal(stacks_add_other(stacks, &record), 0);
	bytes = encode(stacks);
	assert_int_equal(stacks_new((size_t)1 << 20, false, &d.again), 0);
	assert_int_equal(stack_segment_decode(bytes.data, bytes.size, count, &n), 0);
	assert_int_equal(n, 1);
	free(bytes.data);
	stacks_free(d.again);
	stacks_free(stacks);
}

/* A node of a real tree: neighbours in few pieces of code. */
static void test_size(void **state)
{
	struct sample_sums sums = {};
	struct stacks *stacks = random_stacks(0, &sums);
	const struct code code = { .kind = CODE_FILE, .id_size = 20, .path = "/usr/bin/server" };
	struct frame frames[64];
	struct record record = { .kind = RECORD_SAMPLE };
	struct bytes bytes;
	unsigned seed = 1;
	size_t nodes;

	for (unsigned n = 0; n < 1000; n++) {
		for (unsigned i = 0; i < ARRAY_SIZE(frames); i++) {
			uint64_t branch = (unsigned)rand_r(&seed) % (1 + (63 - i) / 16);

			frames[i].code = &code;
			frames[i].address = 0x400000 + (uint64_t)i * 4096 + branch * 70000;
		}
		record.sample = (struct sample){ .n = 64, .frames = frames, .count = 1 };
		assert_int_equal(stacks_add(stacks, &record, NULL), 0);
	}
	nodes = pool_size(stacks->nodes);
	assert_true(nodes > 10000);
	bytes = encode(stacks);
	print_message("%zu nodes, %.1f bytes each on disk, %.1f in memory\n", nodes,
		      (double)bytes.size / (double)nodes,
		      (double)stacks_bytes(stacks) / (double)nodes);
	assert_true(bytes.size < 8 * nodes);
	free(bytes.data);
	stacks_free(stacks);
}

static void check(void *userdata, const struct record *record, const struct stack_path *path)
{
	const struct sample *s = &record->sample;

	if (record->kind == RECORD_SAMPLE_LOSS) {
		assert_true(record->loss.event < SAMPLE_EVENT_MAX_);
		return;
	}
	assert_true(s->event < SAMPLE_EVENT_MAX_ && s->end < STACK_END_MAX_);
	assert_true(s->n <= SAMPLE_FRAMES_MAX && s->n_kernel <= s->n);
	for (uint32_t i = 0; i < s->n; i++) {
		assert_true(s->frames[i].code->kind < CODE_KIND_MAX_);
		assert_true(s->frames[i].code->id_size <= CODE_ID_MAX);
		assert_non_null(s->frames[i].code->path);
	}
}

static void test_mutated(void **state)
{
	struct sample_sums sums = {};
	struct stacks *stacks = random_stacks(60, &sums);
	struct bytes bytes = encode(stacks);
	unsigned seed = 5, refused = 0;
	int r;

	for (unsigned round = 0; round < 20000; round++) {
		size_t at = (size_t)rand_r(&seed) % bytes.size;
		unsigned char before = bytes.data[at];

		bytes.data[at] ^= (unsigned char)(rand_r(&seed) % 255 + 1);
		r = stack_segment_decode(bytes.data, bytes.size, check, NULL);
		assert_true(r == 0 || r == -EBADMSG);
		refused += r < 0;
		bytes.data[at] = before;
	}
	assert_in_range(refused, 1000, 19000);
	for (size_t size = 0; size < bytes.size; size++) {
		_cleanup_free_ unsigned char *copy = malloc(size);

		memcpy(copy, bytes.data, size);
		assert_int_equal(stack_segment_decode(copy, size, check, NULL), -EBADMSG);
	}
	free(bytes.data);
	stacks_free(stacks);
}

static void put(struct bytes *b, const void *data, size_t n)
{
	b->data = realloc(b->data, b->size + n);
	assert_non_null(b->data);
	memcpy(b->data + b->size, data, n);
	b->size += n;
}

#define PUT(b, ...)                                    \
	put(b, (const unsigned char[]){ __VA_ARGS__ }, \
	    sizeof((const unsigned char[]){ __VA_ARGS__ }))

/* One string, one actor, one code and a chain of so many nodes; then a row of its end. */
static int decode_chain(unsigned depth, unsigned char n_kernel)
{
	struct bytes b = {};
	unsigned n = 0;
	int r;

	PUT(&b, STACK_SEGMENT_VERSION, 1, 0, 0);
	PUT(&b, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	PUT(&b, 1, CODE_FILE, 0, 0);
	PUT(&b, (unsigned char)(depth | 0x80), (unsigned char)(depth >> 7));
	for (unsigned i = 0; i < depth; i++)
		PUT(&b, 0, 0, 2);
	PUT(&b, 1, SAMPLE_CPU << 1, STACK_END_ROOT, 0, n_kernel, 0, 0, 0,
	    (unsigned char)(depth | 0x80), (unsigned char)(depth >> 7), 1, 1);
	PUT(&b, 0);
	r = stack_segment_decode(b.data, b.size, count, &n);
	assert_int_equal(n, r == 0);
	free(b.data);
	return r;
}

static void test_limits(void **state)
{
	assert_int_equal(decode_chain(1, 1), 0);
	assert_int_equal(decode_chain(1, 2), -EBADMSG);
	assert_int_equal(decode_chain(500, STACKS_KERNEL_FRAMES_MAX), 0);
	assert_int_equal(decode_chain(500, STACKS_KERNEL_FRAMES_MAX + 1), -EBADMSG);
	assert_int_equal(decode_chain(SAMPLE_FRAMES_MAX, 0), 0);
	assert_int_equal(decode_chain(SAMPLE_FRAMES_MAX + 1, 0), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_thinned_while_read),
		cmocka_unit_test(test_others_and_nothing),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_mutated),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
