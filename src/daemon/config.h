/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration: defaults, then the file, then its drop-ins, then the environment; what comes
 * later wins, key by key (lists are replaced, not joined). A struct config never changes. To reload
 * is to load a new one and to drop the old one: either all of it is right or nothing of it is used.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/option.h"

struct config;
struct json_object;

#define CONFIG_DROPINS_MAX 64 /* files in FILE.d */
#define CONFIG_ERRORS_MAX 32 /* that are told; the others are counted */
#define CONFIG_ERROR_LEN 400

/* What was wrong, a sentence each: "/etc/ebpfobs/ebpfobsd.yaml:12: unknown key ...". */
struct config_errors {
	size_t n;
	size_t more; /* errors that found no room */
	char text[CONFIG_ERRORS_MAX][CONFIG_ERROR_LEN];
};

struct config_source {
	const struct option_group *const *groups; /* NULL-terminated; must outlive the config */
	/* The file; its drop-ins are PATH.d/[!.]*.yaml, in the order of their names. NULL: none. */
	const char *path;
	bool path_required; /* it was asked for by name, so that it must be there */
	const char *const *environment; /* "NAME=value", NULL-terminated; may be NULL */
};

/* errors is filled from the start. -EINVAL: it has at least one; -ENOMEM: no memory for the rest. */
int config_load(const struct config_source *source, struct config_errors *errors,
		struct config **ret);
struct config *config_free(struct config *config); /* takes NULL, returns NULL */

/* The struct that holds the values of group, which must be one of the source's. */
const void *config_get(const struct config *config, const struct option_group *group);

/*
 * {"files": [path, ...], "options": [{"key", "value", "source"}, ...]}: source is "default",
 * "FILE:LINE" or the name of the environment variable. Secrets are "(hidden)". -ENOMEM.
 */
int config_to_json(const struct config *config, struct json_object **ret);

static inline void config_free_p(struct config **config)
{
	config_free(*config);
}
