/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is in the file for speedscope; its own importer and schema are asked in tests/system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/util.h"
#include "render/speedscope.h"
#include "synthetic.h"

static struct json_object *write_and_read(const struct profile *now, const struct profile *before)
{
	_cleanup_profile_tree_ struct profile_tree *tree = NULL;
	_cleanup_free_ char *text = NULL;
	struct json_object *json;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(profile_tree_new(now, before, &(struct profile_tree_options){}, &tree), 0);
	assert_int_equal(speedscope_write(tree, "a \"title\"", out), 0);
	fclose(out);
	assert_int_equal(json_parse(text, size, size, &json), 0);
	return json;
}

static void expect(struct json_object *json, const char *pointer, const char *expected)
{
	struct json_object *value;

	assert_int_equal(json_pointer_get(json, pointer, &value), 0);
	assert_string_equal(json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE),
			    expected);
}

static void test_one(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	_cleanup_json_ struct json_object *json = NULL;

	synthetic_add(p, "main@app;work@app", 2, 20, NULL);
	synthetic_add(p, "main@app", 1, 10, NULL);
	synthetic_add(p, "main@app;@/lib/libc.so.6", 1, 5, NULL);
	json = write_and_read(p, NULL);
	expect(json, "/name", "\"a \\\"title\\\"\"");
	expect(json, "/shared/frames",
	       "[{\"name\":\"work\",\"file\":\"work.c\",\"line\":7},"
	       "{\"name\":\"main\",\"file\":\"main.c\",\"line\":7},{\"name\":\"[libc.so.6]\"}]");
	expect(json, "/profiles/0/samples", "[[1],[1,0],[1,2]]");
	expect(json, "/profiles/0/weights", "[10,20,5]");
	expect(json, "/profiles/0/endValue", "35");
	expect(json, "/profiles/0/unit", "\"nanoseconds\"");
}

static void test_two(void **state)
{
	_cleanup_profile_ struct profile *now = synthetic_new(), *before = synthetic_new();
	_cleanup_json_ struct json_object *json = NULL;

	synthetic_add(now, "a@m", 1, 10, NULL);
	synthetic_add(before, "a@m", 1, 20, NULL);
	synthetic_add(before, "b@m", 1, 20, NULL);
	json = write_and_read(now, before);
	expect(json, "/profiles/0/name", "\"now\"");
	expect(json, "/profiles/0/samples", "[[0]]");
	expect(json, "/profiles/0/weights", "[40]"); /* scaled */
	expect(json, "/profiles/1/name", "\"before\"");
	expect(json, "/profiles/1/samples", "[[0],[1]]");
	expect(json, "/profiles/1/weights", "[20,20]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
