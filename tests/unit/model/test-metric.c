/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table against the rules of the Prometheus data model and OpenMetrics. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "model/metric.h"

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && streq(s + n - m, end);
}

static bool is_name(const char *s)
{
	return islower((unsigned char)*s) &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static void test_names(void **state)
{
	for (size_t i = 0; i < METRIC_MAX_; i++) {
		const struct metric_family *f = &metric_families[i];

		assert_non_null(f->name);
		assert_true(is_name(f->name) && has_prefix(f->name, "ebpfobs_"));
		/* The exporter appends it to counters. */
		assert_false(ends_with(f->name, "_total"));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(f->name, metric_families[k].name);
	}
}

static void test_unit_ends_the_name(void **state)
{
	for (size_t i = 0; i < METRIC_MAX_; i++)
		assert_true(ends_with(metric_families[i].name, metric_families[i].unit));
}

static void test_help_is_a_sentence(void **state)
{
	for (size_t i = 0; i < METRIC_MAX_; i++) {
		const char *help = metric_families[i].help;

		assert_true(ends_with(help, ".") || ends_with(help, ".)"));
		assert_null(strchr(help, '\n'));
	}
}

static void test_labels(void **state)
{
	for (size_t i = 0; i < METRIC_MAX_; i++) {
		const char *const *labels = metric_families[i].labels;

		assert_null(labels[METRIC_LABELS_MAX]);
		for (size_t k = 0; labels[k]; k++) {
			assert_true(is_name(labels[k]) && !has_prefix(labels[k], "__"));
			assert_string_not_equal(labels[k], "le");
			for (size_t j = 0; j < k; j++)
				assert_string_not_equal(labels[k], labels[j]);
		}
	}
}

static void test_bounds_ascend(void **state)
{
	for (size_t i = 0; i < METRIC_MAX_; i++) {
		const struct metric_family *f = &metric_families[i];

		assert_int_equal(f->n_bounds > 0, f->type == METRIC_HISTOGRAM);
		for (size_t k = 1; k < f->n_bounds; k++)
			assert_true(f->bounds[k - 1] < f->bounds[k]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_unit_ends_the_name),
		cmocka_unit_test(test_help_is_a_sentence),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_bounds_ascend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
