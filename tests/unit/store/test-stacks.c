/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples in stacks, against arrays of the test's own. */
#include <errno.h>
#include <stdlib.h>

#include "fixture.h"
#include "samples.h"
#include "store/stacks.h"

#define KEYS 1500U
#define MIB ((size_t)1 << 20)

static struct stacks *new_stacks(size_t max_bytes, bool folded)
{
	struct stacks *stacks;

	assert_int_equal(stacks_new(max_bytes, folded, &stacks), 0);
	return stacks;
}

/* Adds as the store does. True: it found a row of its own. */
static bool add(struct stacks *stacks, const struct record *record, struct sample_sums *sums)
{
	int r = stacks_add(stacks, record, NULL);

	sample_sums_add(sums, record);
	if (r == -ENOSPC)
		assert_int_equal(stacks_add_other(stacks, record), 0);
	else
		assert_int_equal(r, 0);
	return r == 0;
}

static void add_to_sums(void *userdata, const struct record *record)
{
	sample_sums_add(userdata, record);
}

static void assert_sums(const struct stacks *stacks, const struct sample_sums *expected)
{
	struct sample_sums sums = {};

	stacks_each(stacks, add_to_sums, &sums);
	assert_sample_sums_equal(&sums, expected);
}

struct model {
	uint64_t count[KEYS], value[KEYS];
	unsigned seen;
};

static void compare_row(void *userdata, const struct record *record)
{
	struct model *model = userdata;
	struct record expected;
	unsigned n;

	if (record->kind != RECORD_SAMPLE)
		return;
	n = (unsigned)record->sample.tid - 1;
	assert_true(n < KEYS);
	make_sample(n, &expected);
	assert_same_sample(&record->sample, &expected.sample);
	assert_int_equal(record->sample.count, model->count[n]);
	assert_int_equal(record->sample.value, model->value[n]);
	model->seen++;
}

static void test_adds_up_by_key(void **state)
{
	struct stacks *stacks = new_stacks(64 * MIB, false);
	struct sample_sums sums = {};
	struct model model = {};
	struct record record;
	unsigned seed = 1;

	for (unsigned i = 0; i < 5 * KEYS; i++) {
		unsigned n = i < KEYS ? i : (unsigned)rand_r(&seed) % KEYS;

		random_sample(n, &seed, &record);
		model.count[n] += record.sample.count;
		model.value[n] += record.sample.value;
		assert_true(add(stacks, &record, &sums));
		random_loss(n, &seed, &record);
		assert_true(add(stacks, &record, &sums));
	}
	assert_int_equal(stacks_rows(stacks), KEYS);
	stacks_each(stacks, compare_row, &model);
	assert_int_equal(model.seen, KEYS);
	assert_sums(stacks, &sums);
	stacks_free(stacks);
}

/* What two stacks have in common next to the root is there once. */
static void test_common_callers_are_one(void **state)
{
	struct stacks *stacks = new_stacks(64 * MIB, false);
	const struct code code = { .kind = CODE_FILE, .id_size = 1, .id = { 7 }, .path = "/a" };
	struct frame frames[100];
	struct record record = { .kind = RECORD_SAMPLE };
	struct sample_sums sums = {};

	for (unsigned i = 0; i < 100; i++)
		frames[i] = (struct frame){ &code, i };
	record.sample = (struct sample){ .n = 100, .frames = frames, .count = 1, .value = 1 };
	add(stacks, &record, &sums);
	assert_int_equal(pool_size(stacks->nodes), 101);
	frames[0].address = 12345;
	add(stacks, &record, &sums);
	assert_int_equal(pool_size(stacks->nodes), 102);
	frames[99].address = 54321; /* the root: all of it is another stack */
	add(stacks, &record, &sums);
	assert_int_equal(pool_size(stacks->nodes), 202);
	assert_int_equal(pool_size(stacks->code_keys), 2);
	assert_int_equal(stacks_rows(stacks), 3);
	stacks_free(stacks);
}

static void test_folds_threads_and_cpus(void **state)
{
	struct stacks *stacks = new_stacks(64 * MIB, true);
	struct sample_sums sums = {};
	struct record record;

	for (unsigned tid = 1; tid <= 30; tid++) {
		make_sample(77, &record);
		record.sample.tid = (pid_t)tid;
		record.sample.cpu = (int32_t)tid % 4;
		assert_true(add(stacks, &record, &sums));
	}
	assert_int_equal(stacks_rows(stacks), 1);
	strcpy(record.sample.thread, "another");
	assert_true(add(stacks, &record, &sums));
	assert_int_equal(stacks_rows(stacks), 2);
	assert_sums(stacks, &sums);
	stacks_free(stacks);
}

static void count_others(void *userdata, const struct record *record)
{
	unsigned *n = userdata;

	if (record->kind != RECORD_SAMPLE || !record->sample.other)
		return;
	++*n;
	assert_int_equal(record->sample.n, 0);
	assert_int_equal(record->sample.cpu, -1);
}

/* Whatever comes, it stays below its bytes, and sums are exact. */
static void test_full(void **state)
{
	struct stacks *stacks = new_stacks(2 * MIB, false);
	struct sample_sums sums = {};
	struct record record;
	unsigned seed = 3, refused = 0, others = 0, rows;

	for (unsigned n = 0; n < 40000; n++) {
		random_sample(n, &seed, &record);
		refused += !add(stacks, &record, &sums);
		assert_true(stacks_bytes(stacks) <= 2 * MIB);
	}
	assert_true(refused > 10000);
	stacks_each(stacks, count_others, &others);
	assert_in_range(others, SAMPLE_PROCESSES,
			SAMPLE_PROCESSES * SAMPLE_EVENT_MAX_ * STACK_END_MAX_);
	assert_sums(stacks, &sums);
	rows = (unsigned)stacks_rows(stacks);
	make_sample(0, &record); /* a row that is there takes more */
	assert_true(add(stacks, &record, &sums));
	assert_int_equal(stacks_rows(stacks), rows);
	stacks_free(stacks);
}

/* Ever new processes of few workloads, and no room: they are told by workload, then not at all. */
static void test_too_many_processes(void **state)
{
	struct stacks *stacks = new_stacks(2 * MIB, false);
	uint64_t count = 0;
	struct record record;
	const struct stacks_key *key;
	const struct stacks_sum *sum;

	for (unsigned n = 0; n < 100000; n++) {
		make_sample(n, &record);
		record.sample.process.pid = (pid_t)n;
		record.sample.process.start_ns = n;
		if (stacks_add(stacks, &record, NULL) == -ENOSPC)
			assert_int_equal(stacks_add_other(stacks, &record), 0);
		assert_true(stacks_bytes(stacks) <= 2 * MIB);
	}
	HASHMAP_FOREACH(stacks->rows, pos, key, sum)
		count += sum->count;
	assert_int_equal(count, 100000);
	assert_true(stacks->n_others < 2 * STACKS_OTHERS_MAX + 64);
	stacks_free(stacks);
}

static void test_too_many_losses(void **state)
{
	struct stacks *stacks = new_stacks(8 * MIB, false);
	struct record record;
	const struct stacks_loss_key *key;
	const uint64_t *lost;
	uint64_t sum = 0;

	for (unsigned n = 0; n < 3 * STACKS_LOSSES_MAX; n++) {
		record = (struct record){ .kind = RECORD_SAMPLE_LOSS,
					  .loss = { .cpu = (int32_t)n, .lost = 2 } };
		if (stacks_add(stacks, &record, NULL) == -ENOSPC)
			assert_int_equal(stacks_add_other(stacks, &record), 0);
	}
	HASHMAP_FOREACH(stacks->losses, pos, key, lost)
		sum += *lost;
	assert_int_equal(sum, 6 * STACKS_LOSSES_MAX);
	assert_int_equal(hashmap_size(stacks->losses), STACKS_LOSSES_MAX + 1);
	stacks_free(stacks);
}

static int compare_values(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

static void test_thins_to_the_largest(void **state)
{
	struct stacks *stacks = new_stacks(64 * MIB, false);
	struct sample_sums sums = {};
	struct ranked_row *ranking;
	struct record record;
	uint64_t values[KEYS], others = 0;
	unsigned seed = 4;
	size_t nodes;

	for (unsigned n = 0; n < KEYS; n++) {
		random_sample(n, &seed, &record);
		values[n] = record.sample.value;
		add(stacks, &record, &sums);
		random_loss(n, &seed, &record);
		add(stacks, &record, &sums);
	}
	qsort(values, KEYS, sizeof(values[0]), compare_values);
	nodes = pool_size(stacks->nodes);
	assert_int_equal(stacks_thin(&stacks, 100), 0);
	assert_int_equal(stacks_thin(&stacks, 100), 0); /* "other" rows take no place */
	assert_sums(stacks, &sums);
	assert_true(pool_size(stacks->nodes) < nodes / 2);
	ranking = stacks_ranking(stacks);
	for (size_t n = stacks_rows(stacks), kept = 0; n > 0; n--) {
		const struct ranked_row *ranked = ranking_next(ranking, n);
		const struct stacks_key *key = ranked->key;

		if (key->other)
			others++;
		else
			assert_int_equal(ranked->weight, values[kept++]);
	}
	assert_int_equal(stacks_rows(stacks), 100 + others);
	free(ranking);
	stacks_free(stacks);
}

static void test_refuses_what_cannot_be(void **state)
{
	struct stacks *stacks = new_stacks(MIB, false);
	struct record record = { .kind = RECORD_FLOW };

	assert_int_equal(stacks_add(stacks, &record, NULL), -EINVAL);
	make_sample(499, &record);
	assert_int_equal(record.sample.n, SAMPLE_FRAMES_MAX);
	record.sample.n++;
	assert_int_equal(stacks_add(stacks, &record, NULL), -EINVAL);
	make_sample(30, &record);
	record.sample.n_kernel = record.sample.n + 1;
	assert_int_equal(stacks_add(stacks, &record, NULL), -EINVAL);
	assert_true(stacks_is_empty(stacks));
	stacks_free(stacks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adds_up_by_key),
		cmocka_unit_test(test_common_callers_are_one),
		cmocka_unit_test(test_folds_threads_and_cpus),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_too_many_processes),
		cmocka_unit_test(test_too_many_losses),
		cmocka_unit_test(test_thins_to_the_largest),
		cmocka_unit_test(test_refuses_what_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
