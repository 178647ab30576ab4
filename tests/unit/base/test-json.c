/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/util.h"

static int parse(const char *text)
{
	_cleanup_json_ struct json_object *o = NULL;

	return json_parse(text, strlen(text), 1000, &o);
}

static void test_one_value(void **state)
{
	static const char *const good[] = { "{}",
					    " {\"a\": [1, 2.5, null, true]} \n",
					    "1",
					    "\"x\"",
					    "[]",
					    "null",
					    "{\"é\": \"ü\"}" };
	static const char *const bad[] = { "",	    " ",	"{",	    "{}{}",	"{} x",
					   "['a']", "[1,]",	"// c\n{}", "\"\xff\"", "{\"a\" 1}",
					   "tru",   "[\"é\",]", "é",	    "\"é\" x" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (parse(good[i]) != 0)
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (parse(bad[i]) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
}

static void test_limits(void **state)
{
	char deep[2 * JSON_DEPTH_MAX + 3] = "";
	_cleanup_json_ struct json_object *o = NULL;

	for (int i = 0; i <= JSON_DEPTH_MAX; i++)
		strcat(deep, "[");
	for (int i = 0; i <= JSON_DEPTH_MAX; i++)
		strcat(deep, "]");
	assert_int_equal(parse(deep), -EINVAL);
	deep[strlen(deep) - 1] = '\0';
	assert_int_equal(parse(deep + 1), 0);
	assert_int_equal(json_parse("[1, 2]", 6, 5, &o), -E2BIG);
	assert_null(o);
}

static void test_text_without_nul(void **state)
{
	_cleanup_json_ struct json_object *o = NULL;
	const char text[] = { '1', '2', '3' };

	assert_int_equal(json_parse(text, 2, 1000, &o), 0); /* the 3 is not ours to read */
	assert_int_equal(json_object_get_int(o), 12);
}

static void test_builders(void **state)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();

	assert_int_equal(json_append(list, json_object_new_int(1)), 0);
	assert_int_equal(json_add(o, "list", list), 0);
	assert_int_equal(json_add_string(o, "text", "caf\xe9"), 0);
	assert_int_equal(json_add_string(o, "nothing", NULL), 0);
	assert_int_equal(json_add_u64(o, "large", UINT64_MAX), 0);
	assert_int_equal(json_add_int(o, "small", INT64_MIN), 0);
	assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
			    "{\"list\":[1],\"text\":\"caf\xef\xbf\xbd\",\"nothing\":null,"
			    "\"large\":18446744073709551615,\"small\":-9223372036854775808}");
}

static void test_failed_allocations_pass_through(void **state)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();

	assert_int_equal(json_add(o, "key", NULL), -ENOMEM);
	assert_int_equal(json_add(NULL, "key", json_object_new_int(1)), -ENOMEM); /* freed: ASan */
	assert_int_equal(json_append(NULL, json_object_new_int(1)), -ENOMEM);
	assert_int_equal(json_object_object_length(o), 0);
}

static void test_readers(void **state)
{
	_cleanup_json_ struct json_object *o = NULL;
	const char *in =
		"{\"s\":\"text\",\"z\":\"a\\u0000b\",\"n\":7,\"m\":-1,\"b\":true,\"null\":null}";
	const char *text = "untouched";
	uint64_t n = 1;
	bool b = false;

	assert_int_equal(json_parse(in, strlen(in), 1000, &o), 0);
	assert_int_equal(json_get_string(o, "z", &text), -EINVAL);
	assert_int_equal(json_get_string(o, "n", &text), -EINVAL);
	assert_int_equal(json_get_string(o, "null", &text), -ENOENT);
	assert_string_equal(text, "untouched");
	assert_int_equal(json_get_string(o, "s", &text), 0);
	assert_string_equal(text, "text");
	assert_int_equal(json_get_u64(o, "m", &n), -EINVAL);
	assert_int_equal(json_get_u64(o, "none", &n), -ENOENT);
	assert_int_equal(n, 1);
	assert_int_equal(json_get_u64(o, "n", &n), 0);
	assert_int_equal(n, 7);
	assert_int_equal(json_get_bool(o, "n", &b), -EINVAL);
	assert_int_equal(json_get_bool(o, "b", &b), 0);
	assert_true(b);
}

static void test_as_text(void **state)
{
	static const char wanted[] = "[{\"a\":[1,\"\u00fc\\\"/\"]}]";
	_cleanup_json_ struct json_object *array = json_object_new_array(), *value;

	assert_int_equal(json_parse(wanted + 1, strlen(wanted) - 2, 1000, &value), 0);
	assert_int_equal(json_append(array, json_as_text(TAKE(value))), 0);
	assert_string_equal(json_object_to_json_string_ext(
				    array, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
			    wanted);
	assert_null(json_as_text(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_value),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_text_without_nul),
		cmocka_unit_test(test_builders),
		cmocka_unit_test(test_as_text),
		cmocka_unit_test(test_failed_allocations_pass_through),
		cmocka_unit_test(test_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
