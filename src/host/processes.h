/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The process table: who has which pid, and who had it. A process is (pid, start time); when a pid
 * is used again, the one before stays in the table as long as the dead do. Threads are not in it.
 * Loop thread only; reads no file.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/workload.h"

#define PROCESSES_MAX 65536 /* the living and the dead */
#define PROCESS_TICK_NS UINT64_C(10000000) /* USER_HZ is 100 on every Linux */

enum process_exe {
	PROCESS_EXE_UNREAD,
	PROCESS_EXE_ASKED, /* a worker is on it */
	PROCESS_EXE_READ, /* exe says what came of it: NULL if it could not be read */
};

struct process {
	pid_t pid;
	bool kernel; /* a kernel thread */
	bool dead;
	bool seen; /* by the scan under way */
	enum process_exe exe_state;
	uint64_t start_tick; /* since boot, as in /proc/PID/stat; 0 = not known */
	uint64_t cgroup_id; /* 0 = not known */
	uint64_t died_ns; /* CLOCK_BOOTTIME */
	char *exe;
	char *id; /* processes_id(): made when somebody asks */
	struct process *older; /* who had this pid before */
	struct process *dead_before, *dead_after; /* the dead in the order of their death */
	char comm[COMM_LEN];
};

struct processes;

/* boot_id is the first part of processes_id(), at most 36 characters; copied. */
int processes_new(const char *boot_id, struct processes **ret);
struct processes *processes_free(struct processes *p); /* takes NULL */

/* The process that has (or had last) this pid, or the one of them that started at start_tick
 * (0: any). One whose start is not known passes for it, unless it died before. NULL: none. */
struct process *processes_get(const struct processes *p, pid_t pid, uint64_t start_tick);

/*
 * The same, but made if need be: alive if it is the youngest of its pid, and the one before it is
 * buried, for its exit was missed. At PROCESSES_MAX the longest dead makes room; NULL if all live
 * (counted) or without memory.
 */
struct process *processes_put(struct processes *p, pid_t pid, uint64_t start_tick, uint64_t now_ns);
/* It is dead as of now; for one that is dead already the linger begins again. */
void processes_bury(struct processes *p, struct process *process, uint64_t now_ns);
/* It lives after all. */
void processes_revive(struct processes *p, struct process *process);

/* Forgets who died before before_ns. */
void processes_expire(struct processes *p, uint64_t before_ns);

/* "BOOTID/PID/START"; belongs to the process. NULL: no memory. */
const char *processes_id(struct processes *p, struct process *process);
/* exe is NULL or from malloc() and becomes the process's. */
void processes_set_exe(struct processes *p, struct process *process, char *exe);

/* A scan found all that lives: begin; mark with process->seen; then whoever was alive at the
 * beginning and started before before_tick, but was not seen, is buried. */
void processes_scan_begin(struct processes *p);
void processes_scan_end(struct processes *p, uint64_t before_tick, uint64_t now_ns);

size_t processes_bytes(const struct processes *p);
uint64_t processes_full(const struct processes *p); /* how often there was no room */
