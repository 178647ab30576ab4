/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scope as an object, and the question whether a task is in it; scope-resolve.c makes one. */
#include "host/scope.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "host/cgroup-tree.h"

static const struct option options[] = {
	{ "netns", OPTION_LIST, offsetof(struct scope_config, netns), 0, 0, NULL, "",
	  "network namespaces: path, name or inode" },
	{ "cgroup", OPTION_LIST, offsetof(struct scope_config, cgroup), 0, 0, NULL, "",
	  "cgroup v2 paths and what is below them" },
	{ "exe", OPTION_LIST, offsetof(struct scope_config, exe), 0, 0, NULL, "",
	  "absolute paths of executables" },
	{ "pid", OPTION_LIST, offsetof(struct scope_config, pid), 0, 0, NULL, "", "processes" },
	{ "unit", OPTION_LIST, offsetof(struct scope_config, unit), 0, 0, NULL, "",
	  "systemd units; user@UID.service/NAME for those of users" },
	{ 0 },
};

const struct option_group scope_options = {
	.prefix = "scope",
	.size = sizeof(struct scope_config),
	.options = options,
};

static void free_strings(size_t n, char **strings)
{
	for (size_t i = 0; i < n; i++)
		free(strings[i]);
}

static void free_cgroups(size_t n, struct scope_cgroup *cgroups)
{
	for (size_t i = 0; i < n; i++)
		free(cgroups[i].path);
}

struct scope *scope_free(struct scope *scope)
{
	if (!scope)
		return NULL;
	if (scope->refreshing) {
		scope->freed = true;
		return NULL;
	}
	free_strings(scope->n_exes, scope->exes);
	free_strings(scope->n_units, scope->unit_names);
	free_cgroups(scope->n_cgroups, scope->cgroups);
	free_cgroups(scope->n_units, scope->units);
	free(scope);
	return NULL;
}

static int copy_strings(size_t n, char **to)
{
	bool complete = true;

	for (size_t i = 0; i < n; i++) {
		to[i] = strdup(to[i]);
		complete &= to[i] != NULL;
	}
	return complete ? 0 : -ENOMEM;
}

static int copy_paths(size_t n, struct scope_cgroup *to)
{
	bool complete = true;

	for (size_t i = 0; i < n; i++) {
		to[i].path = to[i].path ? strdup(to[i].path) : NULL;
		complete &= to[i].path || !to[i].id;
	}
	return complete ? 0 : -ENOMEM;
}

int scope_copy(const struct scope *scope, struct scope **ret)
{
	_cleanup_(scope_free_p) struct scope *copy = malloc(sizeof(*copy));
	int r;

	if (!copy)
		return -ENOMEM;
	*copy = *scope;
	copy->refreshing = copy->freed = false;
	/* All of them, also after a failure: none may stay the original's. */
	r = copy_strings(copy->n_exes, copy->exes);
	r = copy_strings(copy->n_units, copy->unit_names) ?: r;
	r = copy_paths(copy->n_cgroups, copy->cgroups) ?: r;
	r = copy_paths(copy->n_units, copy->units) ?: r;
	if (r < 0)
		return r;
	*ret = TAKE(copy);
	return 0;
}

bool scope_is_empty(const struct scope *scope)
{
	return !scope || (!scope->n_netns && !scope->n_cgroups && !scope->n_units &&
			  !scope->n_exes && !scope->n_pids);
}

static bool in_cgroups(size_t n, const struct scope_cgroup *cgroups, const char *path)
{
	for (size_t i = 0; path && i < n; i++)
		if (cgroups[i].id && cgroup_path_below(path, cgroups[i].path))
			return true;
	return n == 0;
}

bool scope_has_exe(const struct scope *scope, const char *exe)
{
	for (size_t i = 0; exe && i < scope->n_exes; i++)
		if (streq(scope->exes[i], exe))
			return true;
	return scope->n_exes == 0;
}

static bool in_netns(const struct scope *scope, uint64_t inode)
{
	for (size_t i = 0; i < scope->n_netns; i++)
		if (scope->netns[i] == inode)
			return true;
	return scope->n_netns == 0;
}

static bool in_pids(const struct scope *scope, pid_t pid)
{
	for (size_t i = 0; i < scope->n_pids; i++)
		if (scope->pids[i] == pid)
			return true;
	return scope->n_pids == 0;
}

bool scope_contains(const struct scope *scope, const struct scope_task *task)
{
	if (scope_is_empty(scope))
		return true;
	return in_pids(scope, task->pid) && in_netns(scope, task->netns) &&
	       in_cgroups(scope->n_cgroups, scope->cgroups, task->cgroup) &&
	       in_cgroups(scope->n_units, scope->units, task->cgroup) &&
	       scope_has_exe(scope, task->exe);
}
