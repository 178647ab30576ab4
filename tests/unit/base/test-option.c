/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/option.h"
#include "base/util.h"
#include "base/yaml.h"

struct example {
	bool yes;
	int64_t count;
	double ratio;
	uint64_t size, interval;
	char *name, *key;
	int colour;
	struct option_list paths;
	uint32_t colours;
};

static const char *const colours[] = { "red", "green", "blue", NULL };

static int check_path(const char *word, char *error, size_t error_size)
{
	if (*word == '/')
		return 0;
	snprintf(error, error_size, "'%s' does not begin with /", word);
	return -ENOTDIR;
}

#define FIELD(name_) offsetof(struct example, name_)
static const struct option options[] = {
	{ "yes", OPTION_BOOL, FIELD(yes), .value = "true" },
	{ "count", OPTION_INT, FIELD(count), -5, 100, .value = "7" },
	{ "ratio", OPTION_RATIO, FIELD(ratio), .value = "50%" },
	{ "size", OPTION_BYTES, FIELD(size), 16 << 20, INT64_C(1) << 30, .value = "64M" },
	{ "interval", OPTION_DURATION, FIELD(interval), 1000000, .value = "5s" },
	{ "name", OPTION_STRING, FIELD(name) },
	{ "key", OPTION_SECRET, FIELD(key), .value = "swordfish" },
	{ "colour", OPTION_ENUM, FIELD(colour), .choices = colours, .value = "green" },
	{ "paths", OPTION_LIST, FIELD(paths), .value = "/a,/b", .check = check_path },
	{ "colours", OPTION_ENUM_LIST, FIELD(colours), .choices = colours, .value = "red,blue" },
	{ NULL },
};
static const struct option_group group = { "example", sizeof(struct example), options };

static struct example values;
static char error[256];

static const struct option *option_called(const char *key)
{
	const struct option *o = options;

	while (!streq(o->key, key))
		o++;
	return o;
}

static int set(const char *key, const char *text)
{
	return option_set_text(option_called(key), &values, text, error, sizeof(error));
}

/* yaml is "[a, b]", "word", "{a: b}", ... */
static int set_yaml(const char *key, const char *yaml)
{
	_cleanup_(yaml_tree_free_p) struct yaml_node *root = NULL;
	struct yaml_error yaml_error;
	char text[64];

	snprintf(text, sizeof(text), "key: %s\n", yaml);
	assert_int_equal(yaml_parse(text, strlen(text), &yaml_error, &root), 0);
	return option_set_yaml(option_called(key), &values, root->first, error, sizeof(error));
}

static int setup(void **state)
{
	return option_group_init(&group, &values);
}

static int teardown(void **state)
{
	option_group_done(&group, &values);
	return 0;
}

static void test_defaults(void **state)
{
	assert_true(values.yes);
	assert_int_equal(values.count, 7);
	assert_true(values.ratio == 0.5);
	assert_int_equal(values.size, 64 << 20);
	assert_int_equal(values.interval, 5 * NSEC_PER_SEC);
	assert_string_equal(values.name, "");
	assert_string_equal(values.key, "swordfish");
	assert_int_equal(values.colour, 1);
	assert_int_equal(values.paths.n, 2);
	assert_string_equal(values.paths.values[1], "/b");
	assert_int_equal(values.colours, 1 << 0 | 1 << 2);
}

static void test_set(void **state)
{
	assert_int_equal(set("yes", "off"), 0);
	assert_false(values.yes);
	assert_int_equal(set("count", "-5"), 0);
	assert_int_equal(values.count, -5);
	assert_int_equal(set("name", "a,b"), 0);
	assert_string_equal(values.name, "a,b");
	assert_int_equal(set("paths", " /x y , /z"), 0);
	assert_int_equal(values.paths.n, 2);
	assert_string_equal(values.paths.values[0], "/x y");
	assert_int_equal(set("paths", ""), 0);
	assert_int_equal(values.paths.n, 0);
	assert_int_equal(set_yaml("paths", "/one,still"), 0);
	assert_int_equal(values.paths.n, 1);
	assert_string_equal(values.paths.values[0], "/one,still");
	assert_int_equal(set_yaml("colours", "[green, blue]"), 0);
	assert_int_equal(values.colours, 6);
	assert_int_equal(set_yaml("colours", "[]"), 0);
	assert_int_equal(values.colours, 0);
	assert_int_equal(set_yaml("name", "''"), 0);
	assert_string_equal(values.name, "");
}

static void test_bad_word_leaves_the_value(void **state)
{
	static const struct {
		const char *key, *text, *sentence;
	} cases[] = {
		{ "yes", "maybe", "'maybe' is neither true nor false" },
		{ "count", "101", "'101' is more than 100" },
		{ "count", "-6", "'-6' is less than -5" },
		{ "count", "ten", "'ten' is not a number" },
		{ "count", "9223372036854775808", "'9223372036854775808' is not a number" },
		{ "ratio", "2", "'2' is not a ratio from 0 to 1 or 0% to 100%" },
		{ "size", "8M", "'8M' is less than 16M" },
		{ "size", "2G", "'2G' is more than 1G" },
		{ "size", "big", "'big' is not a size like 4096, 64M or 1G" },
		{ "interval", "5", "'5' is not a duration like 100ms, 5s, 10m or 24h" },
		{ "interval", "10us", "'10us' is less than 1ms" },
		{ "interval", "99999999999d", "'99999999999d' is more than 9223372036854775807ns" },
		{ "paths", "/a,b,/c", "'b' does not begin with /" },
		{ "colour", "gren", "'gren' is none of red, green, blue; did you mean 'green'?" },
		{ "colours", "red,pink-ish", "'pink-ish' is none of red, green, blue" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(set(cases[i].key, cases[i].text), -EINVAL);
		assert_string_equal(error, cases[i].sentence);
	}
	test_defaults(state);
}

static void test_wrong_kind_of_yaml(void **state)
{
	static const struct {
		const char *key, *yaml, *sentence;
	} cases[] = {
		{ "count", "{a: 1}", "a value is wanted here, not a section" },
		{ "count", "[1]", "one value is wanted here, not a list" },
		{ "count", "", "has no value; the empty text is \"\"" },
		{ "paths", "~", "has no value; the empty list is []" },
		{ "paths", "[[a]]", "each value of the list must be a word" },
		{ "paths", "[a, {b: c}]", "each value of the list must be a word" },
		{ "paths", "{a: b}", "a value is wanted here, not a section" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(set_yaml(cases[i].key, cases[i].yaml), -EINVAL);
		assert_string_equal(error, cases[i].sentence);
	}
	test_defaults(state);
}

static void test_strangers_word_in_a_sentence(void **state)
{
	assert_int_equal(set("count", "\033[2J\n"), -EINVAL);
	assert_string_equal(error, "'\\x1b[2J\\n' is not a number");
	assert_int_equal(set("count",
			     "123456789012345678901234567890123456789012345678901234567890"),
			 -EINVAL);
	assert_string_equal(error,
			    "'12345678901234567890123456789012345678901234567' is not a number");
}

static void test_list_limit(void **state)
{
	char text[2 * OPTION_LIST_MAX + 3];

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = i % 2 ? ',' : '/';
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(set("paths", text), -EINVAL);
	assert_string_equal(error, "too many values");
	text[2 * OPTION_LIST_MAX] = '\0';
	assert_int_equal(set("paths", text), 0);
	assert_int_equal(values.paths.n, OPTION_LIST_MAX);
}

static void test_json(void **state)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();

	for (const struct option *option = options; option->key; option++)
		assert_int_equal(json_add(o, option->key, option_to_json(option, &values)), 0);
	assert_string_equal(json_object_to_json_string_ext(
				    o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
			    "{\"yes\":true,\"count\":7,\"ratio\":0.5,\"size\":\"64M\","
			    "\"interval\":\"5s\",\"name\":\"\",\"key\":\"(hidden)\","
			    "\"colour\":\"green\",\"paths\":[\"/a\",\"/b\"],"
			    "\"colours\":[\"red\",\"blue\"]}");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults),
		TEST(test_set),
		TEST(test_bad_word_leaves_the_value),
		TEST(test_wrong_kind_of_yaml),
		TEST(test_strangers_word_in_a_sentence),
		TEST(test_list_limit),
		TEST(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
