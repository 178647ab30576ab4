// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Profile: a program on perf events. Each time one fires for a task in scope, the stack of the kernel
 * and of the user program go to user space as one record, unwound here (lib/unwind.h), because copying
 * the user's stack out costs more than unwinding it. Nothing is aggregated: at some 20 samples per
 * second and CPU there is little to add up, and time and thread would be lost.
 */
#include "wire/profile.h"
#include "lib/grace.h"
#include "lib/kernel.h"
#include "lib/scope.h"
#include "lib/unwind.h"

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */

/* Also lets perf write the sample to its own buffer: for the test that unwinds the same one twice. */
const volatile __u8 profile_keeps_sample = 0;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024); /* user space sets it by the number of CPUs */
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WIRE_PROFILE_COUNTS);
	__type(key, __u32); /* enum wire_profile_count */
	__type(value, __u64);
} profile_counts SEC(".maps");

static __always_inline void count(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&profile_counts, &what);

	if (n)
		++*n;
}

/* The kernel's threads and idle belong to nobody's scope. */
static __always_inline int in_scope(struct task_struct *task)
{
	const struct wire_scope *wanted = scope_get();

	if (!wanted)
		return 0;
	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return !wanted->cgroup && !wanted->netns && !wanted->pid;
	return scope_has_current() &&
	       scope_has_netns(BPF_CORE_READ(task, nsproxy, net_ns, ns.inum));
}

static __always_inline void describe(struct wire_sample *sample, struct task_struct *task,
				     struct bpf_perf_event_data *ctx)
{
	__u64 ids = bpf_get_current_pid_tgid();
	struct mm_struct *mm = BPF_CORE_READ(task, mm);

	sample->time_ns = bpf_ktime_get_ns();
	sample->weight = ctx->sample_period;
	sample->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	sample->mm = (__u64)mm;
	sample->executable = mm ? BPF_CORE_READ(mm, exec_vm) : 0;
	sample->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	sample->tgid = ids >> 32;
	sample->tid = ids;
	sample->cpu = bpf_get_smp_processor_id();
	sample->kernel_frames = sample->user_frames = 0;
	sample->flags = 0;
	bpf_get_current_comm(sample->comm, sizeof(sample->comm));
}

/* Where the kernel saved the user's registers when it was entered. */
static __always_inline const void *registers_at_entry(struct task_struct *task)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return (const void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	return BPF_CORE_READ(task, stack) + KERNEL_STACK_SIZE - sizeof(struct registers_saved);
}

static __always_inline __u8 user_stack(struct unwind_scratch *scratch, struct task_struct *task,
				       struct bpf_perf_event_data *ctx)
{
	struct unwind_frame *state = &scratch->state;
	struct wire_sample *sample = &scratch->sample;
	struct registers_saved *saved = &scratch->saved;

	if (!sample->mm || BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return WIRE_END_NONE;
	state->is_return = 0;
	registers_copy(saved, ctx);
	if (!registers_are_user(saved)) {
		if (bpf_probe_read_kernel(saved, sizeof(*saved), registers_at_entry(task)) < 0 ||
		    !registers_are_user(saved))
			return WIRE_END_UNREADABLE;
		if (registers_in_syscall(saved)) {
			sample->flags |= WIRE_SAMPLE_SYSCALL;
			state->is_return = 1;
		}
	}
	if (registers_are_compat(saved))
		return WIRE_END_COMPAT;
	registers_load(&state->now, state->innermost_registers, saved);
	state->mapping.begin = state->mapping.end = 0;
	state->lr_valid = 1;
	return unwind_user(sample->tgid, state, sample->mm);
}

/* User space looks into the ring so and so often, but at once when it is to read a process's mappings:
 * every sample until then is a stack that is not whole. */
static __always_inline __u64 wakeup(__u8 end)
{
	return end == WIRE_END_PROCESS_UNKNOWN || end == WIRE_END_MAPPING_UNKNOWN
		       ? BPF_RB_FORCE_WAKEUP
		       : BPF_RB_NO_WAKEUP;
}

SEC("perf_event")
int profile_sample(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct unwind_scratch *scratch = unwind_scratch_get();
	struct wire_sample *sample;
	__u32 frames;
	long size;

	count(WIRE_PROFILE_FIRED);
	if (!scratch || !in_scope(task)) {
		count(WIRE_PROFILE_FILTERED);
		return 0;
	}
	sample = &scratch->sample;
	describe(sample, task, ctx);
	size = bpf_get_stack(ctx, sample->frames, WIRE_KERNEL_FRAMES_MAX * sizeof(__u64), 0);
	if (size > 0)
		sample->kernel_frames = size / sizeof(__u64);
	sample->end = user_stack(scratch, task, ctx);
	frames = sample->kernel_frames + sample->user_frames;
	if (frames > WIRE_KERNEL_FRAMES_MAX + WIRE_USER_FRAMES_MAX)
		frames = WIRE_KERNEL_FRAMES_MAX + WIRE_USER_FRAMES_MAX;
	if (bpf_ringbuf_output(&samples, sample,
			       __builtin_offsetof(struct wire_sample, frames) +
				       frames * sizeof(__u64),
			       wakeup(sample->end)) < 0)
		count(WIRE_PROFILE_LOST);
	else
		count(WIRE_PROFILE_DELIVERED);
	return profile_keeps_sample;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
