/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can block (setns, ELF, fsync, name resolution) runs on a worker thread as a job: an owned
 * argument goes over, job() runs there, done() runs on the loop thread afterwards. A lane is one
 * thread: jobs of a lane run one after the other, in order. Job arguments are the only thing that
 * the threads share.
 */
#pragma once

#include <systemd/sd-event.h>

struct work;

enum work_lane {
	WORK_LANE_BPF, /* draining maps */
	WORK_LANE_NET, /* setns, TC attach, interface counters */
	WORK_LANE_STORE, /* SQLite */
	WORK_LANE_FILES, /* /proc scans, cgroup files, the container runtimes' state */
	WORK_LANE_CHILD, /* waiting for sandboxed children: base/child.h */
	WORK_LANE_MAX_,
};

#define WORK_QUEUE_MAX 16384 /* jobs waiting per lane */

int work_new(sd_event *event, struct work **ret);
/* Runs what is queued to the end, calls every done(), ends the threads. Takes NULL. */
struct work *work_free(struct work *work);

/* Queues a job. -EAGAIN: WORK_QUEUE_MAX reached, nothing was queued, arg stays the caller's.
 * done may be NULL. Threads start at the first job of their lane. */
int work_run(struct work *work, enum work_lane lane, void (*job)(void *arg),
	     void (*done)(void *arg), void *arg);

/* Waits until all that is queued now has run, and calls its done(); blocks the loop. For taking
 * parts down that lent something to their jobs. */
void work_drain(struct work *work);

static inline void work_free_p(struct work **work)
{
	work_free(*work);
}
