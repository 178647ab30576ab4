/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the configuration share: a configuration that is being filled. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/option.h"
#include "daemon/config.h"

#define CONFIG_KEY_MAX 256 /* "collectors.flows.max_flows", NUL included */

/* Where a value came from. */
struct config_origin {
	char *text; /* "FILE:LINE" or a variable's name; NULL: the default */
	unsigned file; /* 1 for the first file, ...; 0: no file */
	unsigned line;
};

struct config_section {
	const struct option_group *group;
	void *values;
	struct config_origin *origins; /* one per option */
};

struct config {
	size_t n_sections;
	struct config_section *sections;
	size_t n_files;
	char *files[1 + CONFIG_DROPINS_MAX];
};

/* One value on its way into the configuration. */
struct config_slot {
	const struct option *option;
	void *values;
	struct config_origin *origin;
};

/* "collectors.flows" and "max_flows" make "collectors.flows.max_flows". */
void config_key(const char *prefix, const char *key, char buf[static CONFIG_KEY_MAX]);

/* Finds the option called key; false if there is none. */
bool config_find(const struct config *config, const char *key, struct config_slot *ret);

/* Calls fn for every option, until it returns false. */
void config_each(const struct config *config,
		 bool (*fn)(void *userdata, const char *key, const struct config_slot *slot),
		 void *userdata);

/* Adds a sentence; what does not fit is counted. */
void config_error(struct config_errors *errors, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* These set values; what is wrong goes to errors, and only -ENOMEM is returned. */
/* path and its drop-ins. */
int config_apply_files(struct config *config, const char *path, bool required,
		       struct config_errors *errors);
/* The text of one file, called name in errors and origins. */
int config_apply_text(struct config *config, const char *name, const char *text, size_t size,
		      struct config_errors *errors);
int config_apply_environment(struct config *config, const char *const *environment,
			     struct config_errors *errors);
