/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bracket against a simulated interface: idle, busy, with packets under way, with other units. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "collect/shared/bracket.h"

#define BEFORE_PACKETS 1000
#define BEFORE_BYTES 77000
#define SIZE 100 /* bytes of each packet */

struct world {
	uint64_t passed; /* since attaching, each way */
	unsigned per_read; /* packets that pass during each reading of anything */
	unsigned per_pause;
	unsigned under_way, under_way_until; /* seen by us, not yet by the interface's tx */
	unsigned merged; /* rx: wire segments per skb */
	unsigned omitted;
	int fail_at, reads;
};

static int programs(void *userdata, struct flow_count ret[TC_DIRECTIONS])
{
	struct world *w = userdata;

	w->passed += w->per_read;
	for (int i = 0; i < TC_DIRECTIONS; i++) {
		unsigned segments = i == TC_INGRESS && w->merged ? w->merged : 1;

		ret[i] = (struct flow_count){ .skbs = w->passed,
					      .bytes = w->passed * SIZE,
					      .packets = w->passed * segments,
					      .bytes_wire = w->passed * segments * SIZE };
	}
	return 0;
}

static int interface(void *userdata, struct link_counter ret[TC_DIRECTIONS])
{
	struct world *w = userdata;
	uint64_t segments = w->merged ? w->merged : 1, sent;

	if (w->fail_at && ++w->reads >= w->fail_at)
		return -ENODEV;
	w->passed += w->per_read;
	sent = w->passed - (w->under_way_until > 0 ? w->under_way : 0);
	ret[TC_INGRESS].packets = BEFORE_PACKETS + w->passed * segments;
	ret[TC_INGRESS].bytes = BEFORE_BYTES + w->passed * segments * (SIZE - w->omitted);
	ret[TC_EGRESS].packets = BEFORE_PACKETS + sent;
	ret[TC_EGRESS].bytes = BEFORE_BYTES + sent * (SIZE - w->omitted);
	return 0;
}

static void pause_(void *userdata, unsigned reading)
{
	struct world *w = userdata;

	w->passed += w->per_pause;
	w->under_way_until -= w->under_way_until > 0;
}

static int take(struct world *w, struct bracket *ret)
{
	struct bracket_source source = {
		.programs = programs, .interface = interface, .pause = pause_, .userdata = w
	};

	for (int i = 0; i < TC_DIRECTIONS; i++)
		source.units[i] = (struct link_units){ .known = true,
						       .omitted_known = true,
						       .omitted = (uint8_t)w->omitted,
						       .wire = i == TC_INGRESS && w->merged };
	return bracket_take(&source, ret);
}

static void check_exact(struct world w)
{
	struct bracket b;

	assert_int_equal(take(&w, &b), 0);
	assert_true(b.exact);
	for (int i = 0; i < TC_DIRECTIONS; i++) {
		assert_int_equal(b.before[i].packets, BEFORE_PACKETS);
		assert_int_equal(b.before[i].bytes, BEFORE_BYTES);
		assert_int_equal(b.slack[i].packets, 0);
		assert_int_equal(b.slack[i].bytes, 0);
	}
}

static void test_exact(void **state)
{
	check_exact((struct world){ .per_pause = 0 });
	check_exact((struct world){ .per_pause = 50 });
	check_exact((struct world){ .per_pause = 50, .omitted = 14 });
	check_exact((struct world){ .per_pause = 50, .merged = 40, .omitted = 14 });
	/* A packet lies in a queue behind our program; later it is through. */
	check_exact((struct world){ .passed = 5, .under_way = 1, .under_way_until = 2 });
	check_exact((struct world){
		.passed = 5, .per_pause = 3, .under_way = 2, .under_way_until = 2 });
}

/* Traffic in every window: the truth is within the slack, and it is said that it is not exact. */
static void test_busy(void **state)
{
	struct world w = { .per_read = 2, .per_pause = 100 };
	struct bracket b;

	assert_int_equal(take(&w, &b), 0);
	assert_false(b.exact);
	for (int i = 0; i < TC_DIRECTIONS; i++) {
		assert_true(b.before[i].packets >= BEFORE_PACKETS);
		assert_true(b.before[i].packets - b.slack[i].packets <= BEFORE_PACKETS);
		assert_in_range(b.slack[i].packets, 1, 4);
		assert_true(b.before[i].bytes >= BEFORE_BYTES);
		assert_true(b.before[i].bytes - b.slack[i].bytes <= BEFORE_BYTES);
	}
}

static void test_unknown_units(void **state)
{
	struct world w = { .passed = 10, .merged = 3 };
	struct bracket_source source = {
		.programs = programs, .interface = interface, .pause = pause_, .userdata = &w
	};
	struct bracket b;

	for (int i = 0; i < TC_DIRECTIONS; i++)
		source.units[i].omitted_known = true;
	assert_int_equal(bracket_take(&source, &b), 0);
	assert_false(b.exact); /* 10 skbs or 30 segments: it matters which the driver counts */
	w = (struct world){ .passed = 10 };
	assert_int_equal(bracket_take(&source, &b), 0);
	assert_true(b.exact); /* the same number either way */
}

/* A veth's peer decides whether link headers count: what passed meanwhile is in doubt by them. */
static void test_unknown_link_header(void **state)
{
	struct world w = { .passed = 10 };
	struct bracket_source source = {
		.programs = programs, .interface = interface, .pause = pause_, .userdata = &w
	};
	struct bracket b;

	for (int i = 0; i < TC_DIRECTIONS; i++)
		source.units[i].known = true;
	assert_int_equal(bracket_take(&source, &b), 0);
	assert_false(b.exact);
	assert_int_equal(b.slack[TC_INGRESS].packets, 0);
	assert_int_equal(b.slack[TC_INGRESS].bytes, 14 * 10);
	w = (struct world){ .passed = 0 };
	assert_int_equal(bracket_take(&source, &b), 0);
	assert_true(b.exact);
}

static void test_gone(void **state)
{
	struct world w = { .fail_at = 2 };
	struct bracket b = { .exact = true };

	assert_int_equal(take(&w, &b), -ENODEV);
	assert_true(b.exact); /* untouched */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),	      cmocka_unit_test(test_busy),
		cmocka_unit_test(test_unknown_units), cmocka_unit_test(test_unknown_link_header),
		cmocka_unit_test(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
