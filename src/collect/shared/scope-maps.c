/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The gate is closed (its flags are set) before the maps are changed,
 * so that no program ever sees a wider scope than the user asked for.
 */
#include "collect/shared/scope-maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "bpf/wire/scope.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	while (n && top[n - 1] == '/')
		n--;
	return strncmp(path, top, n) == 0 && (path[n] == 0 || path[n] == '/');
}

static bool in_any(const struct scope *scope, const char *path)
{
	if (scope->n_cgroups == 0)
		return true;
	for (size_t i = 0; i < scope->n_cgroups; i++)
		if (scope->cgroups[i].path && is_below(path, scope->cgroups[i].path))
			return true;
	return false;
}

bool scope_wants_cgroups(const struct scope *scope)
{
	return scope && (scope->n_cgroups > 0 || scope->n_units > 0);
}

void scope_cgroups_in_force(const struct scope *scope,
			    const struct scope_cgroup *ret[static SCOPE_VALUES_MAX], size_t *n)
{
	*n = 0;
	if (!scope)
		return;
	for (size_t i = 0; i < scope->n_units; i++)
		if (scope->units[i].id && in_any(scope, scope->units[i].path))
			ret[(*n)++] = &scope->units[i];
	if (scope->n_units == 0)
		for (size_t i = 0; i < scope->n_cgroups; i++)
			ret[(*n)++] = &scope->cgroups[i];
}

static int clear(int fd)
{
	uint64_t key;

	while (bpf_map_get_next_key(fd, NULL, &key) == 0)
		if (bpf_map_delete_elem(fd, &key) < 0)
			return -errno;
	return 0;
}

static int add(int fd, uint64_t key)
{
	uint8_t one = 1;

	return bpf_map_update_elem(fd, &key, &one, BPF_ANY) < 0 ? -errno : 0;
}

/* Adds what is in scope to the three maps. */
static int fill(const struct bpf_env *env, const struct scope *scope)
{
	const struct scope_cgroup *cgroups[SCOPE_VALUES_MAX];
	int r = 0;
	size_t n;

	scope_cgroups_in_force(scope, cgroups, &n);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = add(bpf_env_map(env, "scope_cgroups"), cgroups[i]->id);
	for (size_t i = 0; i < scope->n_netns && r >= 0; i++)
		r = add(bpf_env_map(env, "scope_netns"), scope->netns[i]);
	for (size_t i = 0; i < scope->n_pids && r >= 0; i++)
		r = add(bpf_env_map(env, "scope_pids"), scope->pids[i]);
	return r;
}

bool netns_cookies_exist(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie;

	return netns_cookie(fd, &cookie) == 0;
}

int netns_cookie(int socket_fd, uint64_t *ret)
{
	socklen_t size = sizeof(*ret);

	return getsockopt(socket_fd, SOL_SOCKET, SO_NETNS_COOKIE, ret, &size) < 0 ? -errno : 0;
}

int scope_maps_fill(const struct bpf_env *env, const struct scope *scope)
{
	struct wire_scope gate = {};
	uint32_t zero = 0;
	int r;

	if (scope) {
		gate.cgroup = scope_wants_cgroups(scope);
		gate.netns = scope->n_netns > 0;
		gate.pid = scope->n_pids > 0;
		gate.netns_cookie = gate.netns && netns_cookies_exist();
	}
	/* The gate closes before the maps are touched. */
	if (bpf_map_update_elem(bpf_env_map(env, "scope"), &zero, &gate, BPF_ANY) < 0)
		return -errno;
	r = clear(bpf_env_map(env, "scope_cgroups"));
	if (r >= 0)
		r = clear(bpf_env_map(env, "scope_netns"));
	if (r >= 0)
		r = clear(bpf_env_map(env, "scope_pids"));
	return r < 0 || !scope ? r : fill(env, scope);
}
