/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The filters that every verb takes (--unit, --container, --pod, --namespace, --process, --pid,
 * --cgroup, --port, --peer, ...) and the time range. Values within a key OR, keys AND; an empty key
 * lets everything through. A filter matches a flow if its local end does, or its peer end when
 * that end is a workload of this host too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/flow.h"

#define FILTER_VALUES_MAX 64 /* per key */

struct string_list {
	size_t n;
	char **values;
};

struct filter {
	struct string_list unit, container, pod, namespace_; /* names; a trailing * is a prefix */
	struct string_list process; /* comm */
	size_t n_pid, n_port, n_cgroup, n_peer;
	uint32_t pid[FILTER_VALUES_MAX];
	uint16_t port[FILTER_VALUES_MAX]; /* either end */
	uint64_t cgroup[FILTER_VALUES_MAX]; /* ids; paths are turned into ids before */
	struct ip_prefix peer[FILTER_VALUES_MAX];
	struct string_list protocol, role; /* names */
	bool external_only; /* peers outside the private ranges */
};

/* Both ends in CLOCK_REALTIME nanoseconds; since <= t < until. */
struct time_range {
	uint64_t since_ns, until_ns;
};

/* Releases what the filter holds, not the filter itself. */
void filter_done(struct filter *filter);
/* Adds value to the key called key ("unit", "port", "peer", ...). -EINVAL: not a value of this key;
 * -ENOENT: no such key; -E2BIG: more than FILTER_VALUES_MAX. */
int filter_add(struct filter *filter, const char *key, const char *value);
bool filter_match_flow(const struct filter *filter, const struct flow *flow);
/* What a process did by itself: it has no peer, so a filter that asks for one never matches. */
bool filter_match_process(const struct filter *filter, const struct process_ref *process,
			  const struct workload *workload);
