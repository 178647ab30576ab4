/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tells the kernel side what the user wants to see: fills the maps of bpf/lib/scope.h. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "collect/shared/bpf.h"
#include "host/scope.h"

/*
 * The cgroups that are in scope: those of the key cgroup, or of the key unit, or where both are
 * given the units that lie below one of the cgroups. Pointers into scope. *n is 0 with a scope that
 * names none: all are in it then, unless scope_wants_cgroups() says that they matter.
 */
void scope_cgroups_in_force(const struct scope *scope,
			    const struct scope_cgroup *ret[static SCOPE_VALUES_MAX], size_t *n);
bool scope_wants_cgroups(const struct scope *scope);

/* Fills the shared maps, once a skeleton has brought them, and again when scope changed. */
int scope_maps_fill(const struct bpf_env *env, const struct scope *scope);

/* The cookie of the socket's network namespace; -ENOPROTOOPT before Linux 5.14. */
int netns_cookie(int socket_fd, uint64_t *ret);
bool netns_cookies_exist(void);
