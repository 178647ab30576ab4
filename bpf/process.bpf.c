// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Processes: fork, exec and exit, from the scheduler's tracepoints, so that a name is known for what
 * lives shorter than any poll of /proc. Threads are not told, nor what is out of scope.
 */
#include "wire/process.h"
#include "lib/kernel.h"
#include "lib/scope.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} process_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WIRE_PROCESS_LOSSES);
	__type(key, __u32);
	__type(value, __u64);
} process_losses SEC(".maps");

static __always_inline void lose(__u32 site)
{
	__u64 *count = bpf_map_lookup_elem(&process_losses, &site);

	if (count)
		++*count;
}

static __always_inline int tell(__u32 what, struct task_struct *task)
{
	struct wire_process_event *e;

	/* An exiting task has left its namespaces already. */
	__u32 netns = what == WIRE_PROCESS_EXIT ? 0 : task->nsproxy->net_ns->ns.inum;

	if (!scope_has_task(task) || (netns && !scope_has_netns(netns)))
		return 0;
	e = bpf_ringbuf_reserve(&process_events, sizeof(*e), 0);
	if (!e) {
		lose(WIRE_PROCESS_RING_FULL);
		return 0;
	}
	e->what = what;
	e->pid = task->tgid;
	e->ppid = task->real_parent->tgid;
	e->start_ns = task->group_leader->start_boottime;
	e->cgroup_id = task->cgroups->dfl_cgrp->kn->id;
	e->netns = netns;
	__builtin_memcpy(e->comm, task->comm, sizeof(e->comm));
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	if (child->pid != child->tgid)
		return 0;
	return tell(WIRE_PROCESS_FORK, child);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task)
{
	return tell(WIRE_PROCESS_EXEC, task);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	if (task->pid != task->tgid)
		return 0;
	return tell(WIRE_PROCESS_EXIT, task);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
