/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What /proc says of a process. It can block (mmap_lock, a slow /proc), so it belongs on a worker. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "host/roots.h"
#include "model/workload.h"

#define PROC_SCAN_MAX 65536 /* processes that one scan takes */

struct scope;

struct proc_task {
	pid_t pid;
	bool kernel; /* a kernel thread */
	uint64_t start_tick; /* since boot */
	uint64_t cgroup_id; /* 0 = not known */
	char comm[COMM_LEN];
};

struct proc_scan {
	struct proc_task *tasks; /* from malloc() */
	size_t n;
	bool cut; /* there were more than PROC_SCAN_MAX */
};

/* -EXDEV: this /proc is not of the initial pid namespace, so its pids are not the kernel's. */
int proc_check(const struct host_roots *roots);

/* All processes within scope (NULL: all). Of others only pid, cgroup and namespaces are read, and
 * the executable's path if scope asks for paths. */
int proc_scan(const struct host_roots *roots, const struct scope *scope, struct proc_scan *ret);

/*
 * The directory in /proc of the process that started at start_tick (0: whichever has the pid), as a
 * descriptor of the caller's. It is of this process alone: nothing below it can be opened any more
 * when the process has gone, even if its pid is used again. -ESRCH: it is gone.
 */
int proc_open(const struct host_roots *roots, pid_t pid, uint64_t start_tick);

/* The executable's path of the process that started at start_tick; the caller frees it. -ESRCH:
 * that process is gone; -ENOENT: it has none (a kernel thread). */
int proc_read_exe(const struct host_roots *roots, pid_t pid, uint64_t start_tick, char **ret);
