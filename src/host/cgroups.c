/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One job at a time: what is asked for while it is under way goes into the next. The worker makes
 * the entries whole, the loop only puts them in place of the older ones.
 */
#include "host/cgroups.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/hashmap.h"
#include "base/util.h"
#include "base/work.h"
#include "host/cgroup-lookup.h"
#include "host/inventory.h"

struct cgroups {
	struct work *work;
	const struct host_roots *roots;
	struct hashmap *by_id; /* uint64_t -> struct cgroup * */
	struct hashmap *asked; /* ids for the next job; no values */
	bool busy;
	bool walk_due;
	uint64_t next_walk_ns;
	uint64_t now_ns; /* of the last question or step */
	size_t cgroup_bytes;
	struct cgroups_counts counts;
};

struct cgroup_job {
	struct cgroups *cgroups;
	struct cgroup_lookup *lookup;
};

struct cgroups *cgroups_free(struct cgroups *c)
{
	struct cgroup **cgroup;
	const uint64_t *id;

	if (!c)
		return NULL;
	if (c->by_id)
		HASHMAP_FOREACH(c->by_id, pos, id, cgroup)
			free(*cgroup);
	hashmap_free(c->by_id);
	hashmap_free(c->asked);
	free(c);
	return NULL;
}

/* --- jobs ---------------------------------------------------------------------------------- */

/* The ids that a walk need not describe again. */
static int list_settled(const struct cgroups *c, struct cgroup_lookup *lookup)
{
	struct cgroup **cgroup;
	const uint64_t *id;

	lookup->settled = calloc(hashmap_size(c->by_id) + 1, sizeof(*id));
	if (!lookup->settled)
		return -ENOMEM;
	HASHMAP_FOREACH(c->by_id, pos, id, cgroup)
		if ((*cgroup)->named)
			lookup->settled[lookup->n_settled++] = *id;
	cgroup_ids_sort(lookup->settled, lookup->n_settled);
	return 0;
}

static void take_asked(struct cgroups *c, struct cgroup_lookup *lookup)
{
	const uint64_t *id;
	void *value;

	HASHMAP_FOREACH(c->asked, pos, id, value)
		lookup->asked[lookup->n_asked++] = *id;
	hashmap_clear(c->asked);
}

static void job_run(void *arg)
{
	struct cgroup_job *job = arg;

	cgroup_lookup_run(job->lookup);
}

static void mark_removed(struct cgroups *c, const struct cgroup_lookup *lookup)
{
	struct cgroup **cgroup;
	const uint64_t *id;

	if (!lookup->walked)
		return;
	HASHMAP_FOREACH(c->by_id, pos, id, cgroup) {
		bool alive = cgroup_ids_contain(lookup->alive, lookup->n_alive, *id);

		if (!alive && !(*cgroup)->removed && (*cgroup)->found)
			(*cgroup)->used_ns = c->now_ns; /* the linger begins */
		(*cgroup)->removed = !alive;
	}
}

/* Puts an entry into the table, which owns it then; the times of the older one are kept. */
static void replace(struct cgroups *c, struct cgroup *cgroup)
{
	uint64_t now = c->now_ns;
	struct cgroup **slot;
	bool new = false;

	slot = hashmap_put(c->by_id, &cgroup->id, &new);
	if (!slot) {
		c->counts.full++;
		free(cgroup);
		return;
	}
	cgroup->learnt_ns = new ? now : (*slot)->learnt_ns;
	cgroup->used_ns = new ? now : (*slot)->used_ns;
	cgroup->named |= now - cgroup->learnt_ns > CGROUPS_PATIENCE_NS;
	if (!new) {
		c->cgroup_bytes -= (*slot)->bytes;
		free(*slot);
	}
	c->cgroup_bytes += cgroup->bytes;
	*slot = cgroup;
}

static void start_job(struct cgroups *c);

static void job_done(void *arg)
{
	struct cgroup_job *job = arg;
	struct cgroup_lookup *lookup = job->lookup;
	struct cgroups *c = job->cgroups;

	mark_removed(c, lookup);
	for (size_t i = 0; i < lookup->n_found; i++)
		replace(c, TAKE(lookup->found[i]));
	c->counts.walks_cut += lookup->counts.walks_cut;
	c->counts.state_too_big += lookup->counts.state_too_big;
	cgroup_lookup_free(lookup);
	free(job);
	c->busy = false;
	start_job(c);
}

/* Starts a job if there is something to do and none is under way. What cannot be started (no
 * memory, the queue is full) is asked for again by the next flow, or with the next walk. */
static void start_job(struct cgroups *c)
{
	_cleanup_free_ struct cgroup_job *job = NULL;
	struct cgroup_lookup *lookup;

	if (c->busy || (!c->walk_due && hashmap_size(c->asked) == 0))
		return;
	job = calloc(1, sizeof(*job));
	lookup = calloc(1, sizeof(*lookup));
	if (!job || !lookup) {
		free(lookup);
		return;
	}
	*job = (struct cgroup_job){ c, lookup };
	lookup->roots = c->roots;
	lookup->walk = c->walk_due;
	take_asked(c, lookup);
	if (list_settled(c, lookup) < 0 ||
	    work_run(c->work, WORK_LANE_FILES, job_run, job_done, job) < 0) {
		c->counts.not_asked += lookup->n_asked;
		cgroup_lookup_free(lookup);
		return;
	}
	TAKE(job);
	c->busy = true;
	c->walk_due = false;
}

int cgroups_new(struct work *work, const struct host_roots *roots, struct cgroups **ret)
{
	_cleanup_(cgroups_free_p) struct cgroups *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->work = work;
	c->roots = roots;
	r = hashmap_new(sizeof(uint64_t), sizeof(struct cgroup *), CGROUPS_MAX, &c->by_id)
		    ?: hashmap_new(sizeof(uint64_t), 0, CGROUPS_ASKED_MAX, &c->asked);
	if (r < 0)
		return r;
	cgroups_expire(c, now_ns(CLOCK_BOOTTIME)); /* the first walk */
	*ret = TAKE(c);
	return 0;
}

/* --- questions ----------------------------------------------------------------------------- */

static void ask(struct cgroups *c, uint64_t id)
{
	if (!hashmap_put(c->asked, &id, NULL))
		c->counts.not_asked++;
	start_job(c);
}

void cgroups_want(struct cgroups *c, uint64_t id)
{
	if (!hashmap_get(c->by_id, &id))
		ask(c, id);
}

const struct cgroup *cgroups_get(struct cgroups *c, uint64_t id, uint64_t now)
{
	struct cgroup **cgroup = hashmap_get(c->by_id, &id);

	c->now_ns = now;
	if (cgroup) {
		if ((*cgroup)->found) /* the others are looked up again some time */
			(*cgroup)->used_ns = now;
		return *cgroup;
	}
	ask(c, id);
	return NULL;
}

void cgroups_expire(struct cgroups *c, uint64_t now)
{
	struct cgroup **cgroup;
	const uint64_t *id;

	c->now_ns = now;
	HASHMAP_FOREACH(c->by_id, pos, id, cgroup) {
		if ((*cgroup)->found && !(*cgroup)->removed)
			continue;
		if ((*cgroup)->used_ns + INVENTORY_LINGER_NS > now)
			continue;
		c->cgroup_bytes -= (*cgroup)->bytes;
		free(*cgroup);
		hashmap_remove_at(c->by_id, &pos);
	}
	if (now >= c->next_walk_ns) {
		c->next_walk_ns = now + CGROUPS_WALK_NS;
		c->walk_due = true;
	}
	start_job(c);
}

const struct cgroups_counts *cgroups_counts(const struct cgroups *c)
{
	return &c->counts;
}

bool cgroups_busy(const struct cgroups *c)
{
	return c->busy;
}

size_t cgroups_bytes(const struct cgroups *c)
{
	return sizeof(*c) + hashmap_bytes(c->by_id) + hashmap_bytes(c->asked) + c->cgroup_bytes;
}
