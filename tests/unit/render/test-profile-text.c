/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A profile as text: folded, the table of functions, the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/util.h"
#include "render/csv.h"
#include "render/folded.h"
#include "render/profile-text.h"
#include "render/top.h"
#include "render/tree.h"
#include "synthetic.h"

/* What is printed between out() and expect(). */
static char *text;
static size_t size;
static FILE *stream;

static FILE *out(void)
{
	stream = open_memstream(&text, &size);
	assert_non_null(stream);
	return stream;
}

static void expect(const char *expected)
{
	fclose(stream);
	assert_string_equal(text, expected);
	free(text);
}

static struct profile_tree *tree_of(const struct profile *now, const struct profile *before,
				    bool processes)
{
	struct profile_tree_options options = { .processes = processes };
	struct profile_tree *tree;

	assert_int_equal(profile_tree_new(now, before, &options, &tree), 0);
	return tree;
}

static struct profile *make_server(void)
{
	struct profile *p = synthetic_new();
	struct profile_labels labels = synthetic_labels(p, "server", 42, 0);

	synthetic_add(p, "main@/bin/server;serve@/bin/server;parse@/bin/server", 60, 600000000,
		      &labels);
	synthetic_add(p, "main@/bin/server;serve@/bin/server;send@/bin/server;@/lib/libc.so.6", 30,
		      300000000, &labels);
	synthetic_add(p, "main@/bin/server;serve@/bin/server", 9, 90000000, &labels);
	synthetic_add(p, "main@/bin/server;rare@/bin/server", 1, 10000000, &labels);
	synthetic_lost(p, 5);
	return p;
}

static struct profile *make_faster(void)
{
	struct profile *p = synthetic_new();

	synthetic_add(p, "main@/bin/server;serve@/bin/server;parse@/bin/server", 20, 200000000,
		      NULL);
	synthetic_add(p, "main@/bin/server;serve@/bin/server;cache@/bin/server", 20, 200000000,
		      NULL);
	return p;
}

static void test_folded(void **state)
{
	_cleanup_profile_ struct profile *p = make_server();
	_cleanup_profile_tree_ struct profile_tree *tree = tree_of(p, NULL, true);

	assert_int_equal(folded_print(tree, out()), 0);
	expect("server;main;serve 90000000\n"
	       "server;main;serve;parse 600000000\n"
	       "server;main;serve;send;[libc.so.6] 300000000\n"
	       "server;main;rare 10000000\n");
}

static void test_folded_hostile(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	_cleanup_profile_tree_ struct profile_tree *tree = NULL;
	struct profile_labels labels = synthetic_labels(p, "a;b\nc", 1, 0);

	synthetic_add(p, "operator new\x1b[2J@x\xe2\x80\xae", 1, 1, &labels);
	synthetic_add(p, "\xff@x", 1, 1, &labels);
	tree = tree_of(p, NULL, true);
	assert_int_equal(folded_print(tree, out()), 0);
	expect("a:b\\nc;operator new\\x1b[2J 1\n"
	       "a:b\\nc;\xef\xbf\xbd 1\n");
}

static void test_folded_diff(void **state)
{
	_cleanup_profile_ struct profile *before = make_server(), *now = make_faster();
	_cleanup_profile_tree_ struct profile_tree *tree = tree_of(now, before, false);

	assert_int_equal(folded_print(tree, out()), 0);
	expect("main;serve 90000000 0\n"
	       "main;serve;parse 600000000 500000000\n"
	       "main;serve;cache 0 500000000\n"
	       "main;serve;send;[libc.so.6] 300000000 0\n"
	       "main;rare 10000000 0\n");
}

static void test_top(void **state)
{
	_cleanup_profile_ struct profile *p = make_server();
	_cleanup_profile_tree_ struct profile_tree *tree = tree_of(p, NULL, false);
	_cleanup_free_ struct profile_top_row *rows = NULL;
	size_t n;

	assert_int_equal(profile_top(tree, PROFILE_BY_SELF, &rows, &n), 0);
	assert_int_equal(top_print(tree, rows, n, 4, &(struct text_look){}, out()), 0);
	expect("SELF%     SELF  TOTAL%    TOTAL  FUNCTION     MODULE     SOURCE\n"
	       "60.00   600 ms   60.00   600 ms  parse        server     parse.c:7\n"
	       "30.00   300 ms   30.00   300 ms  [libc.so.6]  libc.so.6\n"
	       " 9.00  90.0 ms   99.00   990 ms  serve        server     serve.c:7\n"
	       " 1.00  10.0 ms    1.00  10.0 ms  rare         server     rare.c:7\n"
	       "2 more\n"
	       "samples 100, lost 5, truncated 0, unsymbolized 30\n");
}

static void test_top_diff(void **state)
{
	_cleanup_profile_ struct profile *before = make_server(), *now = make_faster();
	_cleanup_profile_tree_ struct profile_tree *tree = tree_of(now, before, false);
	_cleanup_free_ struct profile_top_row *rows = NULL;
	size_t n;

	assert_int_equal(profile_top(tree, PROFILE_BY_SELF, &rows, &n), 0);
	assert_int_equal(top_print(tree, rows, n, 3, &(struct text_look){ .width = 70 }, out()), 0);
	expect("SELF%  BEFORE  CHANGE  TOTAL%  CHANGE  FUNCTION     MODULE\n"
	       "50.00    0.00  +50.00   50.00  +50.00  cache        server\n"
	       " 0.00   30.00  -30.00    0.00  -30.00  [libc.so.6]  libc.so.6\n"
	       "50.00   60.00  -10.00   50.00  -10.00  parse        server\n"
	       "4 more\n"
	       "samples 40, lost 0, truncated 0, unsymbolized 0\n"
	       "before: samples 100, lost 5, truncated 0, unsymbolized 30\n");
}

static void test_top_json(void **state)
{
	_cleanup_profile_ struct profile *before = make_server(), *now = make_faster();
	_cleanup_profile_tree_ struct profile_tree *tree = tree_of(before, NULL, false);
	_cleanup_profile_tree_ struct profile_tree *diff = tree_of(now, before, false);
	_cleanup_free_ struct profile_top_row *rows = NULL, *diff_rows = NULL;
	_cleanup_json_ struct json_object *json = NULL, *diff_json = NULL;
	size_t n;

	assert_int_equal(profile_top(tree, PROFILE_BY_SELF, &rows, &n), 0);
	json = top_json(tree, rows, n, 2);
	assert_string_equal(
		json_object_to_json_string_ext(json, JSON_C_TO_STRING_NOSLASHESCAPE),
		"{\"type\":\"cpu\",\"unit\":\"nanoseconds\",\"samples\":100,\"value\":1000000000,"
		"\"lost\":5,\"truncated\":0,\"unsymbolized\":30,\"left_out\":0,\"functions\":["
		"{\"name\":\"parse\",\"file\":\"parse.c\",\"line\":7,\"module\":\"/bin/server\","
		"\"self\":60,\"total\":60,\"self_value\":600000000,\"total_value\":600000000},"
		"{\"name\":null,\"file\":null,\"line\":null,\"module\":\"/lib/libc.so.6\","
		"\"self\":30,\"total\":30,\"self_value\":300000000,\"total_value\":300000000}]}");
	assert_int_equal(profile_top(diff, PROFILE_BY_SELF, &diff_rows, &n), 0);
	diff_json = top_json(diff, diff_rows, n, 1);
	assert_string_equal(
		json_object_to_json_string_ext(diff_json, JSON_C_TO_STRING_NOSLASHESCAPE),
		"{\"type\":\"cpu\",\"unit\":\"nanoseconds\",\"samples\":40,\"value\":400000000,"
		"\"lost\":0,\"truncated\":0,\"unsymbolized\":0,\"left_out\":0,\"before\":"
		"{\"type\":\"cpu\",\"unit\":\"nanoseconds\",\"samples\":100,\"value\":1000000000,"
		"\"lost\":5,\"truncated\":0,\"unsymbolized\":30,\"left_out\":0},\"functions\":["
		"{\"name\":\"cache\",\"file\":\"cache.c\",\"line\":7,\"module\":\"/bin/server\","
		"\"self\":50,\"total\":50,\"self_value\":500000000,\"total_value\":500000000,"
		"\"self_before\":0,\"total_before\":0,\"self_value_before\":0,"
		"\"total_value_before\":0}]}");
}

static void test_shares_json(void **state)
{
	_cleanup_profile_ struct profile *p = make_server();
	_cleanup_json_ struct json_object *json = top_shares_json(p);

	assert_string_equal(
		json_object_to_json_string_ext(json, 0),
		"[{\"process\":null,\"cpu\":null,\"samples\":0,\"value\":0,\"lost\":5,"
		"\"truncated\":0,\"unsymbolized\":0,\"left_out\":0},"
		"{\"process\":{\"pid\":42,\"comm\":\"server\"},\"cpu\":0,\"samples\":100,"
		"\"value\":1000000000,\"lost\":0,\"truncated\":0,\"unsymbolized\":30,"
		"\"left_out\":0}]");
}

static void test_top_csv(void **state)
{
	_cleanup_profile_ struct profile *p = make_server();
	_cleanup_profile_tree_ struct profile_tree *tree = tree_of(p, NULL, false);
	_cleanup_free_ struct profile_top_row *rows = NULL;
	_cleanup_json_ struct json_object *json = NULL;
	_cleanup_(csv_free_p) struct csv *csv = NULL;
	struct json_object *functions;
	size_t n;

	assert_int_equal(profile_top(tree, PROFILE_BY_TOTAL, &rows, &n), 0);
	json = top_json(tree, rows, n, 2);
	functions = json_object_object_get(json, "functions");
	assert_int_equal(csv_new(&csv), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(csv_add(csv, json_object_array_get_idx(functions, i)), 0);
	csv_print(csv, out());
	expect("name,file,line,module,self,total,self_value,total_value\r\n"
	       "main,main.c,7,/bin/server,0,100,0,1000000000\r\n"
	       "serve,serve.c,7,/bin/server,9,99,90000000,990000000\r\n");
}

static void test_tree(void **state)
{
	_cleanup_profile_ struct profile *p = make_server();
	_cleanup_profile_tree_ struct profile_tree *tree = tree_of(p, NULL, false);
	struct tree_options options = { .min_percent = 2 };

	assert_int_equal(tree_print(tree, &options,
				    &(struct text_look){ .width = 50, .utf8 = true }, out()),
			 0);
	expect("100.00 ██████████ all\n"
	       "100.00 ██████████ main  server\n"
	       " 99.00 █████████▉ serve  server\n"
	       " 60.00 ██████     ├ parse  server\n"
	       " 30.00 ███        └ send  server\n"
	       " 30.00 ███          [libc.so.6]\n"
	       "1 smaller or deeper branches are not shown\n"
	       "samples 100, lost 5, truncated 0, unsymbolized 30\n");
	options = (struct tree_options){ .depth = 2 };
	assert_int_equal(tree_print(tree, &options, &(struct text_look){}, out()), 0);
	expect("100.00 ########## all\n"
	       "100.00 ########## main  server\n"
	       " 99.00 #########  + serve  server\n"
	       "  1.00            ` rare  server\n"
	       "2 smaller or deeper branches are not shown\n"
	       "samples 100, lost 5, truncated 0, unsymbolized 30\n");
}

/* Forks within forks; a name that does not fit; the module only where it does. */
static void test_tree_forks(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	_cleanup_profile_tree_ struct profile_tree *tree = NULL;

	synthetic_add(p, "a@m;b@m;a_name_that_is_longer_than_the_line\n@m", 30, 30, NULL);
	synthetic_add(p, "a@m;b@m;d@m", 10, 10, NULL);
	synthetic_add(p, "a@m;e@a_module_that_does_not_fit_there", 20, 20, NULL);
	tree = tree_of(p, NULL, false);
	assert_int_equal(tree_print(tree, &(struct tree_options){},
				    &(struct text_look){ .width = 42, .utf8 = true }, out()),
			 0);
	expect("100.00 ██████████ all\n"
	       "100.00 ██████████ a  m\n"
	       " 66.67 ██████▋    ├ b  m\n"
	       " 50.00 █████      │ ├ a_name_that_is_long…\n"
	       " 16.67 █▋         │ └ d  m\n"
	       " 33.33 ███▍       └ e\n"
	       "samples 60, lost 0, truncated 0, unsymbolized 0\n");
}

static void test_tree_diff(void **state)
{
	_cleanup_profile_ struct profile *before = make_server(), *now = make_faster();
	_cleanup_profile_tree_ struct profile_tree *tree = tree_of(now, before, false);

	assert_int_equal(tree_print(tree, &(struct tree_options){ .min_percent = 5 },
				    &(struct text_look){ .color = true }, out()),
			 0);
	expect("\033[1m   NOW BEFORE  CHANGE\033[0m\n"
	       "100.00 100.00 \033[2m  +0.00\033[0m \033[2m\033[0mall\n"
	       "100.00 100.00 \033[2m  +0.00\033[0m \033[2m\033[0mmain  \033[2mserver\033[0m\n"
	       "100.00  99.00 \033[1;31m  +1.00\033[0m \033[2m\033[0mserve  \033[2mserver\033[0m\n"
	       " 50.00  60.00 \033[32m -10.00\033[0m \033[2m+ \033[0mparse  \033[2mserver\033[0m\n"
	       " 50.00   0.00 \033[1;31m +50.00\033[0m \033[2m+ \033[0mcache  "
	       "\033[2mserver\033[0m\n"
	       "  0.00  30.00 \033[32m -30.00\033[0m \033[2m` \033[0msend  \033[2mserver\033[0m\n"
	       "  0.00  30.00 \033[32m -30.00\033[0m \033[2m  \033[0m[libc.so.6]\n"
	       "1 smaller or deeper branches are not shown\n"
	       "samples 40, lost 0, truncated 0, unsymbolized 0\n"
	       "before: samples 100, lost 5, truncated 0, unsymbolized 30\n");
}

/* A thousand frames in a chain stay at the left. */
static void test_tree_deep(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	_cleanup_profile_tree_ struct profile_tree *tree = NULL;
	char stack[1000 * 6] = "f@m";

	for (int i = 0; i < 999; i++)
		strcat(stack, ";f@m");
	synthetic_add(p, stack, 1, 1, NULL);
	tree = tree_of(p, NULL, false);
	assert_int_equal(tree_print(tree, &(struct tree_options){},
				    &(struct text_look){ .width = 30 }, out()),
			 0);
	fclose(stream);
	assert_non_null(strstr(text, "\n100.00 ########## f  m\nsamples 1,"));
	free(text);
}

static void test_values(void **state)
{
	static const struct {
		enum sample_event event;
		uint64_t value;
		const char *expected;
	} cases[] = {
		{ SAMPLE_CPU, 0, "0 ns" },
		{ SAMPLE_CPU, 999, "999 ns" },
		{ SAMPLE_CPU, 1500, "1.50 µs" },
		{ SAMPLE_CPU, 10 * NSEC_PER_MSEC, "10.0 ms" },
		{ SAMPLE_CPU, 99 * NSEC_PER_SEC, "99.0 s" },
		{ SAMPLE_CPU, 119 * NSEC_PER_SEC, "119 s" },
		{ SAMPLE_OFF_CPU, 150 * NSEC_PER_SEC, "2.50 min" },
		{ SAMPLE_ALLOC, 1536, "1.5 KiB" },
		{ SAMPLE_PAGE_FAULTS, 56000, "56 k" },
	};
	char buf[PROFILE_VALUE_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(profile_value_text(&profile_types[cases[i].event],
						       cases[i].value, buf),
				    cases[i].expected);
}

static void test_left_out(void **state)
{
	struct profile_totals totals = { 1, 10, 2, 3, 4, 5 };
	char buf[PROFILE_TOTALS_LEN];

	assert_string_equal(profile_totals_text(&totals, buf),
			    "samples 1, lost 2, truncated 3, unsymbolized 4, left out 5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_folded),	    cmocka_unit_test(test_folded_hostile),
		cmocka_unit_test(test_folded_diff), cmocka_unit_test(test_top),
		cmocka_unit_test(test_top_diff),    cmocka_unit_test(test_top_json),
		cmocka_unit_test(test_top_csv),	    cmocka_unit_test(test_shares_json),
		cmocka_unit_test(test_tree),	    cmocka_unit_test(test_tree_forks),
		cmocka_unit_test(test_tree_diff),   cmocka_unit_test(test_tree_deep),
		cmocka_unit_test(test_values),	    cmocka_unit_test(test_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
