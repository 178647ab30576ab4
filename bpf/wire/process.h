/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the process programs tell user space: one event per fork, exec and exit of a process. */
#pragma once

#include "types.h"

enum wire_process_what {
	WIRE_PROCESS_FORK,
	WIRE_PROCESS_EXEC,
	WIRE_PROCESS_EXIT,
};

struct wire_process_event {
	__u64 start_ns; /* CLOCK_BOOTTIME, of the process; 0 = not known */
	__u64 cgroup_id;
	__u32 what; /* enum wire_process_what */
	__u32 pid, ppid; /* thread group ids, initial pid namespace */
	__u32 netns; /* inode */
	char comm[16];
};
_Static_assert(sizeof(struct wire_process_event) == 48, "wire_process_event");

enum wire_process_loss {
	WIRE_PROCESS_RING_FULL,
	WIRE_PROCESS_LOSSES,
};
