/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What log.c writes to stderr, which each test replaces by a pipe. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#define LOG_COMPONENT "test"
#include "base/log.h"
#include "base/util.h"

struct capture {
	int saved, pipe[2];
	char text[16384];
};

static void capture_begin(struct capture *c)
{
	assert_int_equal(pipe(c->pipe), 0);
	c->saved = dup(STDERR_FILENO);
	assert_true(dup2(c->pipe[1], STDERR_FILENO) >= 0);
}

static const char *capture_end(struct capture *c)
{
	size_t n = 0;
	ssize_t got;

	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	close(c->pipe[1]);
	while ((got = read(c->pipe[0], c->text + n, sizeof(c->text) - 1 - n)) > 0)
		n += (size_t)got;
	close(c->pipe[0]);
	c->text[n] = '\0';
	return c->text;
}

static void test_level_decides(void **state)
{
	struct capture c;

	capture_begin(&c);
	log_init(LOG_FORMAT_TEXT, LOG_WARNING);
	log_info("not this");
	log_warning("but this");
	assert_null(strstr(capture_end(&c), "not this"));
	assert_non_null(strstr(c.text, "warning test: but this\n"));
	assert_false(log_enabled(LOG_INFO));
	assert_true(log_enabled(LOG_ERR));
}

static void test_errno_is_text_and_result(void **state)
{
	struct capture c;
	int r;

	capture_begin(&c);
	log_init(LOG_FORMAT_TEXT, LOG_INFO);
	errno = ENOENT;
	r = log_error_errno(EACCES, "cannot open: %m");
	assert_int_equal(errno, ENOENT);
	assert_non_null(strstr(capture_end(&c), "cannot open: Permission denied\n"));
	assert_int_equal(r, -EACCES);
	assert_int_equal(log_debug_errno(-EPERM, "not written, yet returned"), -EPERM);
}

static void test_no_colour_in_a_pipe(void **state)
{
	struct capture c;

	capture_begin(&c);
	log_init(LOG_FORMAT_TEXT, LOG_INFO);
	log_error("red");
	assert_null(strchr(capture_end(&c), '\033'));
}

static void test_strangers_bytes_make_one_line(void **state)
{
	struct capture c;

	capture_begin(&c);
	log_init(LOG_FORMAT_TEXT, LOG_INFO);
	log_info("name %s", "a\nerror test: forged\033[2J\xff");
	assert_non_null(strstr(capture_end(&c), "name a\\nerror test: forged\\x1b[2J\\xff\n"));
	assert_ptr_equal(strchr(c.text, '\n'), c.text + strlen(c.text) - 1);
}

static void test_json_is_parsed_by_another(void **state)
{
	struct capture c;
	json_object *o, *v;

	capture_begin(&c);
	log_init(LOG_FORMAT_JSON, LOG_INFO);
	log_warning_errno(-ENOSPC, "say \"%s\" \\ \t", "h\xc3\xa9\xc3");
	o = json_tokener_parse(capture_end(&c));
	assert_non_null(o);
	assert_true(json_object_object_get_ex(o, "message", &v));
	assert_string_equal(json_object_get_string(v), "say \"h\xc3\xa9\\xc3\" \\ \\t");
	assert_true(json_object_object_get_ex(o, "errno", &v));
	assert_int_equal(json_object_get_int(v), ENOSPC);
	assert_true(json_object_object_get_ex(o, "level", &v));
	assert_string_equal(json_object_get_string(v), "warning");
	assert_true(json_object_object_get_ex(o, "component", &v));
	assert_string_equal(json_object_get_string(v), "test");
	json_object_put(o);
}

static void test_long_message_stays_valid_json(void **state)
{
	struct capture c;
	json_object *o, *v;
	char longest[5000];

	memset(longest, '"', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	capture_begin(&c);
	log_init(LOG_FORMAT_JSON, LOG_INFO);
	log_info("%s", longest);
	o = json_tokener_parse(capture_end(&c));
	assert_non_null(o);
	assert_true(json_object_object_get_ex(o, "message", &v));
	assert_int_equal(json_object_get_string_len(v), 2047);
	json_object_put(o);
}

static void test_auto_is_json_in_a_pipe(void **state)
{
	struct capture c;

	setenv("JOURNAL_STREAM", "1:1", 1); /* inherited, but not our stderr */
	capture_begin(&c);
	log_init(LOG_FORMAT_AUTO, LOG_INFO);
	log_info("hello");
	assert_int_equal(capture_end(&c)[0], '{');
}

static void test_limit_says_what_it_held(void **state)
{
	struct log_limit limit = { 0 };
	struct capture c;
	unsigned passed = 0;

	capture_begin(&c);
	log_init(LOG_FORMAT_TEXT, LOG_INFO);
	for (int i = 0; i < 10; i++)
		passed += (unsigned)log_limit_pass(&limit, NSEC_PER_SEC * 3600, 3);
	assert_true(log_limit_pass(&limit, 0, 3)); /* the window is over */
	capture_end(&c);
	assert_int_equal(passed, 3);
	assert_non_null(strstr(c.text, "7 messages like the next one were held back"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_level_decides),
		cmocka_unit_test(test_errno_is_text_and_result),
		cmocka_unit_test(test_no_colour_in_a_pipe),
		cmocka_unit_test(test_strangers_bytes_make_one_line),
		cmocka_unit_test(test_json_is_parsed_by_another),
		cmocka_unit_test(test_long_message_stays_valid_json),
		cmocka_unit_test(test_auto_is_json_in_a_pipe),
		cmocka_unit_test(test_limit_says_what_it_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
