/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples in the store, at every age, against sums of the test's own. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fixture.h"
#include "samples.h"
#include "store/segment.h"

#define KINDS (1U << RECORD_SAMPLE | 1U << RECORD_SAMPLE_LOSS)
#define KEYS 2000U

struct samples_answer {
	bool ended, in_order;
	int r;
	struct store_summary summary;
	struct sample_sums sums;
	size_t samples, others, losses, threads;
	uint64_t last_value;
};

static void on_row(void *userdata, const struct record *record)
{
	struct samples_answer *a = userdata;

	sample_sums_add(&a->sums, record);
	if (record->kind == RECORD_SAMPLE_LOSS) {
		a->losses++;
		a->in_order = a->in_order && a->samples == 0;
		return;
	}
	if (a->samples++ > 0 && record->sample.value > a->last_value)
		a->in_order = false;
	a->last_value = record->sample.value;
	a->others += record->sample.other;
	a->threads += record->sample.tid != 0 || record->sample.cpu != -1;
}

static void on_end(void *userdata, int r, const struct store_summary *summary)
{
	struct samples_answer *a = userdata;

	a->ended = true;
	a->r = r;
	a->summary = *summary;
}

static void ask(struct bed *bed, struct store_query query, struct samples_answer *ret)
{
	struct store_cursor *cursor;

	if (query.range.until_ns == 0)
		query.range.until_ns = UINT64_MAX;
	query.kinds = KINDS;
	*ret = (struct samples_answer){ .in_order = true };
	assert_int_equal(store_query(bed->store, &query, on_row, on_end, ret, &cursor), 0);
	while (!ret->ended)
		bed_turn(bed);
	assert_int_equal(ret->r, 0);
	assert_true(ret->in_order);
}

static void ask_all(struct bed *bed, const struct sample_sums *expected)
{
	struct samples_answer a;

	ask(bed, (struct store_query){}, &a);
	assert_sample_sums_equal(&a.sums, expected);
}

/* n samples of random keys and a few losses, and flows beside them. */
static void add_some(struct bed *bed, unsigned n, unsigned *seed, struct sample_sums *sums)
{
	struct record record;

	for (unsigned i = 0; i < n; i++) {
		random_sample((unsigned)rand_r(seed) % KEYS, seed, &record);
		assert_int_equal(store_add(bed->store, &record), 0);
		sample_sums_add(sums, &record);
		if (i % 10 > 0)
			continue;
		random_loss((unsigned)rand_r(seed) % KEYS, seed, &record);
		store_add(bed->store, &record);
		sample_sums_add(sums, &record);
	}
}

static void step(struct bed *bed, unsigned n, unsigned *seed, struct sample_sums *sums)
{
	add_some(bed, n, seed, sums);
	bed_step(bed, 20, seed, NULL);
}

/* Twenty minutes: what is in memory, on disk and joined adds up, with flows beside it. */
static void test_exact_at_every_age(void **state)
{
	struct sample_sums sums = {}, half;
	struct samples_answer a;
	struct answer flows;
	unsigned seed = 1;
	struct bed bed;
	uint64_t since;

	bed_prepare(&bed, true);
	bed.options.top_stacks = 50;
	bed_open(&bed);
	since = bed.now;
	for (unsigned i = 0; i < 240; i++) {
		step(&bed, 200, &seed, &sums);
		if (i == 119)
			half = sums;
		if (i % 60 == 59)
			ask_all(&bed, &sums);
	}
	add_some(&bed, 100, &seed, &sums); /* the running step */
	ask(&bed, (struct store_query){}, &a);
	assert_sample_sums_equal(&a.sums, &sums);
	assert_false(a.summary.exact);
	assert_true(a.others > SAMPLE_PROCESSES);
	assert_true(a.threads > 0);
	ask(&bed, (struct store_query){ .range = { since, since + 600 * NSEC_PER_SEC } }, &a);
	assert_sample_sums_equal(&a.sums, &half);
	since -= since % (60 * NSEC_PER_SEC);
	ask(&bed,
	    (struct store_query){
		    .range = { since + 120 * NSEC_PER_SEC, since + 180 * NSEC_PER_SEC } },
	    &a);
	assert_int_equal(a.samples - a.others, 50);
	ask(&bed, (struct store_query){ .range = { bed.now - 60 * NSEC_PER_SEC } }, &a);
	assert_true(a.summary.exact);
	assert_int_equal(a.others, 0);
	bed_ask(&bed, 0, UINT64_MAX, 0, &flows);
	assert_int_equal(flows.flows - flows.others, 20);
	bed_done(&bed);
}

static void test_minutes_know_no_threads(void **state)
{
	struct sample_sums sums = {};
	struct samples_answer a;
	unsigned seed = 2;
	struct bed bed;
	uint64_t until;

	bed_prepare(&bed, true);
	bed.options.top_stacks = 100000;
	bed_open(&bed);
	until = bed.now + 60 * NSEC_PER_SEC;
	for (unsigned i = 0; i < 12; i++)
		step(&bed, 100, &seed, &sums);
	ask(&bed, (struct store_query){ .range = { 0, until } }, &a);
	assert_true(a.threads > 0 && a.others == 0);
	for (unsigned i = 0; i < 140; i++)
		bed_step(&bed, 1, &seed, NULL);
	ask(&bed, (struct store_query){ .range = { 0, until } }, &a);
	assert_sample_sums_equal(&a.sums, &sums);
	assert_int_equal(a.threads, 0);
	assert_int_equal(a.others, 0);
	assert_true(a.summary.exact);
	bed_done(&bed);
}

static void test_folded(void **state)
{
	struct sample_sums sums = {};
	struct samples_answer whole, folded;
	unsigned seed = 3;
	struct record record;
	struct bed bed;

	bed_init(&bed, false);
	for (pid_t tid = 1; tid <= 100; tid++) {
		make_sample((unsigned)tid % 5, &record);
		record.sample.tid = tid;
		record.sample.cpu = tid % 3;
		assert_int_equal(store_add(bed.store, &record), 0);
		sample_sums_add(&sums, &record);
	}
	bed_step(&bed, 0, &seed, NULL);
	ask(&bed, (struct store_query){}, &whole);
	ask(&bed, (struct store_query){ .folded = true }, &folded);
	assert_sample_sums_equal(&folded.sums, &sums);
	assert_sample_sums_equal(&whole.sums, &sums);
	assert_int_equal(whole.samples, 100);
	assert_int_equal(whole.threads, 100);
	assert_int_equal(folded.samples, 5);
	assert_int_equal(folded.threads, 0);
	bed_done(&bed);
}

static void test_restart(void **state)
{
	struct sample_sums sums = {};
	unsigned seed = 4;
	struct bed bed;

	bed_init(&bed, true);
	for (unsigned i = 0; i < 30; i++)
		step(&bed, 100, &seed, &sums);
	add_some(&bed, 50, &seed, &sums);
	bed_close(&bed);
	bed_open(&bed);
	ask_all(&bed, &sums);
	bed_done(&bed);
}

static void test_full(void **state)
{
	struct sample_sums sums = {};
	struct samples_answer a;
	struct record record;
	unsigned seed = 5;
	struct bed bed;

	bed_init(&bed, true);
	store_set_max_rows(bed.store, 16000);
	for (unsigned i = 0; i < 5; i++) {
		for (unsigned n = 0; n < 20000; n++) {
			random_sample(n, &seed, &record);
			store_add(bed.store, &record);
			sample_sums_add(&sums, &record);
		}
		bed_step(&bed, 10, &seed, NULL);
	}
	assert_true(loss_of(bed.store, "store.stacks_full") > 10000);
	assert_int_equal(loss_of(bed.store, "store.table_full"), 0);
	assert_int_equal(loss_of(bed.store, "store.no_memory"), 0);
	ask(&bed, (struct store_query){}, &a);
	assert_sample_sums_equal(&a.sums, &sums);
	assert_false(a.summary.exact);
	assert_true(a.others > 0);
	bed_done(&bed);
}

static void test_filter(void **state)
{
	struct sample_sums sums = {}, expected = {};
	struct samples_answer a;
	struct store_query query = {};
	unsigned seed = 6;
	struct bed bed;

	bed_init(&bed, false);
	step(&bed, 1000, &seed, &sums);
	for (unsigned e = 0; e < SAMPLE_EVENT_MAX_; e++) {
		expected.lost[e][7] = sums.lost[e][7];
		for (unsigned end = 0; end < STACK_END_MAX_; end++)
			expected.samples[e][end][7] = sums.samples[e][end][7];
	}
	filter_add(&query.filter, "pid", "7");
	ask(&bed, query, &a);
	assert_sample_sums_equal(&a.sums, &expected);
	assert_true(a.samples > 0 && a.losses > 0);
	query = (struct store_query){};
	filter_add(&query.filter, "port", "443");
	ask(&bed, query, &a);
	assert_int_equal(a.samples + a.losses, 0);
	query = (struct store_query){ .limit = 10 };
	ask(&bed, query, &a);
	assert_int_equal(a.samples, 10);
	assert_int_equal(a.summary.rows, 10);
	assert_true(a.summary.rows_left_out > 10);
	query.kinds = KINDS | 1U << RECORD_FLOW;
	assert_int_equal(store_query(bed.store, &query, on_row, on_end, &a,
				     &(struct store_cursor *){ NULL }),
			 -EINVAL);
	bed_done(&bed);
}

static void test_pause_and_cancel(void **state)
{
	struct sample_sums sums = {};
	struct samples_answer a = { .in_order = true };
	struct store_query query = { .kinds = KINDS, .range = { 0, UINT64_MAX } };
	struct store_cursor *cursor;
	unsigned seed = 8;
	struct bed bed;

	bed_init(&bed, true);
	step(&bed, KEYS, &seed, &sums);
	assert_int_equal(store_query(bed.store, &query, on_row, on_end, &a, &cursor), 0);
	store_query_pause(cursor, true);
	for (unsigned i = 0; i < 50; i++)
		bed_turn(&bed);
	assert_false(a.ended);
	assert_int_equal(a.samples, 0);
	store_query_pause(cursor, false);
	while (!a.ended)
		bed_turn(&bed);
	assert_sample_sums_equal(&a.sums, &sums);
	a = (struct samples_answer){ .in_order = true };
	assert_int_equal(store_query(bed.store, &query, on_row, on_end, &a, &cursor), 0);
	store_query_cancel(cursor);
	step(&bed, 1, &seed, &sums);
	assert_false(a.ended);
	ask_all(&bed, &sums);
	bed_done(&bed);
}

static void on_step(void *userdata, const struct record *record)
{
	if (KINDS & 1U << record->kind)
		sample_sums_add(userdata, record);
}

static void test_exporters_get_them(void **state)
{
	struct sample_sums sums = {}, told = {};
	unsigned seed = 9;
	struct bed bed;

	bed_init(&bed, false);
	assert_int_equal(store_on_step(bed.store, on_step, NULL, &told), 0);
	step(&bed, 300, &seed, &sums);
	assert_sample_sums_equal(&told, &sums);
	bed_done(&bed);
}

static void execute(const struct bed *bed, const char *sql)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/history.db", bed->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* What can be read of a damaged segment counts, it is reported, and the others are not touched. */
static void test_damaged_segment(void **state)
{
	struct sample_sums sums = {}, after = {};
	struct samples_answer a;
	unsigned seed = 10;
	struct bed bed;

	bed_init(&bed, true);
	step(&bed, 200, &seed, &sums);
	bed_close(&bed);
	execute(&bed, "UPDATE segment SET data = substr(data, 1, 200) WHERE kind = 1");
	bed_open(&bed);
	step(&bed, 200, &seed, &after);
	ask(&bed, (struct store_query){}, &a);
	assert_sample_sums_equal(&a.sums, &after);
	assert_false(a.summary.exact);
	assert_true(loss_of(bed.store, "store.damaged") > 0);
	bed_done(&bed);
}

/* A history of the version before, which knew flows only, goes on. */
static void test_version_before(void **state)
{
	struct sample_sums sums = {};
	struct sums flows = {};
	struct answer answer;
	struct part_status status;
	unsigned seed = 11;
	struct bed bed;

	bed_init(&bed, true);
	for (unsigned i = 0; i < 20; i++)
		bed_step(&bed, 30, &seed, &flows);
	bed_close(&bed);
	execute(&bed, "DROP INDEX segment_kind; DROP INDEX segment_step;"
		      "CREATE TABLE old (id INTEGER PRIMARY KEY, level INTEGER NOT NULL,"
		      " start INTEGER NOT NULL, end INTEGER NOT NULL, rows INTEGER NOT NULL,"
		      " data BLOB NOT NULL);"
		      "INSERT INTO old SELECT id, level, start, end, rows, data FROM segment;"
		      "DROP TABLE segment; ALTER TABLE old RENAME TO segment;"
		      "CREATE INDEX segment_end ON segment (end);"
		      "CREATE INDEX segment_step ON segment (end) WHERE level = 0;"
		      "PRAGMA user_version = 1");
	bed_open(&bed);
	step(&bed, 100, &seed, &sums);
	store_status(bed.store, &status);
	assert_int_equal(status.state, PART_ON);
	ask_all(&bed, &sums);
	bed_ask(&bed, 0, bed.now - 5 * NSEC_PER_SEC, 0, &answer);
	assert_sums_equal(&answer.sums, &flows);
	bed_close(&bed); /* and once more: it is a file of this version now */
	bed_open(&bed);
	ask_all(&bed, &sums);
	bed_done(&bed);
}

static int64_t sample_bytes_in(const struct bed *bed)
{
	int64_t bytes = -1;
	char path[128];
	sqlite3_stmt *s;
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/history.db", bed->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(
				 db, "SELECT sum(length(data) + 1024) FROM segment WHERE kind = 1",
				 -1, &s, NULL),
			 SQLITE_OK);
	if (sqlite3_step(s) == SQLITE_ROW)
		bytes = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return bytes;
}

/* What the store says of its disk, against SQLite, and against what then happens. */
static void test_figures(void **state)
{
	struct sample_sums sums = {};
	struct store_figures figures;
	uint64_t estimated, held;
	unsigned seed = 12;
	struct bed bed;

	bed_prepare(&bed, true);
	bed.options.max_size = 12 << 20;
	bed.options.top_stacks = 300;
	bed_open(&bed);
	step(&bed, 10, &seed, &sums);
	store_figures(bed.store, &figures);
	assert_true(figures.sample_bytes > 0);
	assert_int_equal(figures.holds_ns, 0);
	for (unsigned i = 0; i < 400; i++)
		step(&bed, 100, &seed, &sums);
	store_figures(bed.store, &figures);
	estimated = figures.holds_ns;
	for (unsigned i = 0; i < 3000; i++)
		step(&bed, 100, &seed, &sums);
	store_figures(bed.store, &figures);
	held = bed.now - figures.oldest_ns;
	print_message("12 MiB: %.1f h estimated, %.1f h held\n", (double)estimated / 3.6e12,
		      (double)held / 3.6e12);
	assert_in_range(held, estimated / 10 * 8, estimated / 10 * 12);
	bed_close(&bed);
	held = figures.sample_bytes;
	assert_in_range(sample_bytes_in(&bed), held,
			held + 65536); /* closing wrote one step more */
	bed_open(&bed);
	store_figures(bed.store, &figures);
	assert_in_range(figures.sample_bytes, held, held + 65536);
	bed_done(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_at_every_age),
		cmocka_unit_test(test_minutes_know_no_threads),
		cmocka_unit_test(test_folded),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_pause_and_cancel),
		cmocka_unit_test(test_exporters_get_them),
		cmocka_unit_test(test_damaged_segment),
		cmocka_unit_test(test_version_before),
		cmocka_unit_test(test_figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
