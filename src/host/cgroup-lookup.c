/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From an id to everything that is known about its cgroup. Asked ids go by file handle where that
 * is granted, else the whole hierarchy is walked for them.
 */
#include "host/cgroup-lookup.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "host/cgroup-class.h"
#include "host/cgroup-tree.h"
#include "host/container-state.h"

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void cgroup_ids_sort(uint64_t *ids, size_t n)
{
	if (n > 0)
		qsort(ids, n, sizeof(*ids), compare_ids);
}

bool cgroup_ids_contain(const uint64_t *ids, size_t n, uint64_t id)
{
	return n > 0 && bsearch(&id, ids, n, sizeof(*ids), compare_ids);
}

/* --- one cgroup ---------------------------------------------------------------------------- */

/* Copies s to *to, which moves on behind it. */
static const char *put(char **to, const char *s)
{
	const char *copy = *to;

	*to = stpcpy(*to, s) + 1;
	return copy;
}

/* One block: the strings are behind the struct. */
static struct cgroup *cgroup_make(uint64_t id, const char *path, const struct cgroup_class *class,
				  const struct container_state *state)
{
	const char *container_name = state->name ? state->name : "";
	const char *image = state->image ? state->image : "";
	const char *name = class->name, *namespace_ = class->namespace_;
	struct cgroup *cgroup;
	size_t bytes;
	char *to;

	if (class->kind == WORKLOAD_CONTAINER && state->name)
		name = state->name;
	if (class->kind == WORKLOAD_POD && state->pod_name) {
		name = state->pod_name;
		namespace_ = state->pod_namespace ? state->pod_namespace : "";
	}
	bytes = sizeof(*cgroup) + strlen(path) + strlen(class->id) + strlen(name) +
		strlen(namespace_) + strlen(class->container) + strlen(container_name) +
		strlen(image) + 7; /* NULs */
	cgroup = calloc(1, bytes);
	if (!cgroup)
		return NULL;
	cgroup->id = id;
	cgroup->kind = class->kind;
	cgroup->bytes = bytes;
	to = cgroup->text;
	cgroup->path = put(&to, path);
	cgroup->workload_id = put(&to, class->id);
	cgroup->name = put(&to, name);
	cgroup->namespace_ = put(&to, namespace_);
	cgroup->container = put(&to, class->container);
	cgroup->container_name = put(&to, container_name);
	cgroup->image = put(&to, image);
	return cgroup;
}

struct cgroup *cgroup_unknown(uint64_t id)
{
	return cgroup_make(id, "", &(struct cgroup_class){ 0 }, &(struct container_state){ 0 });
}

static struct cgroup *describe(struct cgroup_lookup *lookup, uint64_t id, const char *path)
{
	_cleanup_container_state_ struct container_state state = { 0 };
	struct cgroup_class class;
	struct cgroup *cgroup;
	int r = 0;

	cgroup_classify(path, &class);
	if (*class.container)
		r = container_state_read(lookup->roots, class.container, class.owner, &state);
	lookup->counts.state_too_big += r == -E2BIG;
	cgroup = cgroup_make(id, path, &class, &state);
	if (cgroup) {
		cgroup->found = true;
		cgroup->named = r == 0;
	}
	return cgroup;
}

/* --- many ---------------------------------------------------------------------------------- */

/* Grows an array by doubling. */
static bool make_room(void **array, size_t n, size_t size)
{
	void *grown;

	if (n & (n - 1))
		return true;
	grown = realloc(*array, (n ? 2 * n : 1) * size);
	if (grown)
		*array = grown;
	return grown;
}

static int add_found(struct cgroup_lookup *lookup, struct cgroup *cgroup)
{
	if (!cgroup || !make_room((void **)&lookup->found, lookup->n_found, sizeof(cgroup))) {
		free(cgroup);
		return -ENOMEM;
	}
	lookup->found[lookup->n_found++] = cgroup;
	return 0;
}

static int on_walk(void *userdata, uint64_t id, const char *path)
{
	struct cgroup_lookup *lookup = userdata;

	if (!make_room((void **)&lookup->alive, lookup->n_alive, sizeof(id)))
		return -ENOMEM;
	lookup->alive[lookup->n_alive++] = id;
	if (cgroup_ids_contain(lookup->settled, lookup->n_settled, id))
		return 0;
	return add_found(lookup, describe(lookup, id, path));
}

static int walk(struct cgroup_lookup *lookup, const struct cgroup_tree *tree)
{
	int r = cgroup_tree_walk(tree, on_walk, lookup);

	lookup->walked = r == 0;
	lookup->counts.walks_cut += r == -E2BIG;
	cgroup_ids_sort(lookup->alive, lookup->n_alive);
	return r == -E2BIG ? 0 : r;
}

static int look_up_one(struct cgroup_lookup *lookup, const struct cgroup_tree *tree, uint64_t id)
{
	_cleanup_free_ char *path = NULL;

	if (cgroup_ids_contain(lookup->alive, lookup->n_alive, id))
		return 0; /* the walk has described it */
	if (cgroup_tree_path(tree, id, &path) < 0)
		return add_found(lookup, cgroup_unknown(id));
	return add_found(lookup, describe(lookup, id, path));
}

void cgroup_lookup_run(struct cgroup_lookup *lookup)
{
	_cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NONE;
	int r;

	r = cgroup_tree_open(lookup->roots, &tree);
	if (r == 0 && (lookup->walk || !tree.by_handle))
		r = walk(lookup, &tree);
	if (r == -ENOENT)
		r = 0; /* no cgroup v2: all are unknown, and that is the answer */
	for (size_t i = 0; r == 0 && i < lookup->n_asked; i++)
		r = look_up_one(lookup, &tree, lookup->asked[i]);
	lookup->error = r;
}

struct cgroup_lookup *cgroup_lookup_free(struct cgroup_lookup *lookup)
{
	if (!lookup)
		return NULL;
	for (size_t i = 0; i < lookup->n_found; i++)
		free(lookup->found[i]);
	free(lookup->found);
	free(lookup->alive);
	free(lookup->settled);
	free(lookup);
	return NULL;
}
