/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Profiles: what is the same is one, what is too much is counted, and what is made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/util.h"
#include "model/profile-top.h"
#include "synthetic.h"

static void test_same_is_one(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	struct profile_labels labels = synthetic_labels(p, "app", 7, 1);
	struct profile_totals totals;
	struct profile_sum sum;

	synthetic_add(p, "main@/bin/app;work@/bin/app", 2, 20, &labels);
	synthetic_add(p, "main@/bin/app;work@/bin/app", 3, 30, &labels);
	labels.cpu = 2;
	synthetic_add(p, "main@/bin/app;work@/bin/app", 1, 10, &labels);
	synthetic_add(p, "main@/bin/app", 1, 10, &labels);
	assert_int_equal(profile_n_samples(p), 3);
	assert_int_equal(profile_n_locations(p), 2);
	assert_int_equal(profile_n_functions(p), 2);
	assert_int_equal(profile_n_mappings(p), 1);
	assert_int_equal(profile_sample_at(p, 0, &sum)->labels.cpu, 1);
	assert_int_equal(sum.samples, 5);
	assert_int_equal(sum.value, 50);
	totals = profile_totals(p);
	assert_int_equal(totals.samples, 7);
	assert_int_equal(totals.value, 70);
}

static const char *name_at(const struct profile *p, uint32_t location)
{
	uint32_t line = profile_location_at(p, location)->line;
	uint32_t function = profile_line_at(p, line)->function;

	return profile_text(p, profile_function_at(p, function)->name);
}

static void test_walk(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	const struct profile_sample *sample;
	const struct profile_line *line;
	struct profile_sum sum;
	uint32_t node, location;

	synthetic_add(p, "main@app;outer:10|inner:20@app", 1, 10, NULL);
	sample = profile_sample_at(p, 0, &sum);
	node = profile_caller(p, sample->stack, &location);
	assert_string_equal(name_at(p, location), "inner");
	line = profile_line_at(p, profile_location_at(p, location)->line);
	assert_int_equal(line->line, 20);
	line = profile_line_at(p, line->outer);
	assert_int_equal(line->line, 10);
	assert_int_equal(line->outer, 0);
	node = profile_caller(p, node, &location);
	assert_string_equal(name_at(p, location), "main");
	assert_int_equal(node, 0);
}

static void test_totals(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	struct profile_labels labels = { .cpu = -1 };
	uint32_t location;

	synthetic_add(p, "main@app;@app", 4, 40, NULL);
	synthetic_add(p, "main@app;f@app", 8, 80, NULL);
	assert_int_equal(profile_location(p, 1, 0, NULL, 0, &location), 0);
	assert_int_equal(
		profile_add(p, &location, 1, true, &labels, &(struct profile_sum){ 2, 20 }), 0);
	/* No stack at all is one without names. */
	assert_int_equal(profile_add(p, NULL, 0, false, &labels, &(struct profile_sum){ 1, 10 }),
			 0);
	synthetic_lost(p, 3);
	assert_int_equal(profile_totals(p).samples, 15);
	assert_int_equal(profile_totals(p).unsymbolized, 7);
	assert_int_equal(profile_totals(p).truncated, 2);
	assert_int_equal(profile_totals(p).lost, 3);
}

/* Shares add up to the totals, also when they find no place. */
static void test_shares(void **state)
{
	static const struct profile_limits limits = { 64, 8, 8, 8, 8, 8, 8, .shares = 2 };
	_cleanup_profile_ struct profile *p = NULL;
	struct profile_info info = { .type = profile_types[SAMPLE_CPU] };
	struct profile_labels a, b, c;
	struct profile_totals totals;
	const struct profile_share *share;

	assert_int_equal(profile_new(&info, &limits, &p), 0);
	a = synthetic_labels(p, "a", 1, 0);
	b = synthetic_labels(p, "b", 2, 0);
	c = synthetic_labels(p, "c", 3, 0);
	assert_int_equal(profile_totals(p).samples, 0);
	synthetic_add(p, "f@m", 1, 10, &a);
	synthetic_add(p, "f@m;@m", 2, 20, &a);
	assert_int_equal(profile_add_lost(p, &b, 7), 0);
	assert_int_equal(profile_add_lost(p, &a, 4), 0);
	synthetic_add(p, "f@m", 5, 50, &c);
	synthetic_lost(p, 8);
	assert_int_equal(profile_n_shares(p), 3);
	share = profile_share_at(p, 1, &totals);
	assert_int_equal(share->pid, 1);
	assert_int_equal(share->cpu, 0);
	assert_int_equal(totals.samples, 3);
	assert_int_equal(totals.unsymbolized, 2);
	assert_int_equal(totals.lost, 4);
	assert_int_equal(profile_share_at(p, 2, &totals)->pid, 2);
	assert_int_equal(totals.lost, 7);
	assert_int_equal(profile_share_at(p, 0, &totals)->cpu, -1);
	assert_int_equal(totals.samples, 5);
	assert_int_equal(totals.lost, 8);
	totals = profile_totals(p);
	assert_int_equal(totals.samples, 8);
	assert_int_equal(totals.value, 80);
	assert_int_equal(totals.lost, 19);
}

/* Names are lost before samples, and both are counted. */
static void test_limits(void **state)
{
	static const struct profile_limits limits = {
		.strings = 4,
		.mappings = 1,
		.functions = 1,
		.lines = 1,
		.locations = 2,
		.nodes = 2,
		.samples = 1,
		.shares = 1,
	};
	_cleanup_profile_ struct profile *p = NULL;
	struct profile_info info = { .type = profile_types[SAMPLE_CPU] };

	assert_int_equal(profile_new(&info, &limits, &p), 0);
	synthetic_add(p, "a@m;b@m", 1, 10, NULL);
	assert_int_equal(profile_totals(p).samples, 1);
	assert_int_equal(profile_totals(p).unsymbolized, 1); /* b had no place */
	assert_true(profile_names_left_out(p) > 0);
	synthetic_add(p, "a@m", 5, 50, NULL); /* a second sample */
	synthetic_add(p, "a@m;b@m", 1, 10, NULL); /* known */
	synthetic_add(p, "c@m", 7, 70, NULL); /* a third location */
	assert_int_equal(profile_totals(p).samples, 2);
	assert_int_equal(profile_totals(p).value, 20);
	assert_int_equal(profile_totals(p).left_out, 12);
}

static void test_too_deep(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	_cleanup_profile_tree_ struct profile_tree *tree = NULL;
	uint32_t locations[PROFILE_DEPTH_MAX + 1];
	struct profile_labels labels = { .cpu = -1 };

	for (size_t i = 0; i < ARRAY_SIZE(locations); i++)
		assert_int_equal(profile_location(p, i, 0, NULL, 0, &locations[i]), 0);
	assert_int_equal(profile_add(p, locations, ARRAY_SIZE(locations), false, &labels,
				     &(struct profile_sum){ 1, 10 }),
			 0);
	assert_int_equal(profile_totals(p).truncated, 1);
	assert_int_equal(profile_tree_new(p, NULL, &(struct profile_tree_options){}, &tree), 0);
	assert_int_equal(profile_tree_n_nodes(tree), PROFILE_DEPTH_MAX + 1);
}

static void test_strangers_text(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	uint32_t a, b;
	char longest[2000];

	assert_int_equal(profile_string(p, "x\xff", &a), 0);
	assert_string_equal(profile_text(p, a), "x\xef\xbf\xbd");
	/* Cut between characters: 1023 is odd, and each of these takes two bytes. */
	for (size_t i = 0; i < sizeof(longest) - 2; i += 2)
		memcpy(longest + i, "\xc3\xa9", 3);
	assert_int_equal(profile_string(p, longest, &b), 0);
	assert_int_equal(strlen(profile_text(p, b)), 1022);
}

/* "name self/total ..." of each node, children in brackets, is more than a test needs: one node. */
static const struct profile_node *find(const struct profile_tree *tree, const char *name)
{
	char buf[PROFILE_NAME_LEN];
	uint32_t i = 0;

	do {
		const struct profile_node *node = profile_tree_node(tree, i);

		if (streq(profile_frame_name(tree, node->frame, buf), name))
			return node;
		i = profile_tree_next(tree, i);
	} while (i != 0);
	fail_msg("no node %s", name);
	return NULL;
}

static void test_tree(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	_cleanup_profile_tree_ struct profile_tree *tree = NULL;
	struct profile_labels app = synthetic_labels(p, "app", 7, 1);
	const struct profile_node *node;

	/* Two lines of one function are one node, and so is what it calls. */
	synthetic_add(p, "main:1@/bin/app;light@/bin/app", 1, 10, &app);
	synthetic_add(p, "main:2@/bin/app;heavy@/bin/app", 2, 20, &app);
	synthetic_add(p, "main:3@/bin/app;heavy@/bin/app;@/lib/libc.so.6", 4, 40, &app);
	synthetic_add(p, "@", 8, 80, &app);
	assert_int_equal(profile_tree_new(p, NULL, &(struct profile_tree_options){}, &tree), 0);
	assert_int_equal(profile_tree_n_nodes(tree), 6);
	assert_int_equal(find(tree, "all")->total[0].value, 150);
	node = find(tree, "main");
	assert_int_equal(node->total[0].samples, 7);
	assert_int_equal(node->self[0].samples, 0);
	assert_int_equal(profile_tree_frame(tree, node->frame)->line, 7);
	assert_ptr_equal(profile_tree_node(tree, node->first), find(tree, "heavy"));
	node = find(tree, "heavy");
	assert_int_equal(node->self[0].value, 20);
	assert_int_equal(node->total[0].value, 60);
	assert_ptr_equal(profile_tree_node(tree, node->next), find(tree, "light"));
	assert_int_equal(find(tree, "[libc.so.6]")->self[0].samples, 4);
	assert_int_equal(find(tree, "[unknown]")->self[0].samples, 8);
	assert_int_equal(find(tree, "[unknown]")->depth, 1);
}

static void test_tree_of_lines_and_processes(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	_cleanup_profile_tree_ struct profile_tree *tree = NULL;
	struct profile_labels app = synthetic_labels(p, "app", 7, 1);
	struct profile_labels other = synthetic_labels(p, "other", 8, 1);

	synthetic_add(p, "main:1|in:5@app", 1, 10, &app);
	synthetic_add(p, "main:2|in:6@app", 1, 10, &app);
	synthetic_add(p, "main:2|in:6@app", 1, 10, &other);
	assert_int_equal(
		profile_tree_new(p, NULL,
				 &(struct profile_tree_options){ .lines = true, .processes = true },
				 &tree),
		0);
	assert_int_equal(profile_tree_n_nodes(tree), 1 + 2 + 3 + 3);
	assert_int_equal(find(tree, "app")->total[0].samples, 2);
	assert_int_equal(find(tree, "other")->total[0].samples, 1);
}

/* What finds no place is no part of the tree, and said. */
static void test_full_tree(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	_cleanup_profile_tree_ struct profile_tree *tree = NULL;
	struct profile_tree_options options = { .nodes = 3 };

	synthetic_add(p, "a@m;b@m", 1, 10, NULL);
	synthetic_add(p, "a@m;c@m", 2, 20, NULL);
	synthetic_add(p, "a@m", 4, 40, NULL);
	assert_int_equal(profile_tree_new(p, NULL, &options, &tree), 0);
	assert_int_equal(profile_tree_n_nodes(tree), 3);
	assert_int_equal(find(tree, "all")->total[0].samples, 5);
	assert_int_equal(profile_tree_totals(tree, PROFILE_NOW).samples, 5);
	assert_int_equal(profile_tree_totals(tree, PROFILE_NOW).value, 50);
	assert_int_equal(profile_tree_totals(tree, PROFILE_NOW).left_out, 2);
}

/* before: a 10, b 30; now: a 10, c 10. */
static void make_two(struct profile **ret_now, struct profile **ret_before)
{
	*ret_now = synthetic_new();
	*ret_before = synthetic_new();
	synthetic_add(*ret_before, "main@app;a@app", 1, 10, NULL);
	synthetic_add(*ret_before, "main@app;b@app", 3, 30, NULL);
	synthetic_add(*ret_now, "main@app;a@app", 1, 10, NULL);
	synthetic_add(*ret_now, "main@app;c@app", 1, 10, NULL);
}

static void test_diff(void **state)
{
	_cleanup_profile_ struct profile *now, *before;
	_cleanup_profile_tree_ struct profile_tree *tree = NULL, *absolute = NULL;

	make_two(&now, &before);
	assert_int_equal(profile_tree_new(now, before, &(struct profile_tree_options){}, &tree), 0);
	assert_int_equal(find(tree, "all")->total[PROFILE_NOW].value, 40);
	assert_int_equal(find(tree, "all")->total[PROFILE_BEFORE].value, 40);
	assert_int_equal(find(tree, "a")->self[PROFILE_NOW].value, 20);
	assert_int_equal(find(tree, "a")->self[PROFILE_BEFORE].value, 10);
	assert_int_equal(find(tree, "b")->self[PROFILE_NOW].value, 0); /* vanished */
	assert_int_equal(find(tree, "b")->self[PROFILE_BEFORE].value, 30);
	assert_int_equal(find(tree, "c")->self[PROFILE_BEFORE].value, 0); /* new */
	assert_int_equal(profile_tree_totals(tree, PROFILE_NOW).value, 20);
	assert_int_equal(profile_tree_new(now, before,
					  &(struct profile_tree_options){ .absolute = true },
					  &absolute),
			 0);
	assert_int_equal(find(absolute, "a")->self[PROFILE_NOW].value, 10);
}

static const struct profile_top_row *row_of(const struct profile_tree *tree,
					    const struct profile_top_row *rows, size_t n,
					    const char *name)
{
	char buf[PROFILE_NAME_LEN];

	for (size_t i = 0; i < n; i++)
		if (streq(profile_frame_name(tree, rows[i].frame, buf), name))
			return &rows[i];
	fail_msg("no row %s", name);
	return NULL;
}

static void test_top(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	_cleanup_profile_tree_ struct profile_tree *tree = NULL;
	_cleanup_free_ struct profile_top_row *rows = NULL, *by_total = NULL;
	size_t n;

	synthetic_add(p, "main@app;fib@app;fib@app;fib@app", 5, 50, NULL);
	synthetic_add(p, "main@app;fib@app", 1, 10, NULL);
	synthetic_add(p, "main@app;other@app;fib@app;other@app", 2, 20, NULL);
	assert_int_equal(profile_tree_new(p, NULL, &(struct profile_tree_options){}, &tree), 0);
	assert_int_equal(profile_top(tree, PROFILE_BY_SELF, &rows, &n), 0);
	assert_int_equal(n, 3);
	assert_ptr_equal(row_of(tree, rows, n, "fib"), &rows[0]);
	assert_int_equal(rows[0].self[0].samples, 6);
	assert_int_equal(rows[0].total[0].samples, 8); /* recursion counts once */
	assert_int_equal(row_of(tree, rows, n, "other")->total[0].samples, 2);
	assert_int_equal(row_of(tree, rows, n, "main")->self[0].samples, 0);
	assert_int_equal(row_of(tree, rows, n, "main")->total[0].value, 80);
	assert_int_equal(profile_top(tree, PROFILE_BY_TOTAL, &by_total, &n), 0);
	/* main and fib are on every stack, and fib ran itself. */
	assert_ptr_equal(row_of(tree, by_total, n, "fib"), &by_total[0]);
	assert_ptr_equal(row_of(tree, by_total, n, "main"), &by_total[1]);
}

static void test_top_of_two(void **state)
{
	_cleanup_profile_ struct profile *now, *before;
	_cleanup_profile_tree_ struct profile_tree *tree = NULL;
	_cleanup_free_ struct profile_top_row *rows = NULL;
	size_t n;

	make_two(&now, &before);
	assert_int_equal(profile_tree_new(now, before, &(struct profile_tree_options){}, &tree), 0);
	assert_int_equal(profile_top(tree, PROFILE_BY_SELF, &rows, &n), 0);
	assert_int_equal(n, 4);
	/* -30, +20, +10, 0 */
	assert_ptr_equal(row_of(tree, rows, n, "b"), &rows[0]);
	assert_ptr_equal(row_of(tree, rows, n, "c"), &rows[1]);
	assert_ptr_equal(row_of(tree, rows, n, "a"), &rows[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_is_one),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_totals),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_strangers_text),
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_tree_of_lines_and_processes),
		cmocka_unit_test(test_full_tree),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_top_of_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
