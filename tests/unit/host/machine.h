/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fabricated machine: a directory of its own, with a /proc and a cgroup hierarchy that are empty. */
#pragma once

#include "host/roots.h"
#include "tests/unit/host/tree.h"

struct machine {
	char *dir, *proc, *cgroup;
	struct host_roots roots;
};

static inline int machine_init(struct machine *m)
{
	void *dir;

	if (tree_setup(&dir) < 0)
		return -1;
	*m = (struct machine){ .dir = dir,
			       .proc = tree_path(dir, "proc"),
			       .cgroup = tree_path(dir, "cgroup") };
	m->roots = (struct host_roots){ .proc = m->proc, .cgroup = m->cgroup, .files = dir };
	tree_mkdir(dir, "proc");
	tree_mkdir(dir, "cgroup");
	return 0;
}

static inline int machine_done(struct machine *m)
{
	void *dir = m->dir;

	free(m->proc);
	free(m->cgroup);
	return dir ? tree_teardown(&dir) : 0;
}
