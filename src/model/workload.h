/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A workload is the unit of naming: who runs here. Its key is (kind, id), where id is stable: the
 * unit's name (of a user's unit "user@UID.service/NAME"), the container's id, the pod's uid, or
 * "BOOTID/PID/START" of a process, START in clock ticks after boot as in /proc/PID/stat (field 22
 * of proc(5)). name and namespace are attributes that may come late (the container runtime and the
 * Kubernetes API are asked after the fact), so they never take part in a comparison.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum workload_kind {
	WORKLOAD_NONE, /* not known */
	WORKLOAD_UNIT, /* systemd unit */
	WORKLOAD_CONTAINER,
	WORKLOAD_POD,
	WORKLOAD_PROCESS, /* in no unit, container or pod */
	WORKLOAD_KERNEL,
	WORKLOAD_KIND_MAX_,
};

/* Strings are borrowed from their owner (the inventory, a store row) and never NULL once the
 * workload is filled: "" where there is nothing to say. */
struct workload {
	enum workload_kind kind;
	const char *id;
	const char *name;
	const char *namespace_;
};

/* Which process, as the kernel told it. */
#define COMM_LEN 16
struct process_ref {
	pid_t pid; /* thread group id in the initial pid namespace; 0 = not known */
	uint64_t start_ns; /* CLOCK_BOOTTIME of its start, for pids are used again; 0 = not known */
	uint64_t cgroup_id; /* cgroup v2 id; 0 = not known */
	char comm[COMM_LEN]; /* NUL-terminated; made valid UTF-8 where it is printed */
	bool thread; /* comm is the name of one of its threads: its own is better */
};

/* "unit", "container", ...; "" for WORKLOAD_NONE. */
const char *workload_kind_name(enum workload_kind kind);
/* -EINVAL if name is none of them. */
int workload_kind_parse(const char *name, enum workload_kind *ret);
