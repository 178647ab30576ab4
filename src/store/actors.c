/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process is one with its workload: one that moves to another cgroup is somebody else from then on.
 */
#include "store/actors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

static int actor_number(struct actors *a, const struct actor *actor, bool add, uint32_t *ret)
{
	size_t n = pool_size(a->pool), room = n + n / 2 + 16;
	struct actor_names *names;

	if (n == a->names_room) { /* there may be one more in a moment */
		names = realloc(a->names, room * sizeof(*names));
		if (!names)
			return -ENOMEM;
		memset(names + n, 0, (room - n) * sizeof(*names));
		a->names = names;
		a->names_room = room;
	}
	return pool_number(a->pool, actor, add, ret);
}

int actors_init(struct actors *a)
{
	static const struct actor nobody;
	uint32_t zero;
	int r;

	r = string_pool_new(ACTORS_STRINGS_MAX, &a->strings);
	if (r >= 0)
		r = string_pool_number(a->strings, "", true, &zero);
	if (r >= 0)
		r = pool_new(sizeof(struct actor), SIZE_MAX, &a->pool);
	if (r >= 0)
		r = actor_number(a, &nobody, true, &zero);
	return r;
}

void actors_done(struct actors *a)
{
	string_pool_free(a->strings);
	pool_free(a->pool);
	free(a->names);
}

size_t actors_bytes(const struct actors *a)
{
	return string_pool_bytes(a->strings) + pool_bytes(a->pool) +
	       a->names_room * sizeof(*a->names);
}

/* Names come late and may change: what was said last counts. A name that finds no room is not
 * worth losing the row for. */
static void update_name(struct actors *a, uint32_t *name, const char *said)
{
	if (said && *said && !streq(string_pool_get(a->strings, *name), said))
		string_pool_number(a->strings, said, true, name);
}

int actors_number(struct actors *a, const struct process_ref *process,
		  const struct workload *workload, bool add, uint32_t *ret)
{
	struct actor actor = {
		.start_ns = process->start_ns,
		.cgroup_id = process->cgroup_id,
		.pid = (uint32_t)process->pid,
		.kind = workload->kind,
	};
	int r = 0;

	memcpy(actor.comm, process->comm, strnlen(process->comm, sizeof(actor.comm) - 1));
	if (workload->id)
		r = string_pool_number(a->strings, workload->id, add, &actor.id);
	if (r >= 0)
		r = actor_number(a, &actor, add, ret);
	if (r < 0)
		return r;
	update_name(a, &a->names[*ret].name, workload->name);
	update_name(a, &a->names[*ret].namespace_, workload->namespace_);
	return 0;
}

void actors_fill(const struct actors *a, uint32_t number, struct process_ref *ret_process,
		 struct workload *ret_workload)
{
	const struct actor *actor = pool_get(a->pool, number);
	const struct actor_names *names = &a->names[number];

	*ret_process = (struct process_ref){
		.pid = (pid_t)actor->pid,
		.start_ns = actor->start_ns,
		.cgroup_id = actor->cgroup_id,
	};
	memcpy(ret_process->comm, actor->comm, COMM_LEN);
	*ret_workload = (struct workload){
		.kind = actor->kind,
		.id = string_pool_get(a->strings, actor->id),
		.name = string_pool_get(a->strings, names->name),
		.namespace_ = string_pool_get(a->strings, names->namespace_),
	};
}
