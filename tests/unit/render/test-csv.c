/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of JSON as CSV: RFC 4180 and the rules of csv.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "base/cleanup.h"
#include "render/csv.h"

static int add(struct csv *csv, const char *text)
{
	struct json_object *row = json_tokener_parse(text);
	int r;

	assert_non_null(row);
	r = csv_add(csv, row);
	json_object_put(row);
	return r;
}

static void expect(struct csv *csv, const char *expected)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	csv_print(csv, out);
	fclose(out);
	assert_string_equal(text, expected);
}

static void test_values(void **state)
{
	_cleanup_(csv_free_p) struct csv *csv = NULL;

	assert_int_equal(csv_new(&csv), 0);
	add(csv, "{\"a\":1,\"b\":{\"c\":true,\"d\":{\"e\":0.5}},\"f\":[\"x\",\"y\"],\"g\":null}");
	add(csv, "{\"a\":\"q\\\"q\",\"f\":[],\"g\":\"1,2\\r\\n3\"}");
	expect(csv, "a,b.c,b.d.e,f,g\r\n"
		    "1,true,0.5,x|y,\r\n"
		    "\"q\"\"q\",,,,\"1,2\r\n3\"\r\n");
}

static void test_list_of_objects(void **state)
{
	_cleanup_(csv_free_p) struct csv *csv = NULL;

	assert_int_equal(csv_new(&csv), 0);
	add(csv, "{\"l\":[{\"n\":\"a\",\"v\":1},{\"n\":\"b\",\"v\":null}]}");
	expect(csv, "l.n,l.v\r\na|b,1|\r\n");
}

/* What is null in one row and an object in another is columns of its members only. */
static void test_null_objects(void **state)
{
	_cleanup_(csv_free_p) struct csv *csv = NULL;

	assert_int_equal(csv_new(&csv), 0);
	add(csv, "{\"w\":null,\"x\":{\"p\":1}}");
	add(csv, "{\"w\":{\"k\":\"unit\"},\"x\":null}");
	expect(csv, "x.p,w.k\r\n1,\r\n,unit\r\n");
}

static void test_declared(void **state)
{
	static const char *const names[] = { "w.k", "tcp.flags", "b", NULL };
	_cleanup_(csv_free_p) struct csv *csv = NULL;

	assert_int_equal(csv_new(&csv), 0);
	assert_int_equal(csv_declare(csv, names), 0);
	add(csv, "{\"b\":1,\"w\":null,\"tcp\":{\"flags\":[\"SYN\"]},\"drops\":{\"X\":2},\"z\":{}}");
	expect(csv, "w.k,tcp.flags,b,drops.X\r\n,SYN,1,2\r\n");
	/* The header stays what it was. */
	add(csv, "{\"drops\":{\"Y\":1,\"X\":3},\"b\":4}");
	expect(csv, ",,4,3\r\n");
	expect(csv, "");
}

static void test_no_rows(void **state)
{
	static const char *const names[] = { "a", "b", NULL };
	_cleanup_(csv_free_p) struct csv *csv = NULL;

	assert_int_equal(csv_new(&csv), 0);
	assert_int_equal(csv_declare(csv, names), 0);
	expect(csv, "a,b\r\n");
}

static void test_too_many_columns(void **state)
{
	_cleanup_(csv_free_p) struct csv *csv = NULL;
	char row[32];
	int r = 0;

	assert_int_equal(csv_new(&csv), 0);
	for (int i = 0; i <= CSV_COLUMNS_MAX; i++) {
		assert_int_equal(r, 0);
		snprintf(row, sizeof(row), "{\"c%d\":1}", i);
		r = add(csv, row);
	}
	assert_int_equal(r, -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),	     cmocka_unit_test(test_list_of_objects),
		cmocka_unit_test(test_null_objects), cmocka_unit_test(test_declared),
		cmocka_unit_test(test_no_rows),	     cmocka_unit_test(test_too_many_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
