/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files, drop-ins and environment over two groups of the test's own. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/util.h"
#include "daemon/config.h"

struct flows {
	int64_t max_flows;
	uint64_t interval;
	struct option_list interfaces;
	char *secret;
};

static int check_flows(const void *values, char *error, size_t size)
{
	const struct flows *flows = values;

	if (flows->max_flows != 13)
		return 0;
	snprintf(error, size, "max_flows brings bad luck");
	return -EINVAL;
}

static const struct option_group flows_group = {
	.prefix = "collectors.flows",
	.size = sizeof(struct flows),
	.options =
		(const struct option[]){
			{ "max_flows", OPTION_INT, offsetof(struct flows, max_flows), 1, 1000,
			  .value = "100" },
			{ "interval", OPTION_DURATION, offsetof(struct flows, interval),
			  .value = "5s" },
			{ "interfaces", OPTION_LIST, offsetof(struct flows, interfaces) },
			{ "secret", OPTION_SECRET, offsetof(struct flows, secret) },
			{ NULL },
		},
	.check = check_flows,
};

static const char *const levels[] = { "error", "info", NULL };
struct top {
	int level;
	bool hooks;
};
static const struct option_group top_group = {
	.prefix = "",
	.size = sizeof(struct top),
	.options =
		(const struct option[]){
			{ "log.level", OPTION_ENUM, offsetof(struct top, level), .choices = levels,
			  .value = "info" },
			{ "hooks", OPTION_BOOL, offsetof(struct top, hooks), .value = "false" },
			{ NULL },
		},
};
static const struct option_group *const groups[] = { &flows_group, &top_group, NULL };

static char dir[64], path[80];
static struct config_errors errors;

static int setup(void **state)
{
	strcpy(dir, "/tmp/test-config-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/main.yaml", dir);
	return 0;
}

static int teardown(void **state)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

/* name is below the test's directory. */
static void write_file(const char *name, const char *text)
{
	char file[200];
	FILE *f;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	f = fopen(file, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void make_dropins(void)
{
	char file[200];

	snprintf(file, sizeof(file), "%s.d", path);
	assert_int_equal(mkdir(file, 0700), 0);
}

static struct config *load_with(const char *const *environment)
{
	const struct config_source source = { groups, path, .environment = environment };
	struct config *config = NULL;
	int r = config_load(&source, &errors, &config);

	for (size_t i = 0; r < 0 && i < errors.n; i++)
		print_message("%s\n", errors.text[i]);
	assert_int_equal(r, 0);
	return config;
}

static struct config *load(void)
{
	return load_with(NULL);
}

/* The i-th error is "PATH" and text. */
static void assert_error(size_t i, const char *text)
{
	char expected[CONFIG_ERROR_LEN];

	assert_true(i < errors.n);
	snprintf(expected, sizeof(expected), "%s%s", path, text);
	assert_string_equal(errors.text[i], expected);
}

static void refuse_with(const char *const *environment)
{
	const struct config_source source = { groups, path, .environment = environment };
	struct config *config = NULL;

	assert_int_equal(config_load(&source, &errors, &config), -EINVAL);
	assert_null(config);
}

/* The only file is text, and it has exactly one error. */
static void refuse(const char *text, const char *error)
{
	write_file("main.yaml", text);
	refuse_with(NULL);
	assert_error(0, error);
	assert_int_equal(errors.n, 1);
}

static void test_nothing_is_defaults(void **state)
{
	_cleanup_(config_free_p) struct config *config = load();
	const struct flows *flows = config_get(config, &flows_group);

	assert_int_equal(flows->max_flows, 100);
	assert_int_equal(flows->interval, 5 * NSEC_PER_SEC);
	assert_null(config_get(config, &(struct option_group){ 0 }));
}

static void test_later_wins(void **state)
{
	const char *const environment[] = { "EBPFOBS_COLLECTORS_FLOWS_INTERVAL=9s", "HOME=/",
					    NULL };
	_cleanup_(config_free_p) struct config *config = NULL;
	const struct flows *flows;

	write_file("main.yaml", "collectors:\n  flows:\n    max_flows: 1\n    interval: 1s\n"
				"    interfaces: [a, b]\nlog.level: error\n");
	make_dropins();
	write_file("main.yaml.d/10-first.yaml",
		   "collectors: {flows: {max_flows: 10, interval: 2s}}");
	write_file("main.yaml.d/20-second.yaml",
		   "collectors: {flows: {max_flows: 20, interfaces: c}}");
	write_file("main.yaml.d/30-ignored.yml", "collectors: {flows: {max_flows: 30}}");
	write_file("main.yaml.d/.40-hidden.yaml", "not a key of ours: 1");
	config = load_with(environment);
	flows = config_get(config, &flows_group);
	assert_int_equal(flows->max_flows, 20);
	assert_int_equal(flows->interval, 9 * NSEC_PER_SEC);
	assert_int_equal(flows->interfaces.n, 1);
	assert_string_equal(flows->interfaces.values[0], "c");
	assert_int_equal(((const struct top *)config_get(config, &top_group))->level, 0);
}

static void test_empty_sections(void **state)
{
	_cleanup_(config_free_p) struct config *config = NULL;

	write_file("main.yaml", "collectors:\n  flows:\n#    max_flows: 1\nlog: {}\n");
	config = load();
	config_free(config);
	write_file("main.yaml", "# nothing but comments\n");
	config = load();
}

static void test_unknown_key(void **state)
{
	refuse("collectors:\n  flows:\n    max_flow: 1\n",
	       ":3: unknown key 'collectors.flows.max_flow'; did you mean 'max_flows'?");
	refuse("colectors: {flows: {max_flows: 1}}\n",
	       ":1: unknown key 'colectors'; did you mean 'collectors'?");
	refuse("collectors: {flow: {max_flows: 1}}\n",
	       ":1: unknown key 'collectors.flow'; did you mean 'flows'?");
	refuse("\ncolour: red\n", ":2: unknown key 'colour'; known here: collectors, log, hooks");
	refuse("hooks: {a: 1}\n", ":1: 'hooks': a value is wanted here, not a section");
	refuse("hooks.a: 1\n", ":1: unknown key 'hooks.a'; did you mean 'hooks'?");
	refuse("\"\\e[2J\\n\": 1\n",
	       ":1: unknown key '\\x1b[2J\\n'; known here: collectors, log, hooks");
}

static void test_wrong_values(void **state)
{
	refuse("collectors: {flows: {max_flows: 0}}\n",
	       ":1: 'collectors.flows.max_flows': '0' is less than 1");
	refuse("collectors:\n  flows:\n    interval: 5\n",
	       ":3: 'collectors.flows.interval': '5' is not a duration like 100ms, 5s, 10m or 24h");
	refuse("collectors:\n  flows: 5\n",
	       ":2: 'collectors.flows' is a section: keys are wanted below it");
	refuse("- a\n", ":1: keys are wanted here, as in 'log: {level: info}'");
	refuse("just text\n", ":1: keys are wanted here, as in 'log: {level: info}'");
	refuse("log: {level: inf}\n",
	       ":1: 'log.level': 'inf' is none of error, info; did you mean 'info'?");
	refuse("log: {level: info}\nlog.level: error\n",
	       ":2: 'log.level' is already set in line 1");
	refuse("log:\n  level: info\n  level: info\n",
	       ":3:3: the key 'level' is already in line 2");
	refuse("\"\\e\": 1\n\"\\e\": 2\n", ":2:1: the key '\\x1b' is already in line 1");
	write_file("main.yaml", "collectors: {flows: {max_flows: 13}}\n");
	refuse_with(NULL);
	assert_string_equal(errors.text[0], "collectors.flows: max_flows brings bad luck");
}

static void test_all_errors_are_told(void **state)
{
	const char *const environment[] = { "EBPFOBS_HOOKS=perhaps", NULL };

	write_file("main.yaml", "a1: 1\ncollectors: {flows: {max_flows: x, interval: y}}\n");
	make_dropins();
	write_file("main.yaml.d/a.yaml", "b1: 1\n");
	write_file("main.yaml.d/b.yaml", "[");
	refuse_with(environment);
	assert_int_equal(errors.n, 6);
	assert_error(0, ":1: unknown key 'a1'; known here: collectors, log, hooks");
	assert_error(1, ":2: 'collectors.flows.max_flows': 'x' is not a number");
	assert_error(3, ".d/a.yaml:1: unknown key 'b1'; known here: collectors, log, hooks");
	assert_string_equal(errors.text[5],
			    "EBPFOBS_HOOKS: 'hooks': 'perhaps' is neither true nor false");
}

static void test_errors_are_bounded(void **state)
{
	char text[4096] = "";

	for (int i = 0; i < CONFIG_ERRORS_MAX + 5; i++)
		sprintf(text + strlen(text), "key%d: 1\n", i);
	write_file("main.yaml", text);
	refuse_with(NULL);
	assert_int_equal(errors.n, CONFIG_ERRORS_MAX);
	assert_int_equal(errors.more, 5);
}

static void test_file_that_must_be_there(void **state)
{
	const struct config_source source = { groups, path, .path_required = true };
	struct config *config = NULL;

	assert_int_equal(config_load(&source, &errors, &config), -EINVAL);
	assert_error(0, ": cannot be read: No such file or directory");
	assert_int_equal(mkdir(path, 0700), 0);
	refuse_with(NULL);
	assert_error(0, ": cannot be read: Is a directory");
}

static void test_too_many_dropins(void **state)
{
	char name[64];

	make_dropins();
	for (int i = 0; i <= CONFIG_DROPINS_MAX; i++) {
		snprintf(name, sizeof(name), "main.yaml.d/%03d.yaml", i);
		write_file(name, "");
	}
	refuse_with(NULL);
	assert_error(0, ".d: 65 files, more than 64");
}

static void test_environment(void **state)
{
	const char *const good[] = { "PROFILING_LOG_LEVEL=error",
				     "EBPFOBS_COLLECTORS_FLOWS_INTERFACES=a,b",
				     "EBPFOBS_COLLECTORS_FLOWS_MAX_FLOWS=", /* as if absent */
				     "EBPFOBS_SOCKET=/run/x",
				     "EBPFOBS_PORT_80_TCP=tcp://1.2.3.4",
				     NULL };
	const char *const both[] = { "EBPFOBS_LOG_LEVEL=info", "PROFILING_LOG_LEVEL=error", NULL };
	const char *const unknown[] = { "EBPFOBS_COLLECTORS_FLOWS_MAX_FLOW=1", NULL };
	const char *const far[] = { "EBPFOBS_LOG_COLOUR_SCHEME=dark", NULL };
	const char *const wrong[] = { "PROFILING_LOG_LEVEL=loud", NULL };
	_cleanup_(config_free_p) struct config *config = load_with(good);
	const struct flows *flows = config_get(config, &flows_group);

	assert_int_equal(flows->interfaces.n, 2);
	assert_int_equal(flows->max_flows, 100);
	assert_int_equal(((const struct top *)config_get(config, &top_group))->level, 0);
	config_free(config);
	config = load_with(both);
	assert_int_equal(((const struct top *)config_get(config, &top_group))->level, 1);

	refuse_with(unknown);
	assert_string_equal(errors.text[0], "EBPFOBS_COLLECTORS_FLOWS_MAX_FLOW: no such key; "
					    "did you mean EBPFOBS_COLLECTORS_FLOWS_MAX_FLOWS");
	refuse_with(far);
	assert_string_equal(errors.text[0], "EBPFOBS_LOG_COLOUR_SCHEME: no such key");
	refuse_with(wrong);
	assert_string_equal(errors.text[0],
			    "PROFILING_LOG_LEVEL: 'log.level': 'loud' is none of error, info");
}

static void test_json_says_where_from(void **state)
{
	const char *const environment[] = { "EBPFOBS_COLLECTORS_FLOWS_SECRET=swordfish", NULL };
	_cleanup_(config_free_p) struct config *config = NULL;
	_cleanup_json_ struct json_object *o = NULL;
	char expected[1000];

	write_file("main.yaml", "collectors:\n  flows:\n    interval: 90s\n");
	config = load_with(environment);
	assert_int_equal(config_to_json(config, &o), 0);
	snprintf(expected, sizeof(expected),
		 "{\"files\":[\"%s\"],\"options\":["
		 "{\"key\":\"collectors.flows.max_flows\",\"value\":100,\"source\":\"default\"},"
		 "{\"key\":\"collectors.flows.interval\",\"value\":\"90s\",\"source\":\"%s:3\"},"
		 "{\"key\":\"collectors.flows.interfaces\",\"value\":[],\"source\":\"default\"},"
		 "{\"key\":\"collectors.flows.secret\",\"value\":\"(hidden)\","
		 "\"source\":\"EBPFOBS_COLLECTORS_FLOWS_SECRET\"},"
		 "{\"key\":\"log.level\",\"value\":\"info\",\"source\":\"default\"},"
		 "{\"key\":\"hooks\",\"value\":false,\"source\":\"default\"}]}",
		 path, path);
	assert_string_equal(json_object_to_json_string_ext(
				    o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
			    expected);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_defaults),	 TEST(test_later_wins),
		TEST(test_empty_sections),	 TEST(test_unknown_key),
		TEST(test_wrong_values),	 TEST(test_all_errors_are_told),
		TEST(test_errors_are_bounded),	 TEST(test_file_that_must_be_there),
		TEST(test_too_many_dropins),	 TEST(test_environment),
		TEST(test_json_says_where_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
