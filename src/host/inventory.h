/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who runs here: processes, cgroups, systemd units, containers and pods. Fed by the process
 * tracepoints (src/collect/shared/processes.c) and one /proc scan at the start; what is not known
 * yet is looked up in /proc and /sys/fs/cgroup. What is gone stays known for a while
 * (INVENTORY_LINGER_NS), because flows that mention it arrive after it. Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "host/roots.h"
#include "model/accounting.h"
#include "model/workload.h"

#define INVENTORY_LINGER_NS UINT64_C(60000000000)

struct inventory;
struct scope;
struct work;

/* roots: where the host shows itself; the strings are borrowed. */
int inventory_new(struct work *work, const struct host_roots *roots, struct inventory **ret);
/* Takes NULL. Call it after work_free(): jobs that are under way end in the inventory. */
struct inventory *inventory_free(struct inventory *inventory);

/*
 * Reads /proc on a worker: the process table gets what already runs within scope (NULL: all), and
 * what ended unnoticed is buried. For the start, and after process events were lost. Of a task out
 * of scope no more than pid, cgroup and namespaces are read. -EALREADY: a scan is under way.
 * -EXDEV: /proc is of another pid namespace than the kernel's pids (a container without the
 * host's); nothing is read.
 */
int inventory_scan(struct inventory *inventory, const struct scope *scope);

/* --- what the tracepoints tell ------------------------------------------------------------- */
struct process_event {
	pid_t pid, ppid;
	uint64_t start_ns; /* CLOCK_BOOTTIME of the thread group's start; 0 = not known */
	uint64_t cgroup_id;
	uint64_t netns; /* inode */
	char comm[COMM_LEN];
};
/* Of thread groups only: a new thread is not a process. */
void inventory_on_fork(struct inventory *inventory, const struct process_event *e);
void inventory_on_exec(struct inventory *inventory, const struct process_event *e);
/* The thread group's last thread is gone. */
void inventory_on_exit(struct inventory *inventory, pid_t pid, uint64_t now_boottime_ns);

/* --- what enrich asks ---------------------------------------------------------------------- */
/* Fills ref's empty fields (comm, cgroup id, start) from the table, then the workload that ref
 * belongs to: by cgroup, else by process. ret's strings are valid until control goes back to the
 * event loop. false: nothing is known, ret is of kind WORKLOAD_NONE, its strings are "". Never
 * reads a file: unknown cgroup ids are looked up on a worker and known the next time. */
bool inventory_workload(struct inventory *inventory, struct process_ref *ref, struct workload *ret);
/* The executable's path of a process, or NULL: then it is read on a worker and known later. Valid
 * until control goes back to the event loop. */
const char *inventory_exe(struct inventory *inventory, pid_t pid);

/* What the container's runtime says of it; strings as above, "" where it says nothing. */
struct container_info {
	const char *id, *name, *image;
};
/* false: the cgroup is not known or not a container's. */
bool inventory_container(struct inventory *inventory, uint64_t cgroup_id,
			 struct container_info *ret);

/* The path of a cgroup, "/system.slice/nginx.service", or NULL: not known, or gone before it could
 * be looked up. Strings as above. */
const char *inventory_cgroup_path(struct inventory *inventory, uint64_t cgroup_id);

/* Forgets what went away longer than the linger ago; called once per step. */
void inventory_expire(struct inventory *inventory, uint64_t now_boottime_ns);

/* --- about itself -------------------------------------------------------------------------- */
bool inventory_busy(const struct inventory *inventory); /* jobs are under way */
size_t inventory_bytes(const struct inventory *inventory);
/* Calls fn once per place that can lose, also where the count is 0. */
void inventory_losses(const struct inventory *inventory,
		      void (*fn)(void *userdata, const struct loss *loss), void *userdata);
