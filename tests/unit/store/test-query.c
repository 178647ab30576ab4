/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Queries: filters, limits, pauses, cancelling, several at once, and in the middle of other work. */
#include "fixture.h"

#include <errno.h>
#include <stdlib.h>

#include "store/store-internal.h"

static struct store_cursor *ask(struct bed *bed, struct store_query query, store_record_fn row,
				struct answer *answer)
{
	struct store_cursor *cursor;

	*answer = (struct answer){ .in_order = true };
	if (!query.kinds)
		query.kinds = 7;
	if (!query.range.until_ns)
		query.range.until_ns = UINT64_MAX;
	assert_int_equal(store_query(bed->store, &query, row, answer_end, answer, &cursor), 0);
	return cursor;
}

static void wait_for(struct bed *bed, struct answer *answer)
{
	while (!answer->ended)
		bed_turn(bed);
	assert_int_equal(answer->r, 0);
}

static void test_filter_before_limit(void **state)
{
	struct store_query query = { .limit = 5 };
	struct answer *answer = malloc(sizeof(*answer));
	unsigned seed = 1;
	struct bed bed;

	bed_init(&bed, true);
	bed_step(&bed, 640, &seed, NULL);
	bed_step(&bed, 640, &seed, NULL);
	/* Each process is the local end of 10 of the 640 flows and the peer of 10 others. */
	assert_int_equal(filter_add(&query.filter, "pid", "3"), 0);
	ask(&bed, query, answer_row, answer);
	wait_for(&bed, answer);
	assert_int_equal(answer->flows, 5);
	assert_int_equal(answer->summary.rows, 5);
	assert_int_equal(answer->summary.rows_left_out, 20 - 5);
	assert_true(answer->in_order && answer->summary.exact);
	bed_done(&bed);
	free(answer);
}

static void test_limit(void **state)
{
	struct answer *answer = malloc(sizeof(*answer));
	unsigned seed = 2;
	struct bed bed;

	bed_init(&bed, false);
	bed_step(&bed, 1000, &seed, NULL);
	for (size_t limit = 1; limit < 1500; limit = limit * 2 + 255) {
		bed_ask(&bed, 0, UINT64_MAX, limit, answer);
		assert_int_equal(answer->flows, MIN(limit, 1000U));
		assert_int_equal(answer->summary.rows, MIN(limit, 1000U));
		assert_int_equal(answer->summary.rows_left_out, 1000 - MIN(limit, 1000U));
		assert_true(answer->in_order);
	}
	bed_ask(&bed, 5, 6, 0, answer); /* nothing there */
	assert_int_equal(answer->flows, 0);
	assert_int_equal(answer->summary.covered_until_ns, 0);
	bed_done(&bed);
	free(answer);
}

static void test_kinds(void **state)
{
	struct record untracked = { .kind = RECORD_UNTRACKED, .untracked.tx.skbs = 1 };
	struct answer *answer = malloc(sizeof(*answer));
	unsigned seed = 2;
	struct bed bed;

	bed_init(&bed, false);
	assert_int_equal(store_add(bed.store, &untracked), 0);
	bed_step(&bed, 100, &seed, NULL);
	ask(&bed, (struct store_query){ .kinds = 1 << RECORD_UNTRACKED }, answer_row, answer);
	wait_for(&bed, answer);
	assert_int_equal(answer->flows, 0);
	assert_int_equal(answer->sums.untracked.skbs, 1);
	ask(&bed, (struct store_query){ .kinds = 1 << RECORD_FLOW }, answer_row, answer);
	wait_for(&bed, answer);
	assert_int_equal(answer->flows, 100);
	assert_int_equal(answer->sums.untracked.skbs, 0);
	bed_done(&bed);
	free(answer);
}

/* An answer that has fewer rows to itself than the range holds: exact in sum, bounded in memory. */
static void test_bounded_answer(void **state)
{
	struct sums *sums = calloc(1, sizeof(*sums));
	struct answer *answer = malloc(sizeof(*answer));
	unsigned seed = 3;
	struct bed bed;

	bed_init(&bed, true);
	for (int i = 0; i < 5; i++)
		bed_step(&bed, 2000, &seed, sums);
	store_set_max_rows(bed.store, 300);
	bed_ask(&bed, 0, UINT64_MAX, 0, answer);
	assert_sums_equal(&answer->sums, sums);
	assert_false(answer->summary.exact);
	assert_true(answer->flows - answer->others <= 300);
	assert_true(answer->flows - answer->others >= 150);
	bed_done(&bed);
	free(answer);
	free(sums);
}

/* As many rows as a lone query may hold are no reason to thin. */
static void test_answer_that_just_fits(void **state)
{
	struct answer *answer = malloc(sizeof(*answer));
	unsigned seed = 3;
	struct bed bed;

	bed_init(&bed, true);
	for (int i = 0; i < 5; i++)
		bed_step(&bed, 300, &seed, NULL);
	store_set_max_rows(bed.store, 300);
	bed_ask(&bed, 0, UINT64_MAX, 0, answer);
	assert_true(answer->summary.exact);
	assert_int_equal(answer->flows, 300);
	bed_done(&bed);
	free(answer);
}

static struct store_cursor *in_hand;
static size_t act_at; /* the flow at which to act */

static void pause_at(void *userdata, const struct record *record)
{
	struct answer *answer = userdata;

	answer_row(userdata, record);
	if (answer->flows == act_at)
		store_query_pause(in_hand, true);
}

static void cancel_at(void *userdata, const struct record *record)
{
	struct answer *answer = userdata;

	assert_true(answer->flows < act_at);
	answer_row(userdata, record);
	if (answer->flows == act_at)
		store_query_cancel(in_hand);
}

static void test_pause(void **state)
{
	static const size_t at[] = { 1, 255, 256, 257, 999, 1000 };
	struct answer *answer = malloc(sizeof(*answer));
	unsigned seed = 4;
	struct bed bed;

	bed_init(&bed, false);
	bed_step(&bed, 1000, &seed, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		act_at = at[i];
		in_hand = ask(&bed, (struct store_query){}, pause_at, answer);
		while (answer->flows < at[i])
			bed_turn(&bed);
		bed_settle(&bed);
		assert_int_equal(answer->flows, at[i]); /* none more */
		assert_false(answer->ended);
		store_query_pause(in_hand, false);
		assert_int_equal(answer->flows, at[i]); /* not from inside */
		wait_for(&bed, answer);
		assert_int_equal(answer->flows, 1000);
		assert_true(answer->in_order);
	}
	/* Paused before the first row, and resumed at once. */
	in_hand = ask(&bed, (struct store_query){}, answer_row, answer);
	store_query_pause(in_hand, true);
	bed_settle(&bed);
	assert_int_equal(answer->flows, 0);
	store_query_pause(in_hand, false);
	store_query_pause(in_hand, true);
	store_query_pause(in_hand, false);
	wait_for(&bed, answer);
	assert_int_equal(answer->flows, 1000);
	bed_done(&bed);
	free(answer);
}

static void test_cancel(void **state)
{
	static const size_t at[] = { 1, 256, 1000 };
	struct answer *answer = malloc(sizeof(*answer));
	unsigned seed = 5;
	struct bed bed;

	bed_init(&bed, true);
	bed_step(&bed, 1000, &seed, NULL);
	store_set_max_rows(bed.store, 1000); /* just enough for one that has its share */
	in_hand = ask(&bed, (struct store_query){}, answer_row, answer);
	store_query_cancel(in_hand); /* while the worker has it */
	bed_settle(&bed);
	assert_int_equal(answer->flows, 0);
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) { /* from inside */
		act_at = at[i];
		in_hand = ask(&bed, (struct store_query){}, cancel_at, answer);
		for (int turn = 0; turn < 3; turn++)
			bed_settle(&bed);
		assert_int_equal(answer->flows, at[i]);
		assert_false(answer->ended);
	}
	act_at = 300; /* while it is paused */
	in_hand = ask(&bed, (struct store_query){}, pause_at, answer);
	while (answer->flows < 300)
		bed_turn(&bed);
	store_query_cancel(in_hand);
	bed_settle(&bed);
	assert_false(answer->ended);
	/* All shares were given back. */
	bed_ask(&bed, 0, UINT64_MAX, 0, answer);
	assert_true(answer->summary.exact);
	bed_done(&bed);
	free(answer);
}

static void test_several(void **state)
{
	struct answer *answers = calloc(STORE_QUERIES_MAX + 1, sizeof(*answers));
	struct store_query query = { .kinds = 7, .range = { 0, UINT64_MAX } };
	struct store_cursor *cursors[STORE_QUERIES_MAX], *more;
	struct sums *sums = calloc(1, sizeof(*sums));
	unsigned seed = 6;
	struct bed bed;

	bed_init(&bed, true);
	for (int i = 0; i < 20; i++)
		bed_step(&bed, 300, &seed, sums);
	for (int i = 0; i < STORE_QUERIES_MAX; i++) {
		cursors[i] = ask(&bed, (struct store_query){}, answer_row, &answers[i]);
		store_query_pause(cursors[i], true);
	}
	assert_int_equal(filter_add(&query.filter, "port", "80"), 0);
	assert_int_equal(store_query(bed.store, &query, answer_row, answer_end,
				     &answers[STORE_QUERIES_MAX], &more),
			 -EBUSY);
	assert_int_equal(query.filter.n_port, 1); /* still ours */
	filter_done(&query.filter);
	bed_settle(&bed);
	for (int i = 0; i < STORE_QUERIES_MAX; i++)
		store_query_pause(cursors[i], false);
	for (int i = 0; i < STORE_QUERIES_MAX; i++) {
		wait_for(&bed, &answers[i]);
		assert_sums_equal(&answers[i].sums, sums);
	}
	bed_done(&bed);
	free(answers);
	free(sums);
}

/* An answer that takes all rows: the next query waits until it has gone, and gets as many. */
static void test_waits_for_rows(void **state)
{
	struct answer *answers = calloc(3, sizeof(*answers));
	struct store_cursor *first;
	unsigned seed = 9;
	struct bed bed;

	bed_init(&bed, true);
	store_set_max_rows(bed.store, 4000);
	bed_step(&bed, 4000, &seed, NULL);
	first = ask(&bed, (struct store_query){}, answer_row, &answers[0]);
	store_query_pause(first, true);
	ask(&bed, (struct store_query){}, answer_row, &answers[1]);
	ask(&bed, (struct store_query){}, answer_row, &answers[2]);
	bed_settle(&bed);
	assert_int_equal(answers[1].flows + answers[2].flows, 0);
	store_query_pause(first, false);
	for (int i = 0; i < 3; i++) {
		wait_for(&bed, &answers[i]);
		assert_int_equal(answers[i].flows, 4000);
		assert_true(answers[i].summary.exact);
	}
	bed_done(&bed);
	free(answers);
}

/* A small answer leaves room for others, however slow its reader is. */
static void test_gives_rows_back(void **state)
{
	struct answer *answers = calloc(2, sizeof(*answers));
	struct store_cursor *first;
	unsigned seed = 10;
	struct bed bed;

	bed_init(&bed, true);
	store_set_max_rows(bed.store, 4000);
	bed_step(&bed, 1000, &seed, NULL);
	first = ask(&bed, (struct store_query){}, answer_row, &answers[0]);
	store_query_pause(first, true);
	ask(&bed, (struct store_query){}, answer_row, &answers[1]);
	wait_for(&bed, &answers[1]);
	assert_int_equal(answers[1].flows, 1000);
	assert_int_equal(answers[0].flows, 0);
	bed_done(&bed);
	free(answers);
}

static void test_waits_not_for_ever(void **state)
{
	struct answer *answers = calloc(2, sizeof(*answers));
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	struct store_cursor *first;
	unsigned seed = 11;
	struct bed bed;

	bed_init(&bed, true);
	store_set_max_rows(bed.store, 4000);
	bed_step(&bed, 4000, &seed, NULL);
	first = ask(&bed, (struct store_query){}, answer_row, &answers[0]);
	store_query_pause(first, true);
	ask(&bed, (struct store_query){}, answer_row, &answers[1]);
	bed_settle(&bed);
	store_expire_queries(bed.store, now + STORE_WAIT_NS - NSEC_PER_SEC);
	assert_false(answers[1].ended);
	store_expire_queries(bed.store, now + STORE_WAIT_NS + NSEC_PER_SEC);
	assert_true(answers[1].ended);
	assert_int_equal(answers[1].r, -EBUSY);
	assert_false(answers[0].ended); /* it has what it needs */
	store_query_cancel(first);
	bed_done(&bed);
	free(answers);
}

/* Steps end and minutes are joined while a query reads: it says what there was when it came. */
static void test_among_other_work(void **state)
{
	struct sums *sums = calloc(1, sizeof(*sums)), *then = malloc(sizeof(*then));
	struct answer *answer = malloc(sizeof(*answer));
	unsigned seed = 7;
	struct bed bed;

	bed_init(&bed, true);
	for (int i = 0; i < 12 * 11; i++)
		bed_step(&bed, 30, &seed, sums);
	for (int i = 0; i < 12 * 12; i++) {
		*then = *sums;
		ask(&bed, (struct store_query){}, answer_row, answer);
		bed_step(&bed, 30, &seed, sums);
		wait_for(&bed, answer);
		assert_sums_equal(&answer->sums, then);
	}
	bed_done(&bed);
	free(answer);
	free(then);
	free(sums);
}

static void test_close_among_queries(void **state)
{
	struct answer *answers = calloc(3, sizeof(*answers));
	unsigned seed = 8;
	struct bed bed;

	bed_init(&bed, true);
	for (int i = 0; i < 20; i++)
		bed_step(&bed, 1000, &seed, NULL);
	act_at = 10;
	in_hand = ask(&bed, (struct store_query){}, pause_at, &answers[0]);
	while (answers[0].flows < act_at)
		bed_turn(&bed);
	ask(&bed, (struct store_query){}, answer_row, &answers[1]);
	bed_turn(&bed);
	ask(&bed, (struct store_query){}, answer_row, &answers[2]);
	bed_done(&bed);
	assert_false(answers[0].ended || answers[1].ended || answers[2].ended);
	free(answers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter_before_limit),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_bounded_answer),
		cmocka_unit_test(test_answer_that_just_fits),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_waits_for_rows),
		cmocka_unit_test(test_gives_rows_back),
		cmocka_unit_test(test_waits_not_for_ever),
		cmocka_unit_test(test_among_other_work),
		cmocka_unit_test(test_close_among_queries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
