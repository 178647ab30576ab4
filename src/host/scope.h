/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the user wants to see (configuration: scope:), as the numbers that the kernel compares.
 * Values within a key OR, keys AND; a key without values lets everything through. The scope is the
 * daemon's and changes on the loop thread only; collectors borrow it and look at generation to see
 * that the numbers changed (a unit was restarted: its cgroup is another one).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/option.h"
#include "host/roots.h"

#define SCOPE_VALUES_MAX 64 /* per key */

struct work;

/* The keys below "scope" in the configuration. */
struct scope_config {
	struct option_list netns; /* path, name in /run/netns, or inode */
	struct option_list cgroup; /* v2 path; what is below it is in, too */
	struct option_list exe; /* absolute path */
	struct option_list pid;
	struct option_list unit; /* "nginx" or "nginx.service"; "user@1000.service/foo.service" */
};
extern const struct option_group scope_options;

struct scope_cgroup {
	uint64_t id; /* cgroup v2 id; 0: a unit that does not run now, nothing matches it */
	char *path; /* of the hierarchy: "/system.slice/nginx.service"; NULL with id 0 */
};

struct scope {
	unsigned generation; /* grows whenever the numbers change */
	size_t n_netns, n_cgroups, n_units, n_exes, n_pids;
	uint64_t netns[SCOPE_VALUES_MAX]; /* inodes */
	struct scope_cgroup cgroups[SCOPE_VALUES_MAX];
	struct scope_cgroup units[SCOPE_VALUES_MAX]; /* the cgroups of the units */
	char *unit_names[SCOPE_VALUES_MAX];
	char *exes[SCOPE_VALUES_MAX];
	pid_t pids[SCOPE_VALUES_MAX];
	bool refreshing; /* a job of scope_refresh() is under way */
	bool freed; /* by its owner; the job does the rest */
};

/*
 * Looks everything up now; blocks (for the start and for a reload). What does not exist is an error,
 * and error a sentence that names it; only a unit may be absent, for it may be started later.
 */
int scope_new(const struct scope_config *config, const struct host_roots *roots, char *error,
	      size_t error_size, struct scope **ret);
int scope_copy(const struct scope *scope, struct scope **ret); /* for a worker */
struct scope *scope_free(struct scope *scope); /* takes NULL */
static inline void scope_free_p(struct scope **scope)
{
	scope_free(*scope);
}

/* Looks the units up again, on a worker; generation grows if a cgroup changed. Once per step. roots
 * is borrowed until then. */
void scope_refresh(struct scope *scope, const struct host_roots *roots, struct work *work);

bool scope_is_empty(const struct scope *scope); /* NULL and no values: the whole machine */

/* What is known of a task, for scope_contains(). */
struct scope_task {
	pid_t pid;
	uint64_t netns;
	const char *cgroup; /* path of the hierarchy; NULL: not known */
	const char *exe; /* NULL: not known */
};
bool scope_contains(const struct scope *scope, const struct scope_task *task);
bool scope_has_exe(const struct scope *scope, const char *exe); /* NULL: not known */
