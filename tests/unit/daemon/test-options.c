/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keys of this build: whatever the collectors and exporters declare must hold together. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/util.h"
#include "collect/collect.h"
#include "daemon/config-internal.h"
#include "daemon/options.h"

#define KEYS_MAX 1024

static struct option_registry *registry;
static struct config *config;

static int setup(void **state)
{
	struct config_errors errors;
	struct config_source source = { 0 };

	if (option_registry_new(&registry) < 0)
		return -1;
	source.groups = registry->groups;
	return config_load(&source, &errors, &config);
}

static int teardown(void **state)
{
	config = config_free(config);
	registry = option_registry_free(registry);
	return 0;
}

/* As environment variables, in which a dot and an underscore are the same. */
static char seen[KEYS_MAX][CONFIG_KEY_MAX];
static size_t n_seen;

static bool check_option(void *userdata, const char *key, const struct config_slot *slot)
{
	const struct option *o = slot->option;

	assert_true(n_seen < KEYS_MAX);
	for (const char *p = key; *p; p++) {
		assert_true(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_' ||
			    *p == '.');
		seen[n_seen][p - key] = *p == '.' ? '_' : *p;
	}
	for (size_t i = 0; i < n_seen; i++)
		assert_string_not_equal(seen[i], seen[n_seen]);
	n_seen++;
	if (!o->help || !*o->help || strchr(o->help, '\n') || strlen(o->help) > 120)
		fail_msg("%s: the help is no line", key);
	assert_int_equal(o->choices != NULL, o->type == OPTION_ENUM || o->type == OPTION_ENUM_LIST);
	return true;
}

static void test_keys(void **state)
{
	config_each(config, check_option, NULL);
	assert_true(n_seen > 0);
}

static void test_every_collector_can_be_turned_off(void **state)
{
	size_t n = 0;

	for (; collect_registry[n]; n++) {
		const struct collector_options *options =
			config_get(config, &registry->collectors[n]);

		assert_non_null(options);
		assert_true(options->enabled);
	}
	assert_int_equal(registry->n_collectors, n);
}

static void test_levels(void **state)
{
	struct log_options options = { 0 };
	char error[100];

	assert_int_equal(option_set_text(&log_options.options[0], &options, "error", error,
					 sizeof(error)),
			 0);
	assert_int_equal(log_options_level(&options), LOG_ERR);
	assert_int_equal(option_set_text(&log_options.options[0], &options, "debug", error,
					 sizeof(error)),
			 0);
	assert_int_equal(log_options_level(&options), LOG_DEBUG);
	assert_int_equal(option_set_text(&log_options.options[1], &options, "json", error,
					 sizeof(error)),
			 0);
	assert_int_equal(options.format, LOG_FORMAT_JSON);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_every_collector_can_be_turned_off),
		cmocka_unit_test(test_levels),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
