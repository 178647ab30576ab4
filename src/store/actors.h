/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who: processes with their workloads, numbered, and the strings that these and their owner's other
 * rows share. Private to the store.
 */
#pragma once

#include "base/pool.h"
#include "model/workload.h"

#define ACTORS_STRINGS_MAX 262144

/* Process and workload, by their keys. Number 0 is nobody. */
struct actor {
	uint64_t start_ns; /* of the process */
	uint64_t cgroup_id;
	uint32_t pid;
	uint32_t kind; /* enum workload_kind */
	uint32_t id; /* string */
	char comm[COMM_LEN]; /* padded with zeros */
	uint32_t zero;
};
_Static_assert(sizeof(struct actor) == 48, "actor is compared as bytes");

/* The workload's attributes, which may come late: strings. */
struct actor_names {
	uint32_t name, namespace_;
};

struct actors {
	struct string_pool *strings; /* number 0 is "" */
	struct pool *pool; /* struct actor; number 0 is nobody */
	struct actor_names *names; /* by number */
	size_t names_room;
};

int actors_init(struct actors *actors);
void actors_done(struct actors *actors); /* of zeros, too */
size_t actors_bytes(const struct actors *actors);

/* Without add only who is known is found: -ENOENT. -ENOSPC: too many strings. */
int actors_number(struct actors *actors, const struct process_ref *process,
		  const struct workload *workload, bool add, uint32_t *ret);
/* Strings are those of actors. */
void actors_fill(const struct actors *actors, uint32_t number, struct process_ref *ret_process,
		 struct workload *ret_workload);
