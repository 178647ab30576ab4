/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The input is a configuration file and, after a NUL byte, environment variables, each ended by
 * one more. It goes through the front door: from a file in memory to a struct config and JSON. The
 * groups have one key of each type, whatever collectors this build has.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json.h"
#include "base/util.h"
#include "daemon/config.h"

#define VARIABLES_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct flows {
	bool enabled;
	int64_t max_flows;
	double ratio;
	uint64_t size, interval;
	char *name, *secret;
	int attach;
	struct option_list interfaces;
	uint32_t protocols;
};

static const char *const rungs[] = { "auto", "tcx", "tc", NULL };
static const char *const protocols[] = { "tcp", "udp", "sctp", "icmp", NULL };

#define FIELD(name_) offsetof(struct flows, name_)
static const struct option_group flows_group = {
	.prefix = "collectors.flows",
	.size = sizeof(struct flows),
	.options =
		(const struct option[]){
			{ "enabled", OPTION_BOOL, FIELD(enabled), .value = "true" },
			{ "max_flows", OPTION_INT, FIELD(max_flows), 1, 1000, .value = "100" },
			{ "sampling.ratio", OPTION_RATIO, FIELD(ratio), .value = "1" },
			{ "max_size", OPTION_BYTES, FIELD(size), 4096, .value = "64M" },
			{ "interval", OPTION_DURATION, FIELD(interval), .value = "5s" },
			{ "name", OPTION_STRING, FIELD(name) },
			{ "secret", OPTION_SECRET, FIELD(secret) },
			{ "attach", OPTION_ENUM, FIELD(attach), .choices = rungs, .value = "auto" },
			{ "interfaces", OPTION_LIST, FIELD(interfaces) },
			{ "protocols", OPTION_ENUM_LIST, FIELD(protocols), .choices = protocols },
			{ NULL },
		},
};

struct top {
	int hooks;
	char *level;
};
static const struct option_group top_group = {
	.prefix = "",
	.size = sizeof(struct top),
	.options =
		(const struct option[]){
			{ "hooks", OPTION_ENUM, offsetof(struct top, hooks), .choices = rungs,
			  .value = "auto" },
			{ "log.level", OPTION_STRING, offsetof(struct top, level),
			  .value = "info" },
			{ NULL },
		},
};
static const struct option_group *const groups[] = { &flows_group, &top_group, NULL };

/* What is behind the first NUL, cut into strings; text ends with NUL. */
static void split_environment(const char *text, size_t size, const char **ret)
{
	const char *p = text + strlen(text) + 1;
	size_t n = 0;

	for (; n < VARIABLES_MAX && p < text + size; p += strlen(p) + 1)
		ret[n++] = p;
	ret[n] = NULL;
}

/* What was taken must be printable, and within its limits. */
static void check_config(const struct config *config)
{
	const struct flows *flows = config_get(config, &flows_group);
	_cleanup_json_ struct json_object *o = NULL;

	assert(flows->max_flows >= 1 && flows->max_flows <= 1000);
	assert(flows->ratio >= 0 && flows->ratio <= 1);
	assert(flows->size >= 4096);
	assert(flows->interfaces.n <= OPTION_LIST_MAX);
	assert(config_to_json(config, &o) == 0);
	json_object_to_json_string(o);
}

/* Errors go to logs and terminals. */
static void check_errors(const struct config_errors *errors)
{
	assert(errors->n > 0 && errors->n <= CONFIG_ERRORS_MAX);
	for (size_t i = 0; i < errors->n; i++)
		assert(*errors->text[i] && strlen(errors->text[i]) < CONFIG_ERROR_LEN &&
		       !strpbrk(errors->text[i], "\n\033"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config_errors errors;
	static int file = -1;
	static char path[32];
	const char *environment[VARIABLES_MAX + 1];
	_cleanup_(config_free_p) struct config *config = NULL;
	_cleanup_free_ char *text = calloc(1, size + 1);
	const struct config_source source = { groups, path, true, environment };
	int r;

	if (file < 0) {
		file = memfd_create("config", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	}
	assert(text && file >= 0);
	memcpy(text, data, size);
	split_environment(text, size, environment);
	assert(ftruncate(file, 0) == 0);
	assert(pwrite(file, text, strlen(text), 0) == (ssize_t)strlen(text));

	r = config_load(&source, &errors, &config);
	if (r == 0)
		check_config(config);
	else
		check_errors(&errors);
	return 0;
}
