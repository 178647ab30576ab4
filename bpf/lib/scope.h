/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The scope gate: the first thing that a program does, before it reads or copies anything. The maps
 * are one set for all skeletons (src/collect/shared/scope-maps.c fills them). An empty key of the
 * configuration lets everything through; the keys AND.
 */
#pragma once

#include "lib/kernel.h"
#include "wire/scope.h"

#define SCOPE_DEPTH_MAX 16 /* levels of cgroups that are climbed */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wire_scope);
} scope SEC(".maps");

/* Preallocated: before 6.1 a program on perf events may use no other hash map. */
struct scope_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WIRE_SCOPE_MAX);
	__type(key, __u64);
	__type(value, __u8);
};
/* Keys: cgroup ids; namespace inodes; namespace cookies; thread group ids. */
struct scope_map scope_cgroups SEC(".maps"), scope_netns SEC(".maps"),
	scope_netns_cookies SEC(".maps"), scope_pids SEC(".maps");

static __always_inline const struct wire_scope *scope_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scope, &zero);
}

static __always_inline int scope_has(void *map, __u64 key)
{
	return bpf_map_lookup_elem(map, &key) != NULL;
}

/* The cgroup, or one above it, is in scope. For programs that may follow BTF pointers. */
static __always_inline int scope_has_cgroup(struct cgroup *cgroup)
{
	struct cgroup_subsys_state *parent;

	for (int i = 0; i < SCOPE_DEPTH_MAX && cgroup; i++) {
		if (scope_has(&scope_cgroups, cgroup->kn->id))
			return 1;
		parent = cgroup->self.parent;
		if (!parent)
			return 0;
		cgroup = parent->cgroup;
	}
	return 0;
}

static __always_inline int scope_has_task(struct task_struct *task)
{
	const struct wire_scope *wanted = scope_get();

	if (!wanted || (wanted->pid && !scope_has(&scope_pids, task->tgid)))
		return 0;
	return !wanted->cgroup || scope_has_cgroup(task->cgroups->dfl_cgrp);
}

/* The same for the current task, in programs that read through the probe helper. */
static __always_inline int scope_has_current(void)
{
	const struct wire_scope *wanted = scope_get();
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct cgroup *cgroup;

	if (!wanted || (wanted->pid && !scope_has(&scope_pids, bpf_get_current_pid_tgid() >> 32)))
		return 0;
	if (!wanted->cgroup)
		return 1;
	cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	for (int i = 0; i < SCOPE_DEPTH_MAX && cgroup; i++) {
		if (scope_has(&scope_cgroups, BPF_CORE_READ(cgroup, kn, id)))
			return 1;
		cgroup = BPF_CORE_READ(cgroup, self.parent, cgroup);
	}
	return 0;
}

static __always_inline int scope_has_netns(__u32 inode)
{
	const struct wire_scope *wanted = scope_get();

	return wanted && (!wanted->netns || scope_has(&scope_netns, inode));
}
