/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who runs here: processes, cgroups, systemd units, containers and pods. Fed by the process
 * tracepoints (src/collect/shared/processes.c) and one /proc scan at the start; what is not known
 * yet is looked up in /proc and /sys/fs/cgroup. What is gone stays known for a while
 * (INVENTORY_LINGER), because flows that mention it arrive after it. Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "model/metric.h"
#include "model/workload.h"

struct inventory;
struct work;

int inventory_new(sd_event *event, struct work *work, struct inventory **ret);
struct inventory *inventory_free(struct inventory *inventory); /* takes NULL */

/* Reads /proc once, on a worker: fills the process table with what already runs. */
int inventory_scan(struct inventory *inventory);

/* --- what the tracepoints tell ------------------------------------------------------------- */
struct process_event {
	pid_t pid, ppid;
	uint64_t start_ns; /* CLOCK_BOOTTIME of the thread group's start; 0 = not known */
	uint64_t cgroup_id;
	uint64_t netns; /* inode */
	char comm[COMM_LEN];
};
void inventory_on_fork(struct inventory *inventory, const struct process_event *e);
void inventory_on_exec(struct inventory *inventory, const struct process_event *e);
void inventory_on_exit(struct inventory *inventory, pid_t pid, uint64_t now_boottime_ns);

/* --- what enrich asks ---------------------------------------------------------------------- */
/* Fills ref's empty fields (comm, cgroup id) from the table, then the workload that ref belongs to:
 * by cgroup, else by process. ret's strings are valid until the next call of inventory_expire().
 * false: nothing is known, ret is WORKLOAD_NONE. Never reads a file: unknown cgroup ids are
 * looked up on a worker and known the next time. */
bool inventory_workload(struct inventory *inventory, struct process_ref *ref, struct workload *ret);
/* The executable's path of a process, or NULL. */
const char *inventory_exe(struct inventory *inventory, pid_t pid);

/* Forgets what went away longer than the linger ago; called once per step. */
void inventory_expire(struct inventory *inventory, uint64_t now_boottime_ns);
size_t inventory_bytes(const struct inventory *inventory);
