/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/util.h"
#include "model/filter.h"

/* nginx.service at 10.0.0.1:443 serves 8.8.8.8:50000. */
static struct flow example(void)
{
	struct flow flow = {
		.role = FLOW_ROLE_WIRE,
		.protocol = IPPROTO_TCP,
		.local = {
			.port = 443,
			.process = { .pid = 100, .cgroup_id = 7, .comm = "nginx" },
			.workload = { WORKLOAD_UNIT, "nginx.service", "nginx.service", "" },
		},
		.peer = {
			.port = 50000,
			.external = true,
			.workload = { WORKLOAD_NONE, "", "", "" },
		},
	};

	assert_int_equal(ip_parse("10.0.0.1", &flow.local.address), 0);
	assert_int_equal(ip_parse("8.8.8.8", &flow.peer.address), 0);
	return flow;
}

/* "key=value key=value ..." */
static void parse(const char *text, struct filter *filter)
{
	char copy[256], *rest = copy, *word, *value;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((word = strsep(&rest, " "))) {
		value = strchr(word, '=');
		assert_non_null(value);
		*value++ = '\0';
		assert_int_equal(filter_add(filter, word, value), 0);
	}
}

static bool matches(const char *text, const struct flow *flow)
{
	struct filter filter = { 0 };
	bool match;

	parse(text, &filter);
	match = filter_match_flow(&filter, flow);
	filter_done(&filter);
	return match;
}

static void test_one_key(void **state)
{
	static const struct {
		const char *filter;
		bool match;
	} cases[] = {
		{ "unit=nginx.service", true },
		{ "unit=nginx", true },
		{ "unit=ngin", false },
		{ "unit=ngi*", true },
		{ "unit=*", true },
		{ "container=nginx.service", false },
		{ "pod=*", false },
		{ "namespace=default", false },
		{ "process=nginx", true },
		{ "process=ngin", false },
		{ "pid=100", true },
		{ "pid=101", false },
		{ "cgroup=7", true },
		{ "cgroup=8", false },
		{ "port=443", true },
		{ "port=50000", true },
		{ "port=80", false },
		{ "peer=8.8.8.0/24", true },
		{ "peer=10.0.0.0/8", false },
		{ "protocol=tcp", true },
		{ "protocol=6", true },
		{ "protocol=udp", false },
		{ "role=wire", true },
		{ "role=veth", false },
	};
	struct flow flow = example();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (matches(cases[i].filter, &flow) != cases[i].match)
			fail_msg("%s", cases[i].filter);
}

static void test_values_or_keys_and(void **state)
{
	struct flow flow = example();
	struct filter empty = { 0 };

	assert_true(filter_match_flow(&empty, &flow));
	assert_true(matches("unit=other unit=nginx", &flow));
	assert_true(matches("unit=nginx port=443 port=80", &flow));
	assert_false(matches("unit=nginx port=80", &flow));
	assert_true(matches("peer=1.1.1.1 peer=8.8.8.8 process=nginx", &flow));
}

static void test_peer_end(void **state)
{
	struct flow flow = example();

	flow.peer.workload = (struct workload){ WORKLOAD_CONTAINER, "0123456789ab", "web", "" };
	assert_true(matches("container=web", &flow));
	assert_true(matches("container=0123456789ab", &flow));
	/* From the container's end, nginx is the peer. */
	assert_true(matches("container=web peer=10.0.0.1", &flow));
	assert_false(matches("container=web peer=8.8.8.8", &flow));
	/* One end must hold all of it. */
	assert_false(matches("container=web pid=100", &flow));
	/* Unknown peers are not "this end", not even for a filter that names no workload. */
	flow.peer.workload.kind = WORKLOAD_NONE;
	assert_false(matches("peer=10.0.0.1", &flow));
}

static void test_pod_namespace(void **state)
{
	struct flow flow = example();

	flow.local.workload = (struct workload){ WORKLOAD_POD, "uid", "web-1", "shop" };
	assert_true(matches("pod=web-* namespace=shop", &flow));
	assert_false(matches("pod=web-1 namespace=default", &flow));
	assert_true(matches("namespace=sh*", &flow));
}

static void test_external(void **state)
{
	struct flow flow = example();
	struct filter filter = { .external_only = true };

	assert_true(filter_match_flow(&filter, &flow));
	flow.peer.external = false;
	assert_false(filter_match_flow(&filter, &flow));
}

static void test_icmp_means_both(void **state)
{
	struct flow flow = example();

	flow.protocol = IPPROTO_ICMPV6;
	assert_true(matches("protocol=icmp", &flow));
	assert_true(matches("protocol=icmpv6", &flow));
	flow.protocol = IPPROTO_ICMP;
	assert_false(matches("protocol=icmpv6", &flow));
}

static void test_long_process_name(void **state)
{
	struct flow flow = example();

	strcpy(flow.local.process.comm, "a-very-long-nam"); /* what the kernel keeps */
	assert_true(matches("process=a-very-long-name-indeed", &flow));
}

static void test_bad_values(void **state)
{
	static const struct {
		const char *key, *value;
		int r;
	} cases[] = {
		{ "port", "65536", -EINVAL },
		{ "port", "-1", -EINVAL },
		{ "port", "", -EINVAL },
		{ "port", "80x", -EINVAL },
		{ "pid", "0", -EINVAL },
		{ "pid", "99999999999999999999", -EINVAL },
		{ "peer", "10.0.0.0/40", -EINVAL },
		{ "role", "wires", -EINVAL },
		{ "protocol", "256", -EINVAL },
		{ "protocol", "http", -EINVAL },
		{ "unit", "", -EINVAL },
		{ "units", "x", -ENOENT },
		{ "", "x", -ENOENT },
	};
	struct filter filter = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(filter_add(&filter, cases[i].key, cases[i].value), cases[i].r);
	filter_done(&filter);
}

/* What a process does by itself has no port, no peer and no interface. */
static void test_process_alone(void **state)
{
	static const struct {
		const char *filter;
		bool match;
	} cases[] = {
		{ "pid=100", true },	       { "pid=101", false },
		{ "cgroup=7", true },	       { "cgroup=8", false },
		{ "process=nginx", true },     { "process=curl", false },
		{ "unit=nginx pid=1", false }, { "unit=nginx pid=100", true },
		{ "container=nginx", false },  { "port=443", false },
		{ "peer=8.8.8.8", false },     { "role=wire pid=100", false },
		{ "protocol=tcp", false },     { "", true },
	};
	const struct flow flow = example();
	struct filter external = { .external_only = true };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct filter filter = {};

		if (*cases[i].filter)
			parse(cases[i].filter, &filter);
		assert_int_equal(filter_match_process(&filter, &flow.local.process,
						      &flow.local.workload),
				 cases[i].match);
		filter_done(&filter);
	}
	assert_false(filter_match_process(&external, &flow.local.process, &flow.local.workload));
}

static void test_too_many(void **state)
{
	static const char *const keys[] = { "port", "pid", "cgroup", "unit", "container" };
	struct filter filter = { 0 };

	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		for (int i = 0; i < FILTER_VALUES_MAX; i++)
			assert_int_equal(filter_add(&filter, keys[k], "1"), 0);
		assert_int_equal(filter_add(&filter, keys[k], "1"), -E2BIG);
	}
	filter_done(&filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_key),		  cmocka_unit_test(test_values_or_keys_and),
		cmocka_unit_test(test_peer_end),	  cmocka_unit_test(test_pod_namespace),
		cmocka_unit_test(test_external),	  cmocka_unit_test(test_icmp_means_both),
		cmocka_unit_test(test_long_process_name), cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_too_many),	  cmocka_unit_test(test_process_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
