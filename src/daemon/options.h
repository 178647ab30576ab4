/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every key of the configuration that this build knows: those that the collectors, exporters and
 * the store declare, "enabled" of each collector, and the daemon's own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/option.h"

struct hooks_options { /* top level */
	int hooks; /* index into hook_names */
};
/* "auto" and the rungs of the hook ladder, cheapest first; NULL-terminated. */
extern const char *const hook_names[];
extern const struct option_group hooks_options;

struct log_options { /* log */
	int level; /* index into the level names; log_options_level() makes it syslog's */
	int format; /* enum log_format */
};
extern const struct option_group log_options;
int log_options_level(const struct log_options *options);

struct memory_options { /* memory */
	uint64_t limit; /* bytes, of anon_bytes + bpf_bytes */
};
extern const struct option_group memory_options;

/* The key that each collector has beside its own. */
struct collector_options { /* collectors.NAME */
	bool enabled;
};

struct option_registry {
	const struct option_group **groups; /* NULL-terminated */
	/* One per collector, in the order of collect_registry; they are among groups, too. */
	struct option_group *collectors;
	size_t n_collectors;
};

/* Gathers the groups of the registries. -ENOMEM. */
int option_registry_new(struct option_registry **ret);
struct option_registry *option_registry_free(struct option_registry *registry); /* takes NULL */

static inline void option_registry_free_p(struct option_registry **registry)
{
	option_registry_free(*registry);
}
