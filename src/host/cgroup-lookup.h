/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The worker's half of the cgroup table: reads the hierarchy and the runtimes' state. */
#pragma once

#include "host/cgroups.h"

/* A job: what goes over to the worker, and what comes back. */
struct cgroup_lookup {
	const struct host_roots *roots;
	bool walk; /* describe all cgroups, not only the asked ones */
	size_t n_asked;
	uint64_t asked[CGROUPS_ASKED_MAX];
	size_t n_settled;
	uint64_t *settled; /* ids that need no description any more, ascending */

	bool walked; /* alive is complete */
	size_t n_alive;
	uint64_t *alive; /* ids that the walk met, ascending */
	size_t n_found;
	struct cgroup **found; /* to be owned by who takes them out */
	struct cgroups_counts counts; /* to be added */
	int error;
};

/* Does it; blocks. */
void cgroup_lookup_run(struct cgroup_lookup *lookup);
struct cgroup_lookup *cgroup_lookup_free(struct cgroup_lookup *lookup); /* takes NULL */

bool cgroup_ids_contain(const uint64_t *ids, size_t n, uint64_t id); /* ascending */
void cgroup_ids_sort(uint64_t *ids, size_t n);

/* A cgroup that was looked up in vain. NULL: no memory. */
struct cgroup *cgroup_unknown(uint64_t id);
