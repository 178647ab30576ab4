/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps: what exporters see, and totals that stay exact while the history gets coarser. */
#include "fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

struct exported {
	struct sums sums;
	unsigned steps;
};

static void on_record(void *userdata, const struct record *record)
{
	struct exported *e = userdata;

	sums_add(&e->sums, record);
}

static void on_end(void *userdata)
{
	struct exported *e = userdata;

	e->steps++;
}

static void test_exporters(void **state)
{
	struct exported *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
	struct sums *sums = calloc(1, sizeof(*sums));
	unsigned seed = 1;
	struct bed bed;

	bed_init(&bed, false);
	assert_int_equal(store_on_step(bed.store, on_record, on_end, a), 0);
	assert_int_equal(store_on_step(bed.store, on_record, NULL, b), 0);
	bed_step(&bed, 100, &seed, sums);
	bed_step(&bed, 50, &seed, sums);
	assert_sums_equal(&a->sums, sums);
	assert_sums_equal(&b->sums, sums);
	assert_int_equal(a->steps, 2);
	for (int i = 2; i < 16; i++)
		assert_int_equal(store_on_step(bed.store, on_record, NULL, b), 0);
	assert_int_equal(store_on_step(bed.store, on_record, NULL, b), -ENOSPC);
	bed_done(&bed);
	free(a);
	free(b);
	free(sums);
}

static void test_table_full(void **state)
{
	struct sums *sums = calloc(1, sizeof(*sums));
	struct answer *answer = malloc(sizeof(*answer));
	unsigned seed = 1;
	struct record record;
	struct bed bed;

	bed_init(&bed, true);
	store_set_max_rows(bed.store, 50);
	for (unsigned i = 0; i < 80; i++) {
		random_flow(i, &seed, &record);
		sums_add(sums, &record);
		assert_int_equal(store_add(bed.store, &record), i < 50 ? 0 : -ENOSPC);
	}
	assert_int_equal(loss_of(bed.store, "store.table_full"), 30);
	bed_step(&bed, 0, &seed, sums);
	bed_ask(&bed, 0, UINT64_MAX, 0, answer);
	assert_sums_equal(&answer->sums, sums);
	assert_false(answer->summary.exact);
	assert_true(answer->others > 0);
	assert_int_equal(answer->flows, 50 + answer->others);

	store_set_max_rows(bed.store, 0); /* the next step has room again */
	bed_step(&bed, 80, &seed, sums);
	assert_int_equal(loss_of(bed.store, "store.table_full"), 30);
	bed_done(&bed);
	free(answer);
	free(sums);
}

static void add_interface_sums(struct bed *bed, struct sums *sums)
{
	struct record record = { .kind = RECORD_INTERFACE };

	record.interface.ifindex = 2;
	record.interface.counted_rx = (struct flow_count){ 1, 100, 1, 100 };
	assert_int_equal(store_add(bed->store, &record), 0);
	sums_add(sums, &record);
	record = (struct record){ .kind = RECORD_UNTRACKED };
	record.untracked.tx = (struct flow_count){ 1, 60, 1, 60 };
	assert_int_equal(store_add(bed->store, &record), 0);
	sums_add(sums, &record);
}

static void test_totals_at_every_age(void **state)
{
	struct sums *sums = calloc(1, sizeof(*sums)), *old = calloc(1, sizeof(*old));
	struct answer *answer = malloc(sizeof(*answer));
	uint64_t old_until = 0;
	unsigned seed = 4;
	struct bed bed;

	bed_prepare(&bed, true);
	bed.options.top = 10;
	bed_open(&bed);
	for (int i = 0; i < 25 * 12; i++) {
		add_interface_sums(&bed, sums);
		bed_step(&bed, 40, &seed, sums);
		if (i == 91) { /* 20 s into a minute + 92 * 5 s: a minute ends */
			*old = *sums;
			old_until = bed.now;
		}
		if (i % 60 == 59) {
			bed_ask(&bed, 0, UINT64_MAX, 0, answer);
			assert_sums_equal(&answer->sums, sums);
			assert_int_equal(answer->summary.exact, i < 12 * 12);
			assert_true(answer->in_order);
		}
	}
	/* The joined minutes alone. */
	bed_ask(&bed, 0, old_until, 0, answer);
	assert_sums_equal(&answer->sums, old);
	assert_false(answer->summary.exact);
	assert_int_equal(answer->summary.covered_until_ns, old_until);
	assert_true(answer->flows - answer->others < 40); /* the top 10 of each minute */
	assert_true(answer->flows - answer->others >= 10);
	/* The last ten minutes are still full. */
	bed_ask(&bed, bed.now - 600 * NSEC_PER_SEC, UINT64_MAX, 0, answer);
	assert_true(answer->summary.exact);
	assert_int_equal(answer->flows, 40);
	assert_int_equal(answer->summary.covered_since_ns, bed.now - 600 * NSEC_PER_SEC);

	bed_close(&bed);
	bed_open(&bed);
	bed_ask(&bed, 0, UINT64_MAX, 0, answer);
	assert_sums_equal(&answer->sums, sums);
	bed_done(&bed);
	free(answer);
	free(old);
	free(sums);
}

static void test_adjacent_ranges(void **state)
{
	struct sums *sums = calloc(1, sizeof(*sums)), *parts = malloc(sizeof(*parts));
	struct answer *answer = malloc(sizeof(*answer));
	uint64_t begin, cut, next;
	unsigned seed = 5;
	struct bed bed;

	bed_init(&bed, true);
	begin = bed.now;
	for (int i = 0; i < 14 * 12; i++)
		bed_step(&bed, 5, &seed, sums);
	for (int round = 0; round < 10; round++) {
		*parts = (struct sums){};
		for (cut = begin; cut < bed.now; cut = next) {
			next = cut + (uint64_t)rand_r(&seed) % (200 * NSEC_PER_SEC);
			if (next > bed.now - 5 * NSEC_PER_SEC)
				next = bed.now; /* who reaches into the last step, gets it */
			bed_ask(&bed, cut, next, 0, answer);
			for (int role = 0; role < FLOW_ROLE_MAX_; role++)
				for (int p = 0; p < SUM_PROTOCOLS; p++) {
					flow_count_add(&parts->tx[role][p],
						       &answer->sums.tx[role][p]);
					flow_count_add(&parts->rx[role][p],
						       &answer->sums.rx[role][p]);
				}
			if (answer->flows > 0) {
				assert_true(answer->summary.covered_until_ns > cut);
				assert_true(answer->summary.covered_until_ns <= next ||
					    next == bed.now);
			}
		}
		assert_memory_equal(parts->tx, sums->tx, sizeof(sums->tx));
		assert_memory_equal(parts->rx, sums->rx, sizeof(sums->rx));
	}
	bed_done(&bed);
	free(answer);
	free(parts);
	free(sums);
}

static void test_running_step(void **state)
{
	struct sums *sums = calloc(1, sizeof(*sums));
	struct answer *answer = malloc(sizeof(*answer));
	unsigned seed = 6;
	struct record record;
	struct bed bed;

	bed_init(&bed, false);
	bed_step(&bed, 10, &seed, sums);
	random_flow(99, &seed, &record);
	assert_int_equal(store_add(bed.store, &record), 0);
	/* Up to the last step's beginning: neither. */
	bed_ask(&bed, 0, bed.now - 5 * NSEC_PER_SEC, 0, answer);
	assert_int_equal(answer->flows, 0);
	/* Into the last step, as when the range was made before the step ended: both. */
	bed_ask(&bed, 0, bed.now - 1, 0, answer);
	assert_int_equal(answer->flows, 11);
	sums_add(sums, &record);
	assert_sums_equal(&answer->sums, sums);
	/* From the last step's end: the running one. */
	bed_ask(&bed, bed.now, UINT64_MAX, 0, answer);
	assert_int_equal(answer->flows, 1);
	bed_done(&bed);
	free(answer);
	free(sums);
}

static void settle_all(struct bed *bed)
{
	for (int i = 0; i < 20; i++)
		bed_settle(bed);
}

static void test_retention(void **state)
{
	struct store_figures figures;
	unsigned seed = 7;
	struct bed bed;

	bed_prepare(&bed, true);
	bed.options.retention = 700 * NSEC_PER_SEC;
	bed_open(&bed);
	for (int i = 0; i < 20 * 12; i++)
		bed_step(&bed, 3, &seed, NULL);
	settle_all(&bed);
	store_figures(bed.store, &figures);
	assert_true(figures.oldest_ns >= bed.now - bed.options.retention);
	assert_true(figures.oldest_ns <= bed.now - bed.options.retention + 60 * NSEC_PER_SEC);
	bed_done(&bed);
}

/* 1.3 GB of steps into 32 MB; then the budget is lowered. */
static void test_max_size(void **state)
{
	uint64_t begin, oldest = 0;
	struct store_figures figures;
	unsigned seed = 8;
	struct bed bed;

	bed_prepare(&bed, true);
	bed.options.max_size = 32 << 20;
	bed_open(&bed);
	begin = bed.now;
	for (int i = 0; i < 160; i++) {
		bed_step(&bed, 10000, &seed, NULL);
		store_figures(bed.store, &figures);
		assert_true(figures.disk_bytes <= bed.options.max_size);
		assert_true(figures.oldest_ns >= oldest);
		oldest = figures.oldest_ns;
	}
	assert_true(oldest > begin + 60 * NSEC_PER_SEC); /* some had to go */
	assert_true(figures.disk_bytes > 20 << 20); /* but no more than had to */
	assert_int_equal(loss_of(bed.store, "store.write_failed"), 0);

	bed_close(&bed);
	bed.options.max_size = 16 << 20;
	bed_open(&bed);
	bed_step(&bed, 10, &seed, NULL);
	settle_all(&bed);
	store_figures(bed.store, &figures);
	assert_true(figures.disk_bytes <= bed.options.max_size);
	bed_done(&bed);
}

/* The clock may be set back; nothing is lost by it. */
static void test_clock_set_back(void **state)
{
	struct sums *sums = calloc(1, sizeof(*sums));
	struct answer *answer = malloc(sizeof(*answer));
	unsigned seed = 9;
	struct bed bed;

	bed_init(&bed, true);
	bed_step(&bed, 10, &seed, sums);
	bed.now -= 3600 * NSEC_PER_SEC;
	for (int i = 0; i < 12 * 15; i++)
		bed_step(&bed, 10, &seed, sums);
	bed_ask(&bed, 0, UINT64_MAX, 0, answer);
	assert_sums_equal(&answer->sums, sums);
	bed_done(&bed);
	free(answer);
	free(sums);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exporters),
		cmocka_unit_test(test_table_full),
		cmocka_unit_test(test_totals_at_every_age),
		cmocka_unit_test(test_adjacent_ranges),
		cmocka_unit_test(test_running_step),
		cmocka_unit_test(test_retention),
		cmocka_unit_test(test_max_size),
		cmocka_unit_test(test_clock_set_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
