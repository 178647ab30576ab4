/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record of what we attached: written, read back, and hostile files. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "collect/shared/tc-record.h"

static const struct tc_record record = {
	.netns = 4026532281,
	.ifindex = 17,
	.made_clsact = true,
	.program = { 301, 302 },
	.handle = { 1, 0xffffffff },
	.priority = { 1, 65535 },
};

static void test_text(void **state)
{
	char text[TC_RECORD_SIZE_MAX];
	struct tc_record back;

	tc_record_format(&record, text);
	assert_int_equal(tc_record_parse(text, &back), 0);
	assert_int_equal(back.netns, record.netns);
	assert_int_equal(back.ifindex, record.ifindex);
	assert_true(back.made_clsact);
	for (int i = 0; i < TC_DIRECTIONS; i++) {
		assert_int_equal(back.program[i], record.program[i]);
		assert_int_equal(back.handle[i], record.handle[i]);
		assert_int_equal(back.priority[i], record.priority[i]);
	}
}

static void test_hostile(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"netns=1",
		"netns=1 ifindex=2 made_clsact=1 ingress=1:1:1 egress=1:1:1", /* cut off */
		"netns=1 ifindex=2 made_clsact=1 ingress=1:1:1 egress=1:1:1 more\n",
		"netns=1 ifindex=0 made_clsact=1 ingress=1:1:1 egress=1:1:1\n",
		"netns=1 ifindex=-2 made_clsact=1 ingress=1:1:1 egress=1:1:1\n",
		"netns=1 ifindex=2 made_clsact=2 ingress=1:1:1 egress=1:1:1\n",
		"netns=x ifindex=2 made_clsact=1 ingress=1:1:1 egress=1:1:1\n",
	};
	char text[TC_RECORD_SIZE_MAX];
	struct tc_record untouched = { .ifindex = 99 };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(tc_record_parse(texts[i], &untouched), -EINVAL);
	tc_record_format(&record, text);
	for (size_t n = 0; n < strlen(text); n++) {
		char cut[TC_RECORD_SIZE_MAX] = "";

		memcpy(cut, text, n);
		assert_int_equal(tc_record_parse(cut, &untouched), -EINVAL);
	}
	assert_int_equal(untouched.ifindex, 99);
}

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tc/%s", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static bool has_file(const char *directory, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/tc/%s", directory, name);
	return access(path, F_OK) == 0;
}

static void test_files(void **state)
{
	char directory[] = "/tmp/test-tc-record.XXXXXX", path[256];
	struct tc_record other = record;

	assert_non_null(mkdtemp(directory));
	assert_int_equal(tc_record_write(directory, &record), 0);
	assert_int_equal(tc_record_write(directory, &record), 0); /* replaces */
	assert_true(has_file(directory, "4026532281.17"));
	assert_false(has_file(directory, "4026532281.17.new"));
	assert_int_equal(tc_record_remove(directory, record.netns, record.ifindex), 0);
	assert_int_equal(tc_record_remove(directory, record.netns, record.ifindex), 0);
	assert_false(has_file(directory, "4026532281.17"));

	/* A namespace that is gone took its filters along; a stranger's file stays. */
	other.netns = 1;
	assert_int_equal(tc_record_write(directory, &other), 0);
	write_file(directory, "stranger", "not ours\n");
	assert_int_equal(tc_cleanup(directory), -EINVAL);
	assert_false(has_file(directory, "1.17"));
	assert_true(has_file(directory, "stranger"));
	snprintf(path, sizeof(path), "%s/tc/stranger", directory);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(tc_cleanup(directory), 0);

	snprintf(path, sizeof(path), "%s/tc", directory);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(tc_cleanup(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
