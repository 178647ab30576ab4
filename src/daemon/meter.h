/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon itself takes: the one meter of memory.limit, and CPU time. */
#pragma once

#include <stdint.h>

struct meter {
	uint64_t anon_bytes; /* RssAnon of /proc/self/status */
	uint64_t rss_bytes;
	uint64_t bpf_bytes; /* from our own sizes: see collect_ops.bpf_bytes */
	double cpu_seconds; /* user and system, all threads */
	double loop_stall_max; /* longest turn of the event loop so far, in seconds */
	double loop_cpu_max; /* most CPU that a turn took: the rest of a stall is others' */
};

/* Reads everything but bpf_bytes and loop_*. -errno leaves ret untouched. */
int meter_read(struct meter *ret);
