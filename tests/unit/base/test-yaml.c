/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "base/yaml.h"

static int parse(const char *text, struct yaml_error *error, struct yaml_node **ret)
{
	return yaml_parse(text, strlen(text), error, ret);
}

static void refused(const char *text, int r, unsigned line, const char *reason)
{
	struct yaml_node *root = NULL;
	struct yaml_error error;
	int got = parse(text, &error, &root);

	if (got != r)
		fail_msg("%s: %d", text, got);
	assert_null(root);
	assert_int_equal(error.line, line);
	if (!strstr(error.text, reason))
		fail_msg("'%s' does not say '%s'", error.text, reason);
}

static void test_tree_with_places(void **state)
{
	_cleanup_(yaml_tree_free_p) struct yaml_node *root = NULL;
	const struct yaml_node *a, *b, *item;
	struct yaml_error error;

	assert_int_equal(parse("# comment\na:\n  b: [x, 'y z']\nlast: ~\n", &error, &root), 0);
	assert_int_equal(root->kind, YAML_MAPPING);
	a = root->first;
	assert_string_equal(a->key, "a");
	assert_int_equal(a->line, 2);
	b = a->first;
	assert_string_equal(b->key, "b");
	assert_int_equal(b->kind, YAML_SEQUENCE);
	assert_int_equal(b->line, 3);
	assert_int_equal(b->column, 3);
	item = b->first;
	assert_string_equal(item->text, "x");
	assert_true(item->plain);
	assert_string_equal(item->next->text, "y z");
	assert_false(item->next->plain);
	assert_null(item->next->next);
	assert_string_equal(a->next->key, "last");
	assert_true(yaml_is_null(a->next));
	assert_null(a->next->next);
}

static void test_nothing(void **state)
{
	static const char *const texts[] = { "",      "\n", "# only a comment\n",
					     "---\n", "~",  "\xef\xbb\xbf" };
	struct yaml_node *root = (struct yaml_node *)1;
	struct yaml_error error;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(parse(texts[i], &error, &root), 0);
		assert_null(root);
	}
}

static void test_null_is_plain(void **state)
{
	_cleanup_(yaml_tree_free_p) struct yaml_node *root = NULL;
	struct yaml_error error;

	assert_int_equal(parse("a: \"\"\nb: 'null'\n", &error, &root), 0);
	assert_false(yaml_is_null(root->first));
	assert_false(yaml_is_null(root->first->next));
}

static void test_refused(void **state)
{
	refused("a: 1\nb: 2\na: 3\n", -EINVAL, 3, "already in line 1");
	refused("a: &x 1\n", -EINVAL, 1, "anchors");
	refused("a: 1\nb: *x\n", -EINVAL, 2, "aliases");
	refused("a: !!int 1\n", -EINVAL, 1, "tags");
	refused("a: 1\n---\nb: 2\n", -EINVAL, 2, "second document");
	refused("[a]: 1\n", -EINVAL, 1, "key must be a word");
	refused("a: \"x\\0y\"\n", -EINVAL, 1, "NUL");
	refused("a: 1\n b: 2\n", -EINVAL, 2, "mapping values");
	refused("a: [1\n", -EINVAL, 2, "expected");
	refused("a:\n\tb: 1\n", -EINVAL, 2, "cannot start any token");
	refused("a: b\xff\n", -EINVAL, 1, "UTF-8");
}

static void test_depth(void **state)
{
	_cleanup_(yaml_tree_free_p) struct yaml_node *root = NULL;
	struct yaml_error error;
	char text[200] = "";

	for (int i = 0; i < YAML_DEPTH_MAX; i++)
		strcat(text, "[");
	for (int i = 0; i < YAML_DEPTH_MAX; i++)
		strcat(text, "]");
	assert_int_equal(parse(text, &error, &root), 0);
	refused("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", -E2BIG, 1, "nested deeper");
}

/* "[0,0,...]" with n zeros. */
static char *sequence_of(size_t n)
{
	char *text = malloc(2 * n + 2), *p = text;

	assert_non_null(text);
	*p++ = '[';
	for (size_t i = 0; i < n; i++)
		p = mempcpy(p, "0,", 2);
	strcpy(p - 1, "]");
	return text;
}

static void test_nodes(void **state)
{
	_cleanup_(yaml_tree_free_p) struct yaml_node *root = NULL;
	_cleanup_free_ char *most = sequence_of(YAML_NODES_MAX - 1); /* the sequence counts, too */
	_cleanup_free_ char *over = sequence_of(YAML_NODES_MAX);
	struct yaml_error error;

	assert_int_equal(parse(most, &error, &root), 0);
	refused(over, -E2BIG, 1, "more than 4096 values");
}

static void test_size(void **state)
{
	_cleanup_free_ char *text = malloc(YAML_SIZE_MAX + 2);

	assert_non_null(text);
	memset(text, '\n', YAML_SIZE_MAX + 1);
	text[YAML_SIZE_MAX + 1] = '\0';
	refused(text, -E2BIG, 1, "larger");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree_with_places),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_null_is_plain),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
