/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each address once per code, codes by their key, names when they come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>

#include <cmocka.h>

#include "base/util.h"
#include "model/naming.h"

static void same_is_same(void **state)
{
	const struct code a = { .kind = CODE_FILE, .id_size = 2, .id = { 1, 2 }, .path = "/a" };
	const struct code copy = { .kind = CODE_FILE, .id_size = 2, .id = { 1, 2 }, .path = "/b" };
	const struct code other = { .kind = CODE_FILE, .id_size = 1, .id = { 1 }, .path = "/c" };
	struct naming *naming;
	uint32_t first, second, again, elsewhere;

	assert_int_equal(naming_new(&naming), 0);
	assert_int_equal(naming_add(naming, &a, 100, &first), 0);
	assert_int_equal(naming_add(naming, &a, 101, &second), 0);
	assert_int_equal(naming_add(naming, &copy, 100, &again), 0);
	assert_int_equal(naming_add(naming, &other, 100, &elsewhere), 0);
	assert_int_equal(first, 0);
	assert_int_equal(second, 1);
	assert_int_equal(again, first);
	assert_int_equal(elsewhere, 2);
	assert_int_equal(naming_size(naming), 3);
	assert_int_equal(naming_n_codes(naming), 2);
	assert_string_equal(naming_code(naming, 0)->path, "/a");
	assert_int_equal(naming_at(naming, 1)->address, 101);
	assert_string_equal(naming_name(naming, 1), "");
	assert_int_equal(naming_set(naming, 1, "f"), 0);
	assert_string_equal(naming_name(naming, 1), "f");
	assert_string_equal(naming_name(naming, 0), "");
	naming_free(naming);
}

/* More than any array has room for at first. */
static void many(void **state)
{
	struct naming *naming;
	char path[16], name[16];
	uint32_t number;

	assert_int_equal(naming_new(&naming), 0);
	for (uint32_t i = 0; i < 1000; i++) {
		struct code code = { .kind = CODE_FILE, .id_size = 4, .path = path };

		snprintf(path, sizeof(path), "/%u", i / 10);
		memcpy(code.id, &(uint32_t){ i / 10 }, 4);
		assert_int_equal(naming_add(naming, &code, i, &number), 0);
		assert_int_equal(number, i);
		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(naming_set(naming, number, name), 0);
	}
	assert_int_equal(naming_n_codes(naming), 100);
	for (uint32_t i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		snprintf(path, sizeof(path), "/%u", i / 10);
		assert_string_equal(naming_name(naming, i), name);
		assert_string_equal(naming_code(naming, naming_at(naming, i)->code)->path, path);
	}
	naming_free(naming);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_is_same),
		cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
