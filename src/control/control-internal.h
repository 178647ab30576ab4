/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the control room share. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/varlink.h"
#include "control/control.h"

struct control {
	struct varlink_server *server;
	struct store *store;
	const struct control_ops *ops;
	void *userdata; /* of ops */
	char *path; /* of a socket that we made; NULL: it was given to us */
	bool has_group;
	gid_t group; /* "ebpfobs" */
	unsigned n_queries; /* that run now */
	uint64_t queries_refused; /* the store, or STORE_QUERIES_MAX, had no room for them */
};

/* One per interface, in a file of its own. */
extern const struct varlink_interface control_daemon_interface, control_flows_interface,
	control_profile_interface;

static inline struct control *control_of(const struct varlink_call *call)
{
	return varlink_call_userdata(call);
}

/*
 * socket.c: makes a listening socket at path, mode 0660, of the group if there is one; a stale
 * socket file is replaced. -EADDRINUSE: a daemon answers there; -EEXIST: it is another kind of file.
 */
int control_socket_listen(const char *path, const gid_t *group, int *ret_fd);

/*
 * cgroup.c: adds the ids of the cgroup path and of all below it to the filter. path is relative to
 * the cgroup v2 mount, or begins with it. -ENOENT, -ENOTDIR; -E2BIG: more than FILTER_VALUES_MAX.
 */
struct filter;
int control_add_cgroup(struct filter *filter, const char *path);
