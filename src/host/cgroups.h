/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The cgroup table: from ids to paths and workloads. Filled by walks over the hierarchy (one at the
 * start, then every CGROUPS_WALK_NS) and by looking up the ids that somebody asks for in between;
 * all on a worker, one job at a time. A cgroup that is removed keeps its name as long as somebody
 * asks, and INVENTORY_LINGER_NS more. Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/roots.h"
#include "model/workload.h"

#define CGROUPS_MAX 16384
#define CGROUPS_ASKED_MAX 1024 /* unknown ids that wait for a job */
#define CGROUPS_WALK_NS UINT64_C(30000000000)
/* How long a runtime may take to write down the name of a container. */
#define CGROUPS_PATIENCE_NS UINT64_C(300000000000)

struct work;

struct cgroup {
	uint64_t id;
	enum workload_kind kind; /* WORKLOAD_NONE: its processes stand for themselves */
	bool found; /* false: looked up in vain; the strings are "" */
	bool removed;
	bool named; /* nothing better than name will come */
	uint64_t learnt_ns; /* CLOCK_BOOTTIME: the first time */
	uint64_t used_ns; /* last asked for */
	size_t bytes; /* of this block, strings included */
	const char *path, *workload_id, *name, *namespace_; /* of the workload */
	const char *container, *container_name, *image; /* "": none, not known */
	char text[];
};

struct cgroups;

int cgroups_new(struct work *work, const struct host_roots *roots, struct cgroups **ret);
struct cgroups *cgroups_free(struct cgroups *c); /* takes NULL; after work_free() */
static inline void cgroups_free_p(struct cgroups **c)
{
	cgroups_free(*c);
}

/* Looks id up now, if it is not known, because it will be asked for soon. */
void cgroups_want(struct cgroups *c, uint64_t id);

/* The cgroup with this id; NULL: not known yet, a worker is asked. Valid until control goes back to
 * the event loop. */
const struct cgroup *cgroups_get(struct cgroups *c, uint64_t id, uint64_t now_ns);

/* Walks if it is time, and forgets what is gone. */
void cgroups_expire(struct cgroups *c, uint64_t now_ns);

struct cgroups_counts {
	uint64_t full; /* cgroups that found no room in the table */
	uint64_t not_asked; /* ids beyond CGROUPS_ASKED_MAX */
	uint64_t walks_cut; /* the hierarchy was too big */
	uint64_t state_too_big; /* state files over CONTAINER_STATE_FILE_MAX */
};
const struct cgroups_counts *cgroups_counts(const struct cgroups *c);
bool cgroups_busy(const struct cgroups *c);
size_t cgroups_bytes(const struct cgroups *c);
