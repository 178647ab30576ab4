/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "export/accept.h"

static void test_accept(void **state)
{
	static const struct {
		const char *accept;
		enum prometheus_format format;
	} cases[] = {
		{ "", PROMETHEUS_TEXT },
		{ "*/*", PROMETHEUS_TEXT },
		{ "text/html,application/xhtml+xml,*/*;q=0.8", PROMETHEUS_TEXT },
		{ "application/json", PROMETHEUS_TEXT },
		/* Prometheus 2.42 */
		{ "application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
		  "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		  PROMETHEUS_OPENMETRICS },
		/* Prometheus 3 with protobuf */
		{ "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
		  "encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;"
		  "escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;q=0.3,*/*;q=0.2",
		  PROMETHEUS_OPENMETRICS },
		{ "application/openmetrics-text", PROMETHEUS_OPENMETRICS },
		{ "Application/OpenMetrics-Text ; Version=1.0.0 ; Q=0.3", PROMETHEUS_OPENMETRICS },
		{ "application/openmetrics-text;version=2.0.0", PROMETHEUS_TEXT },
		{ "application/openmetrics-text;q=0", PROMETHEUS_TEXT },
		{ "application/openmetrics-text;q=0.4, text/plain;q=0.5", PROMETHEUS_TEXT },
		{ "text/plain;q=0.5, application/openmetrics-text;q=0.5", PROMETHEUS_OPENMETRICS },
		/* from strangers */
		{ ";;;,,,;q=;=,", PROMETHEUS_TEXT },
		{ "application/openmetrics-text;q=nan", PROMETHEUS_TEXT },
		{ "application/openmetrics-text;version=11111111111111111111111111111111111111",
		  PROMETHEUS_TEXT },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "a",
		  PROMETHEUS_TEXT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("%s\n", cases[i].accept);
		assert_int_equal(accept_format(cases[i].accept), cases[i].format);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
