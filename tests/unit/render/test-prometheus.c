/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exact bytes here; that other people's parsers agree is tests/unit/export/test-http. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "render/prometheus.h"

static char buf[PROMETHEUS_LINES_MAX];

static void check_drops(const char *site, double value, const char *line)
{
	size_t n = prometheus_value(METRIC_DROPS, &site, value, buf, sizeof(buf));

	assert_int_equal(n, strlen(line));
	assert_memory_equal(buf, line, n);
}

static void test_numbers(void **state)
{
	check_drops("", 0, "ebpfobs_drops_total 0\n");
	check_drops("", 1e6, "ebpfobs_drops_total 1000000\n");
	check_drops("", 9007199254740992.0, "ebpfobs_drops_total 9007199254740992\n");
	check_drops("", 0.1, "ebpfobs_drops_total 0.1\n");
	check_drops("", 0.1 + 0.2, "ebpfobs_drops_total 0.30000000000000004\n");
	check_drops("", -1.5, "ebpfobs_drops_total -1.5\n");
	check_drops("", 1e300, "ebpfobs_drops_total 1e+300\n");
	check_drops("", NAN, "ebpfobs_drops_total NaN\n");
	check_drops("", INFINITY, "ebpfobs_drops_total +Inf\n");
	check_drops("", -INFINITY, "ebpfobs_drops_total -Inf\n");
}

static void test_labels_are_escaped(void **state)
{
	check_drops("a.b", 1, "ebpfobs_drops_total{site=\"a.b\"} 1\n");
	check_drops("a\"b\\c\nd", 1, "ebpfobs_drops_total{site=\"a\\\"b\\\\c\\nd\"} 1\n");
	check_drops("caf\xc3\xa9", 1, "ebpfobs_drops_total{site=\"caf\xc3\xa9\"} 1\n");
	check_drops("x\xff", 1, "ebpfobs_drops_total{site=\"x\xef\xbf\xbd\"} 1\n");
}

static void test_long_label_is_cut(void **state)
{
	char site[2 * PROMETHEUS_LABEL_MAX];
	size_t n;

	memset(site, '"', sizeof(site));
	site[sizeof(site) - 1] = '\0';
	n = prometheus_value(METRIC_DROPS, (const char *[]){ site }, 1, buf, sizeof(buf));
	assert_in_range(n, PROMETHEUS_LABEL_MAX, PROMETHEUS_LABEL_MAX + 40);
	/* Never between the backslash and what it stands before. */
	assert_memory_equal(buf + n - 7, "\\\"\"} 1\n", 7);
}

static void test_empty_labels_are_left_out(void **state)
{
	const char *labels[METRIC_LABELS_MAX] = { "tx", "", "a" };
	const char line[] = "ebpfobs_connection_traffic_bytes_total{direction=\"tx\","
			    "local_name=\"a\"} 7\n";

	for (size_t i = 3; i < METRIC_LABELS_MAX; i++)
		labels[i] = "";
	assert_int_equal(prometheus_value(METRIC_CONNECTION_TRAFFIC_BYTES, labels, 7, buf,
					  sizeof(buf)),
			 strlen(line));
	assert_memory_equal(buf, line, strlen(line));
}

static void check_header(enum prometheus_format format, enum metric_id id, const char *begin,
			 const char *end)
{
	size_t n = prometheus_header(format, id, buf, sizeof(buf));

	assert_true(n > strlen(begin) + strlen(end));
	assert_memory_equal(buf, begin, strlen(begin));
	assert_memory_equal(buf + n - strlen(end), end, strlen(end));
}

static void test_headers(void **state)
{
	check_header(PROMETHEUS_TEXT, METRIC_CONNECTION_TRAFFIC_BYTES,
		     "# HELP ebpfobs_connection_traffic_bytes_total ",
		     "\n# TYPE ebpfobs_connection_traffic_bytes_total counter\n");
	check_header(PROMETHEUS_OPENMETRICS, METRIC_CONNECTION_TRAFFIC_BYTES,
		     "# HELP ebpfobs_connection_traffic_bytes ",
		     "\n# TYPE ebpfobs_connection_traffic_bytes counter\n"
		     "# UNIT ebpfobs_connection_traffic_bytes bytes\n");
	check_header(PROMETHEUS_OPENMETRICS, METRIC_DROPS, "# HELP ebpfobs_drops ",
		     "\n# TYPE ebpfobs_drops counter\n");
	check_header(PROMETHEUS_TEXT, METRIC_COLLECTION_DURATION,
		     "# HELP ebpfobs_collection_duration_seconds ",
		     "\n# TYPE ebpfobs_collection_duration_seconds histogram\n");
	assert_int_equal(prometheus_end(PROMETHEUS_TEXT, buf, sizeof(buf)), 0);
	assert_int_equal(prometheus_end(PROMETHEUS_OPENMETRICS, buf, sizeof(buf)), 6);
	assert_memory_equal(buf, "# EOF\n", 6);
}

/* We copy HELP as it is: the table may hold nothing that would need an escape. */
static void test_help_needs_no_escape(void **state)
{
	for (size_t i = 0; i < METRIC_MAX_; i++)
		assert_null(strpbrk(metric_families[i].help, "\\\"\n"));
}

static void test_histogram(void **state)
{
	const struct metric_family *family = &metric_families[METRIC_COLLECTION_DURATION];
	uint64_t counts[32] = { 0 };
	struct metric_histogram h = { .counts = counts, .sum = 20.5, .count = 6 };
	const char *const labels[] = { "flows" };
	size_t n;

	counts[0] = 3; /* up to 0.0005 */
	counts[family->n_bounds - 1] = 2; /* up to 10 */
	counts[family->n_bounds] = 1;
	n = prometheus_histogram(METRIC_COLLECTION_DURATION, labels, &h, buf, sizeof(buf) - 1);
	assert_true(n > 0);
	buf[n] = '\0';
	assert_true(has_prefix(buf, "ebpfobs_collection_duration_seconds_bucket{"
				    "collector=\"flows\",le=\"0.0005\"} 3\n"));
	assert_non_null(strstr(buf, "collector=\"flows\",le=\"1.0\"} 3\n"));
	assert_non_null(strstr(buf, "le=\"10.0\"} 5\n"
				    "ebpfobs_collection_duration_seconds_bucket{"
				    "collector=\"flows\",le=\"+Inf\"} 6\n"
				    "ebpfobs_collection_duration_seconds_sum{"
				    "collector=\"flows\"} 20.5\n"
				    "ebpfobs_collection_duration_seconds_count{"
				    "collector=\"flows\"} 6\n"));
}

/* A buffer that is one byte too small gets nothing; one that fits exactly gets all. */
static void test_all_or_nothing(void **state)
{
	const char *const labels[] = { "some.site" };
	size_t n = prometheus_value(METRIC_DROPS, labels, 1, buf, sizeof(buf));

	assert_int_equal(prometheus_value(METRIC_DROPS, labels, 1, buf, n), n);
	for (size_t size = 0; size < n; size++)
		assert_int_equal(prometheus_value(METRIC_DROPS, labels, 1, buf, size), 0);
}

/* What the header promises of PROMETHEUS_LINES_MAX. */
static void test_longest_lines_fit(void **state)
{
	static const uint64_t counts[33];
	const struct metric_histogram h = { .counts = counts };
	const char *labels[METRIC_LABELS_MAX];
	char longest[PROMETHEUS_LABEL_MAX + 1];
	size_t n;

	memset(longest, '"', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
		labels[i] = longest;
	for (size_t id = 0; id < METRIC_MAX_; id++) {
		n = prometheus_header(PROMETHEUS_OPENMETRICS, id, buf, sizeof(buf));
		assert_true(n > 0);
		if (metric_families[id].type == METRIC_HISTOGRAM)
			n = prometheus_histogram(id, labels, &h, buf, sizeof(buf));
		else /* two lines and the header, as a scrape has them */
			n = prometheus_value(id, labels, 1, buf, (sizeof(buf) - n) / 2);
		assert_true(n > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_labels_are_escaped),
		cmocka_unit_test(test_long_label_is_cut),
		cmocka_unit_test(test_empty_labels_are_left_out),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_help_needs_no_escape),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_all_or_nothing),
		cmocka_unit_test(test_longest_lines_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
