/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's own keys, and the list of all groups. A collector, exporter or room that declares an
 * option_group needs nothing here but (for a room) one line in rooms[].
 */
#include "daemon/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/util.h"
#include "collect/collect.h"
#include "export/export.h"
#include "host/scope.h"
#include "store/store.h"

#define GIB (INT64_C(1) << 30)
#define MIB (INT64_C(1) << 20)

const char *const hook_names[] = { "auto",     "fentry",  "kprobe",	"sock_length",
				   "sys_exit", "syscall", "tracepoint", NULL };
static const struct option hooks_keys[] = {
	{ "hooks", OPTION_ENUM, offsetof(struct hooks_options, hooks), .choices = hook_names,
	  .value = "auto",
	  .help = "kind of kernel hook; auto takes the cheapest that the kernel grants" },
	{ NULL },
};
const struct option_group hooks_options = {
	.prefix = "",
	.size = sizeof(struct hooks_options),
	.options = hooks_keys,
};

static const char *const level_names[] = { "error", "warning", "notice", "info", "debug", NULL };
static const char *const format_names[] = {
	[LOG_FORMAT_AUTO] = "auto",
	[LOG_FORMAT_JOURNAL] = "journal",
	[LOG_FORMAT_TEXT] = "text",
	[LOG_FORMAT_JSON] = "json",
	NULL,
};
static const struct option log_keys[] = {
	{ "level", OPTION_ENUM, offsetof(struct log_options, level), .choices = level_names,
	  .value = "info", .help = "the least important messages that are written" },
	{ "format", OPTION_ENUM, offsetof(struct log_options, format), .choices = format_names,
	  .value = "auto",
	  .help = "auto: the journal under systemd, text on a terminal, json elsewhere" },
	{ NULL },
};
const struct option_group log_options = {
	.prefix = "log",
	.size = sizeof(struct log_options),
	.options = log_keys,
};

int log_options_level(const struct log_options *options)
{
	return LOG_ERR + options->level;
}

static const struct option memory_keys[] = {
	{ "limit", OPTION_BYTES, offsetof(struct memory_options, limit), .min = 16 * MIB,
	  .max = 1024 * GIB, .value = "64M",
	  .help = "anonymous memory and BPF maps together; near it tables take no new rows" },
	{ NULL },
};
const struct option_group memory_options = {
	.prefix = "memory",
	.size = sizeof(struct memory_options),
	.options = memory_keys,
};

static const struct option collector_keys[] = {
	{ "enabled", OPTION_BOOL, offsetof(struct collector_options, enabled), .value = "true",
	  .help = "run this collector" },
	{ NULL },
};
static const struct option opt_in_keys[] = {
	{ "enabled", OPTION_BOOL, offsetof(struct collector_options, enabled), .value = "false",
	  .help = "run this collector" },
	{ NULL },
};

static const struct option_group *const rooms[] = {
	&scope_options, &hooks_options, &store_options_group, &log_options, &memory_options,
};

struct option_registry *option_registry_free(struct option_registry *registry)
{
	if (!registry)
		return NULL;
	for (size_t i = 0; i < registry->n_collectors; i++)
		free((char *)registry->collectors[i].prefix);
	free(registry->collectors);
	free(registry->groups);
	free(registry);
	return NULL;
}

static int add_collector(struct option_registry *registry, const struct collect_ops *ops,
			 size_t *n_groups)
{
	struct option_group *group = &registry->collectors[registry->n_collectors];
	char *prefix;

	if (asprintf(&prefix, "collectors.%s", ops->name) < 0)
		return -ENOMEM;
	*group = (struct option_group){
		.prefix = prefix,
		.size = sizeof(struct collector_options),
		.options = ops->opt_in ? opt_in_keys : collector_keys,
	};
	registry->n_collectors++;
	registry->groups[(*n_groups)++] = group;
	if (ops->options)
		registry->groups[(*n_groups)++] = ops->options;
	return 0;
}

int option_registry_new(struct option_registry **ret)
{
	_cleanup_(option_registry_free_p) struct option_registry *registry = NULL;
	size_t n_collectors = 0, n_exporters = 0, n = 0;

	while (collect_registry[n_collectors])
		n_collectors++;
	while (export_registry[n_exporters])
		n_exporters++;
	registry = calloc(1, sizeof(*registry));
	if (!registry)
		return -ENOMEM;
	registry->collectors = calloc(n_collectors + 1, sizeof(*registry->collectors));
	registry->groups = calloc(ARRAY_SIZE(rooms) + 2 * n_collectors + n_exporters + 1,
				  sizeof(*registry->groups));
	if (!registry->collectors || !registry->groups)
		return -ENOMEM;

	for (size_t i = 0; i < ARRAY_SIZE(rooms); i++)
		registry->groups[n++] = rooms[i];
	for (size_t i = 0; i < n_collectors; i++)
		if (add_collector(registry, collect_registry[i], &n) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < n_exporters; i++)
		if (export_registry[i]->options)
			registry->groups[n++] = export_registry[i]->options;
	*ret = TAKE(registry);
	return 0;
}
