/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each value of each small set has a name of its own; the sets that are read back round-trip. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "model/flow.h"
#include "model/status.h"

/* name_of(first) ... name_of(n - 1) are there and differ. */
#define ASSERT_NAMES(name_of, first, n)                                            \
	do {                                                                       \
		for (int i_ = (first); i_ < (int)(n); i_++) {                      \
			assert_non_null(name_of(i_));                              \
			for (int k_ = (first); k_ < i_; k_++)                      \
				assert_string_not_equal(name_of(i_), name_of(k_)); \
		}                                                                  \
	} while (0)

static void test_complete(void **state)
{
	ASSERT_NAMES(flow_role_name, 0, FLOW_ROLE_MAX_);
	ASSERT_NAMES(flow_side_name, 0, FLOW_SIDE_MAX_);
	ASSERT_NAMES(flow_unowned_name, FLOW_UNOWNED_UNKNOWN, FLOW_UNOWNED_MAX_);
	ASSERT_NAMES(untracked_reason_name, 0, UNTRACKED_REASON_MAX_);
	ASSERT_NAMES(tcp_state_name, 0, TCP_STATE_MAX_);
	ASSERT_NAMES(workload_kind_name, 0, WORKLOAD_KIND_MAX_);
	ASSERT_NAMES(part_state_name, 0, PART_ON + 1);
	assert_null(flow_unowned_name(FLOW_OWNED));
	assert_string_equal(workload_kind_name(WORKLOAD_NONE), "");
}

static void test_round_trip(void **state)
{
	enum workload_kind kind;
	enum flow_role role;

	for (enum flow_role i = 0; i < FLOW_ROLE_MAX_; i++) {
		assert_int_equal(flow_role_parse(flow_role_name(i), &role), 0);
		assert_int_equal(role, i);
	}
	for (enum workload_kind i = WORKLOAD_UNIT; i < WORKLOAD_KIND_MAX_; i++) {
		assert_int_equal(workload_kind_parse(workload_kind_name(i), &kind), 0);
		assert_int_equal(kind, i);
	}
	assert_int_equal(flow_role_parse("Wire", &role), -EINVAL);
	assert_int_equal(workload_kind_parse("", &kind), -EINVAL);
}

static void test_protocols(void **state)
{
	char buf[4];

	assert_string_equal(protocol_name(IPPROTO_TCP, buf), "tcp");
	assert_string_equal(protocol_name(IPPROTO_ICMPV6, buf), "icmpv6");
	assert_string_equal(protocol_name(255, buf), "255");
	assert_string_equal(protocol_name(0, buf), "0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_protocols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
