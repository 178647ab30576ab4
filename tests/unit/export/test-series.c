/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/util.h"
#include "export/series.h"

#define TTL 300

/* The row of the pair number i; protocol says which kind. */
static struct series_row *get(struct series *series, unsigned i, enum series_kind kind)
{
	const char *labels[SERIES_LABELS];
	char name[32];

	for (size_t k = 0; k < SERIES_LABELS; k++)
		labels[k] = "";
	snprintf(name, sizeof(name), "unit-%u.service", i);
	labels[LABEL_LOCAL_KIND] = "unit";
	labels[LABEL_LOCAL_NAME] = name;
	labels[LABEL_ROLE] = "wire";
	labels[LABEL_PROTOCOL] = kind == SERIES_TCP_PAIR ? "tcp" : "udp";
	return series_get(series, kind, labels);
}

static struct series *make(size_t max_series)
{
	struct series *series;

	assert_int_equal(series_new(max_series, TTL, &series), 0);
	return series;
}

static uint64_t total(const struct series *series)
{
	const struct series_row *row;
	uint64_t pos = 0, sum = 0;

	while ((row = series_next(series, series_end(series), &pos)))
		sum += row->values[VALUE_TX_BYTES];
	return sum;
}

static void test_same_labels_same_row(void **state)
{
	struct series *series = make(100);

	assert_ptr_equal(get(series, 1, SERIES_PAIR), get(series, 1, SERIES_PAIR));
	assert_ptr_not_equal(get(series, 1, SERIES_PAIR), get(series, 2, SERIES_PAIR));
	assert_ptr_not_equal(get(series, 1, SERIES_PAIR), get(series, 1, SERIES_TCP_PAIR));
	series_free(series);
}

/* "ab" + "c" is not "a" + "bc". */
static void test_labels_have_ends(void **state)
{
	const char *a[SERIES_LABELS], *b[SERIES_LABELS];
	struct series *series = make(100);

	for (size_t i = 0; i < SERIES_LABELS; i++)
		a[i] = b[i] = "";
	a[LABEL_LOCAL_KIND] = "ab";
	a[LABEL_LOCAL_NAME] = "c";
	b[LABEL_LOCAL_KIND] = "a";
	b[LABEL_LOCAL_NAME] = "bc";
	assert_ptr_not_equal(series_get(series, SERIES_PAIR, a),
			     series_get(series, SERIES_PAIR, b));
	series_free(series);
}

/* Two lines with the same labels make a scraper refuse the whole page. */
static void test_what_prints_alike_is_one_row(void **state)
{
	const char *labels[SERIES_LABELS], *read[SERIES_LABELS];
	char longer[SERIES_LABEL_MAX + 3], other[SERIES_LABEL_MAX + 3];
	struct series *series = make(100);
	struct series_row *row;

	for (size_t i = 0; i < SERIES_LABELS; i++)
		labels[i] = "";
	labels[LABEL_LOCAL_NAME] = "x\xfe";
	row = series_get(series, SERIES_PAIR, labels);
	labels[LABEL_LOCAL_NAME] = "x\xff";
	assert_ptr_equal(series_get(series, SERIES_PAIR, labels), row);
	series_labels(row, read);
	assert_string_equal(read[LABEL_LOCAL_NAME], "x\xef\xbf\xbd");
	assert_string_equal(read[LABEL_OVERFLOW], "");

	memset(longer, 'a', sizeof(longer));
	memset(other, 'a', sizeof(other));
	longer[sizeof(longer) - 1] = other[sizeof(other) - 1] = '\0';
	other[sizeof(other) - 2] = 'b';
	labels[LABEL_LOCAL_NAME] = longer;
	row = series_get(series, SERIES_PAIR, labels);
	labels[LABEL_LOCAL_NAME] = other;
	assert_ptr_equal(series_get(series, SERIES_PAIR, labels), row);
	series_labels(row, read);
	assert_int_equal(strlen(read[LABEL_LOCAL_NAME]), SERIES_LABEL_MAX);
	series_free(series);
}

static void test_overflow_keeps_the_sum(void **state)
{
	struct series *series = make(1000);
	struct series_figures figures;
	uint64_t added = 0;

	for (unsigned i = 0; i < 5000; i++) {
		struct series_row *row =
			get(series, i % 1700, i % 3 ? SERIES_TCP_PAIR : SERIES_PAIR);

		row->values[VALUE_TX_BYTES] += i;
		added += i;
	}
	assert_true(total(series) == added);
	series_figures(series, &figures);
	assert_in_range(figures.n_series, 993, 1000); /* a row costs up to eight */
	series_free(series);
}

static void test_overflow_by_role_and_protocol(void **state)
{
	struct series *series = make(0);
	struct series_row *udp = get(series, 1, SERIES_PAIR);
	struct series_row *tcp = get(series, 1, SERIES_TCP_PAIR);
	const char *labels[SERIES_LABELS];

	assert_ptr_not_equal(udp, tcp);
	assert_ptr_equal(udp, get(series, 2, SERIES_PAIR));
	assert_ptr_equal(udp, series_overflow(series, SERIES_PAIR, "wire", "udp"));
	assert_ptr_not_equal(udp, series_overflow(series, SERIES_PAIR, "veth", "udp"));
	series_labels(udp, labels);
	assert_string_equal(labels[LABEL_OVERFLOW], "true");
	assert_string_equal(labels[LABEL_ROLE], "wire");
	assert_string_equal(labels[LABEL_LOCAL_NAME], "");
	series_free(series);
}

static void test_ttl(void **state)
{
	struct series *series = make(1000);
	struct series_figures figures;

	get(series, 1, SERIES_PAIR)->values[VALUE_TX_BYTES] = 5;
	get(series, 2, SERIES_PAIR)->values[VALUE_TX_BYTES] = 7;
	series_step(series, 1000);
	series_step(series, 1000 + TTL); /* not yet: it is as old as the TTL */
	assert_int_equal(total(series), 12);
	get(series, 2, SERIES_PAIR);
	series_step(series, 1001 + TTL);
	assert_int_equal(total(series), 7);
	/* Back again: a new series. */
	assert_int_equal(get(series, 1, SERIES_PAIR)->values[VALUE_TX_BYTES], 0);
	series_step(series, 3000);
	series_step(series, 3001 + TTL);
	series_figures(series, &figures);
	assert_int_equal(figures.n_series, 0);
	assert_int_equal(figures.n_rows, 0);
	series_free(series);
}

static void test_overflow_has_no_ttl(void **state)
{
	struct series *series = make(0);

	get(series, 1, SERIES_PAIR)->values[VALUE_TX_BYTES] = 5;
	series_step(series, 1000000);
	series_step(series, 2000000);
	assert_int_equal(get(series, 1, SERIES_PAIR)->values[VALUE_TX_BYTES], 5);
	series_free(series);
}

/* What goes leaves room for others. */
static void test_room_after_ttl(void **state)
{
	struct series *series = make(8);

	assert_false(get(series, 1, SERIES_TCP_PAIR)->overflow);
	assert_true(get(series, 2, SERIES_TCP_PAIR)->overflow);
	series_step(series, 1000);
	series_step(series, 1001 + TTL);
	assert_false(get(series, 2, SERIES_TCP_PAIR)->overflow);
	series_free(series);
}

/* A page is read while steps go by: what stays comes once, what is new waits for the next page. */
static void test_walk_under_churn(void **state)
{
	struct series *series = make(100000);
	bool seen[2000] = { false };
	const struct series_row *row;
	uint64_t pos = 0, end;
	unsigned n = 0;

	for (unsigned i = 0; i < 1000; i++)
		get(series, i, SERIES_PAIR)->values[VALUE_TX_BYTES] = i;
	end = series_end(series);
	for (unsigned step = 0; (row = series_next(series, end, &pos)); step++) {
		uint64_t i = row->values[VALUE_TX_BYTES];

		assert_true(i < 1000);
		assert_false(seen[i]);
		seen[i] = true;
		n++;
		if (step % 100 != 0)
			continue;
		/* Even ones stay; odd ones go, and come back as new ones. */
		for (unsigned half = 0; half < 2; half++) {
			for (unsigned k = 0; k < 1000; k += 2)
				get(series, k, SERIES_PAIR);
			series_step(series, 10 * step * TTL + half * (TTL + 1));
		}
		for (unsigned k = 1; k < 1000; k += 2)
			get(series, k, SERIES_PAIR)->values[VALUE_TX_BYTES] = k;
	}
	for (unsigned i = 0; i < 1000; i += 2)
		assert_true(seen[i]);
	assert_in_range(n, 500, 600); /* hardly an odd one: they went early */
	series_free(series);
}

/* 20,000 series of pairs with long names fit in 8 MB (DESIGN: the whole daemon has 20). */
static void test_memory(void **state)
{
	static const char *const long_name =
		"payments-authorization-gateway-7c9d8b6f5d-x2x4z.production-europe-west";
	struct series *series = make(20000);
	const char *labels[SERIES_LABELS];
	struct series_figures figures;
	char name[128];

	for (size_t i = 0; i < SERIES_LABELS; i++)
		labels[i] = i == LABEL_OVERFLOW || i == LABEL_REASON ? "" : long_name;
	for (unsigned i = 0; i < 20000 / 4; i++) {
		snprintf(name, sizeof(name), "%s-%u", long_name, i);
		labels[LABEL_LOCAL_NAME] = name;
		assert_false(series_get(series, SERIES_PAIR, labels)->overflow);
	}
	series_figures(series, &figures);
	print_message("%zu series, %zu bytes: %zu each\n", figures.n_series, figures.bytes,
		      figures.bytes / figures.n_series);
	assert_int_equal(figures.n_series, 20000);
	assert_true(figures.bytes < 8 << 20);
	series_free(series);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_labels_same_row),
		cmocka_unit_test(test_labels_have_ends),
		cmocka_unit_test(test_what_prints_alike_is_one_row),
		cmocka_unit_test(test_overflow_keeps_the_sum),
		cmocka_unit_test(test_overflow_by_role_and_protocol),
		cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_overflow_has_no_ttl),
		cmocka_unit_test(test_room_after_ttl),
		cmocka_unit_test(test_walk_under_churn),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
