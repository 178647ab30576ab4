/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The cgroup v2 hierarchy as a file system: from ids to paths and back. All of it blocks, so it
 * belongs to a worker. Paths begin at the top of the hierarchy ("/system.slice/nginx.service"), as
 * far as it is mounted here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "host/roots.h"

#define CGROUP_WALK_MAX 65536 /* directories that one walk looks at */
#define CGROUP_DEPTH_MAX 64

struct cgroup_tree {
	int fd; /* where it is mounted */
	char *mount;
	char *root; /* the cgroup that is mounted, as /proc/self/cgroup counts; "/": all of it */
	bool by_handle; /* ids can be opened; CAP_DAC_READ_SEARCH and the kernel's own cgroupfs */
};

/* -ENOENT: there is no cgroup v2 here. */
int cgroup_tree_open(const struct host_roots *roots, struct cgroup_tree *ret);
void cgroup_tree_done(struct cgroup_tree *tree);

/* Turns what /proc/PID/cgroup says (seen from our cgroup namespace) into a path of the hierarchy.
 * -ENOENT: that cgroup is not below what is mounted here. ret is the caller's to free. */
int cgroup_tree_from_proc(const struct cgroup_tree *tree, const char *proc_path, char **ret);

/* Turns what a user wrote (also a path of the file system, below the mount) into a path of the
 * hierarchy. -ENOENT: not below the mount. ret is the caller's to free. */
int cgroup_tree_from_user(const struct cgroup_tree *tree, const char *text, char **ret);

/* The id of the cgroup at path. */
int cgroup_tree_id(const struct cgroup_tree *tree, const char *path, uint64_t *ret);

/* The path of a cgroup; the caller frees it. -ENOENT: gone, or not below the mount. Without
 * tree->by_handle it is -EOPNOTSUPP: walk instead. */
int cgroup_tree_path(const struct cgroup_tree *tree, uint64_t id, char **ret);

/* Whether path is the cgroup above or one below it. */
bool cgroup_path_below(const char *path, const char *above);

/* Calls fn for each cgroup, parents first. fn ends the walk by not returning 0; that is returned
 * then. -E2BIG: there were more than CGROUP_WALK_MAX, or deeper ones than CGROUP_DEPTH_MAX. */
int cgroup_tree_walk(const struct cgroup_tree *tree,
		     int (*fn)(void *userdata, uint64_t id, const char *path), void *userdata);

#define CGROUP_TREE_NONE ((struct cgroup_tree){ .fd = -EBADF })
#define _cleanup_cgroup_tree_ _cleanup_(cgroup_tree_done)
