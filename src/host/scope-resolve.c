/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From what the user wrote to numbers. Each key has one function that resolves one value, or says
 * in a sentence why it cannot. Units are looked up again in every step: systemd gives a unit that
 * is started again a new cgroup.
 */
#include <ctype.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "base/work.h"
#include "host/cgroup-class.h"
#include "host/cgroup-tree.h"
#include "host/scope.h"

/* --- one value ----------------------------------------------------------------------------- */

struct resolver {
	const struct host_roots *roots;
	struct cgroup_tree tree;
	struct scope *scope;
	char *error;
	size_t error_size;
};

static int fail(struct resolver *v, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct resolver *v, int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(v->error, v->error_size, format, args);
	va_end(args);
	return r;
}

static bool parse_number(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return !*end && !errno && *ret > 0 && *ret <= max;
}

static int resolve_netns(struct resolver *v, const char *text)
{
	uint64_t *inode = &v->scope->netns[v->scope->n_netns];
	char path[PATH_MAX];
	struct statfs fs;
	struct stat st;

	if (!parse_number(text, UINT64_MAX, inode)) {
		snprintf(path, sizeof(path), "%s%s", *text == '/' ? "" : "/run/netns/", text);
		if (stat(path, &st) < 0 || statfs(path, &fs) < 0)
			return fail(v, -errno, "scope.netns: cannot find the namespace %s: %s",
				    path, strerror(errno));
		if (fs.f_type != NSFS_MAGIC)
			return fail(v, -EINVAL, "scope.netns: %s is not a network namespace", path);
		*inode = st.st_ino;
	}
	v->scope->n_netns++;
	return 0;
}

static int resolve_cgroup(struct resolver *v, const char *text)
{
	struct scope_cgroup *cgroup = &v->scope->cgroups[v->scope->n_cgroups];
	_cleanup_free_ char *path = NULL;
	int r;

	if (v->tree.fd < 0)
		return fail(v, -ENOENT, "scope.cgroup: no cgroup v2 hierarchy is mounted here");
	r = cgroup_tree_from_user(&v->tree, text, &path);
	if (r == 0)
		r = cgroup_tree_id(&v->tree, path, &cgroup->id);
	if (r < 0)
		return fail(v, r, "scope.cgroup: there is no cgroup %s below %s: %s", text,
			    v->tree.mount, strerror(-r));
	cgroup->path = TAKE(path);
	v->scope->n_cgroups++;
	return 0;
}

static int resolve_exe(struct resolver *v, const char *text)
{
	char *path;

	if (*text != '/')
		return fail(v, -EINVAL, "scope.exe: %s is not an absolute path", text);
	/* What /proc/PID/exe will say: without symbolic links. */
	path = realpath(text, NULL);
	if (!path)
		return fail(v, -errno, "scope.exe: cannot find %s: %s", text, strerror(errno));
	v->scope->exes[v->scope->n_exes++] = path;
	return 0;
}

static int resolve_pid(struct resolver *v, const char *text)
{
	char path[PATH_MAX];
	struct stat st;
	uint64_t pid;

	if (!parse_number(text, INT_MAX, &pid))
		return fail(v, -EINVAL, "scope.pid: %s is not a process id", text);
	snprintf(path, sizeof(path), "%s/%d", v->roots->proc, (int)pid);
	if (stat(path, &st) < 0)
		return fail(v, -ESRCH, "scope.pid: there is no process %s", text);
	v->scope->pids[v->scope->n_pids++] = (pid_t)pid;
	return 0;
}

/* "nginx" is nginx.service, as for systemctl(1). */
static int resolve_unit(struct resolver *v, const char *text)
{
	char *name;

	if (!*text)
		return fail(v, -EINVAL, "scope.unit: the name of a unit is empty");
	if (asprintf(&name, "%s%s", text, strchr(text, '.') ? "" : ".service") < 0)
		return -ENOMEM;
	v->scope->unit_names[v->scope->n_units++] = name;
	return 0;
}

static int resolve_list(struct resolver *v, const char *key, const struct option_list *list,
			int (*resolve)(struct resolver *v, const char *text))
{
	int r = 0;

	if (list->n > SCOPE_VALUES_MAX)
		return fail(v, -E2BIG, "scope.%s: more than %d values", key, SCOPE_VALUES_MAX);
	for (size_t i = 0; r == 0 && i < list->n; i++)
		r = resolve(v, list->values[i]);
	return r;
}

/* --- units --------------------------------------------------------------------------------- */

struct unit_search {
	size_t n, missing;
	char *const *names;
	struct scope_cgroup *found;
};

/* The cgroup of a unit is the topmost one that is called so: what is below was made by the unit. */
static int find_unit(void *userdata, uint64_t id, const char *path)
{
	struct unit_search *search = userdata;
	struct cgroup_class class;

	cgroup_classify(path, &class);
	if (class.kind != WORKLOAD_UNIT)
		return 0;
	for (size_t i = 0; i < search->n; i++) {
		if (search->found[i].id || !streq(search->names[i], class.id))
			continue;
		search->found[i] = (struct scope_cgroup){ id, strdup(path) };
		if (!search->found[i].path)
			return -ENOMEM;
		search->missing--;
	}
	return search->missing == 0;
}

/* Forgets the cgroups that are gone or were replaced, and looks for all that are missing. */
static void find_units(const struct cgroup_tree *tree, size_t n, char *const *names,
		       struct scope_cgroup *units)
{
	struct unit_search search = { .n = n, .names = names, .found = units };
	uint64_t id;

	for (size_t i = 0; i < n; i++) {
		if (units[i].id && cgroup_tree_id(tree, units[i].path, &id) == 0 &&
		    id == units[i].id)
			continue;
		free(units[i].path);
		units[i] = (struct scope_cgroup){ 0 };
		search.missing++;
	}
	/* Without memory or with a tree that is too big some stay missing until the next time. */
	if (search.missing)
		cgroup_tree_walk(tree, find_unit, &search);
}

/* --- the whole ----------------------------------------------------------------------------- */

int scope_new(const struct scope_config *config, const struct host_roots *roots, char *error,
	      size_t error_size, struct scope **ret)
{
	_cleanup_(scope_free_p) struct scope *scope = calloc(1, sizeof(*scope));
	struct resolver v = { roots, CGROUP_TREE_NONE, scope, error, error_size };
	int r;

	if (!scope)
		return -ENOMEM;
	r = cgroup_tree_open(roots, &v.tree);
	if (r < 0 && r != -ENOENT)
		return fail(&v, r, "scope: cannot read the cgroup hierarchy: %s", strerror(-r));
	r = resolve_list(&v, "netns", &config->netns, resolve_netns) ?:
	    resolve_list(&v, "cgroup", &config->cgroup, resolve_cgroup) ?:
	    resolve_list(&v, "exe", &config->exe, resolve_exe) ?:
	    resolve_list(&v, "pid", &config->pid, resolve_pid) ?:
	    resolve_list(&v, "unit", &config->unit, resolve_unit);
	if (r == 0 && v.tree.fd >= 0)
		find_units(&v.tree, scope->n_units, scope->unit_names, scope->units);
	cgroup_tree_done(&v.tree);
	if (r < 0)
		return r;
	*ret = TAKE(scope);
	return 0;
}

/* --- refresh ------------------------------------------------------------------------------- */

struct refresh {
	const struct host_roots *roots;
	struct scope *scope; /* the loop's */
	struct scope *copy; /* the worker's */
};

static void refresh_job(void *arg)
{
	struct refresh *refresh = arg;
	struct cgroup_tree tree;

	if (cgroup_tree_open(refresh->roots, &tree) < 0)
		return;
	find_units(&tree, refresh->copy->n_units, refresh->copy->unit_names, refresh->copy->units);
	cgroup_tree_done(&tree);
}

static void refresh_done(void *arg)
{
	struct refresh *refresh = arg;
	struct scope *scope = refresh->scope, *copy = refresh->copy;
	bool changed = false;

	for (size_t i = 0; i < scope->n_units; i++) {
		struct scope_cgroup before = scope->units[i];

		changed |= before.id != copy->units[i].id;
		scope->units[i] = copy->units[i];
		copy->units[i] = before;
	}
	scope->generation += changed;
	scope->refreshing = false;
	if (scope->freed)
		scope_free(scope);
	scope_free(copy);
	free(refresh);
}

void scope_refresh(struct scope *scope, const struct host_roots *roots, struct work *work)
{
	struct refresh *refresh;

	if (scope->n_units == 0 || scope->refreshing)
		return;
	refresh = calloc(1, sizeof(*refresh));
	if (!refresh)
		return;
	*refresh = (struct refresh){ .roots = roots, .scope = scope };
	if (scope_copy(scope, &refresh->copy) < 0 ||
	    work_run(work, WORK_LANE_FILES, refresh_job, refresh_done, refresh) < 0) {
		/* The next step tries again. */
		scope_free(refresh->copy);
		free(refresh);
		return;
	}
	scope->refreshing = true;
}
