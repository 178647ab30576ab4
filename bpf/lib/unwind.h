/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Unwinds a user stack. One frame is one call of a global function: the kernel verifies it once, by
 * itself, so a loop over 1,000 frames costs the verifier next to nothing, and no tail call is needed
 * (5.10 to 7.2 load it alike). All state is in the CPU's scratch memory: what the verifier does not know,
 * it does not have to follow through every path; for the same reason the searches keep their bounds
 * there.
 *
 * What differs between machines is in registers.h.
 */
#pragma once

#include "lib/kernel.h"
#include "lib/registers.h"
#include "wire/profile.h"

#define UNWIND_SEARCH_STEPS 17 /* halvings: 65536 rows or mappings */
#define UNWIND_RULES \
	32768 /* of all tables; LLVM alone has 5,000, another library few that are new */
#define UNWIND_PAGES 65536 /* 4 GB of text */
#define UNWIND_MAPPINGS 32768
#define UNWIND_PROCESSES 8192
#define UNWIND_SLABS 256

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, UNWIND_PROCESSES);
	__type(key, __u32); /* thread group id */
	__type(value, struct wire_profiled);
} profiled SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, UNWIND_MAPPINGS);
	__type(key, __u32);
	__type(value, struct wire_mapping);
} unwind_mappings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, UNWIND_PAGES);
	__type(key, __u32);
	__type(value, struct wire_unwind_page);
} unwind_pages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, UNWIND_RULES);
	__type(key, __u32);
	__type(value, struct wire_unwind_rule);
} unwind_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, UNWIND_SLABS);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(map_flags, BPF_F_MMAPABLE);
			__uint(max_entries, 1);
			__uint(key_size, sizeof(__u32));
			__uint(value_size, sizeof(struct wire_slab));
		});
} unwind_slabs SEC(".maps");

struct unwind_frame {
	struct registers now;
	__u64 cfa;
	__u64 pc; /* the address that belongs to the frame: ip, or in the call before it */
	__u64 innermost_registers[REGISTERS_DWARF];
	struct wire_mapping mapping; /* where pc is; often the same for the next frame */
	struct wire_unwind_rule rule;
	__u32 first, count; /* the process's mappings */
	__u32 low, high; /* of a search */
	__u32 row; /* found: its address's lower half */
	__u8 is_return; /* ip is where a call returns to, so the call is before it */
	__u8 innermost; /* innermost_registers are this frame's */
	__u8 second; /* or its callee's */
	__u8 lr_valid; /* now.lr is this frame's return address */
};

struct unwind_scratch {
	struct unwind_frame state;
	struct registers_saved saved;
	struct registers_signal signal;
	struct wire_sample sample;
};

/* One per CPU: a sample is not interrupted by another one (perf does not let an event's program run
 * within itself, and all events of ours run the same). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind_scratch);
} unwind_scratch SEC(".maps");

static __always_inline struct unwind_scratch *unwind_scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&unwind_scratch, &zero);
}

static __always_inline int unwind_is_in(const struct wire_mapping *m, __u64 pc)
{
	return pc >= m->begin && pc < m->end;
}

/* Puts the mapping of state->pc into state->mapping. False: there is none. */
static __always_inline int unwind_find_mapping(struct unwind_frame *state)
{
	volatile __u32 *low = &state->low, *high = &state->high;
	struct wire_mapping *m;
	__u32 middle;

	if (unwind_is_in(&state->mapping, state->pc))
		return 1;
	*low = state->first;
	*high = state->first + state->count;
	for (int i = 0; i < UNWIND_SEARCH_STEPS && *low < *high; i++) {
		middle = (*low + *high) / 2;
		m = bpf_map_lookup_elem(&unwind_mappings, &middle);
		if (!m)
			return 0;
		if (state->pc >= m->end) {
			*low = middle + 1;
		} else if (state->pc < m->begin) {
			*high = middle;
		} else {
			state->mapping = *m;
			return 1;
		}
	}
	return 0;
}

/* The last row that begins at or before the address. False: there is none. */
static __always_inline int unwind_find_row(struct unwind_frame *state, const struct wire_slab *slab,
					   const struct wire_unwind_page *page, __u32 *ret_rule)
{
	volatile __u32 *low = &state->low, *high = &state->high;
	__u32 address = (state->pc - state->mapping.bias) & 0xffff, middle;

	*low = page->first;
	*high = page->first + page->rows;
	for (int i = 0; i < UNWIND_SEARCH_STEPS && *low < *high; i++) {
		middle = (*low + *high) / 2;
		if (slab->pc[middle & (WIRE_SLAB_ROWS - 1)] <= address)
			*low = middle + 1;
		else
			*high = middle;
	}
	if (*low == page->first)
		return 0;
	middle = (*low - 1) & (WIRE_SLAB_ROWS - 1);
	state->row = slab->pc[middle];
	*ret_rule = slab->rule[middle];
	return 1;
}

static __always_inline __u32 unwind_count_bits(__u32 v) /* of 16 */
{
	v = v - ((v >> 1) & 0x5555);
	v = (v & 0x3333) + ((v >> 2) & 0x3333);
	v = (v + (v >> 4)) & 0x0f0f;
	return (v + (v >> 8)) & 0x1f;
}

/* What pushes or pops since the row began have moved. */
static __always_inline __s32 unwind_steps(const struct unwind_frame *state)
{
	__u32 bytes = ((state->pc - state->mapping.bias) & 0xffff) - state->row;
	__u32 steps = state->rule.steps & ~WIRE_STEP_POP;
	__s32 moved;

	if (bytes < WIRE_STEP_BYTES)
		steps &= (1 << bytes) - 1;
	moved = 8 * unwind_count_bits(steps);
	return state->rule.steps & WIRE_STEP_POP ? -moved : moved;
}

/* Puts the rule for state->pc into state->rule. False: none. */
static __always_inline int unwind_find_rule(struct unwind_frame *state)
{
	__u32 index = state->mapping.pages +
		      (__u32)((state->pc - state->mapping.bias) >> WIRE_UNWIND_PAGE_BITS);
	struct wire_unwind_page *page;
	struct wire_unwind_rule *rule;
	struct wire_slab *slab;
	__u32 zero = 0, number;
	void *inner;

	if (state->mapping.kind != WIRE_MAPPING_TABLE)
		return 0;
	page = bpf_map_lookup_elem(&unwind_pages, &index);
	if (!page || !page->rows)
		return 0;
	number = page->slab;
	inner = bpf_map_lookup_elem(&unwind_slabs, &number);
	if (!inner)
		return 0;
	slab = bpf_map_lookup_elem(inner, &zero);
	if (!slab || !unwind_find_row(state, slab, page, &number))
		return 0;
	rule = bpf_map_lookup_elem(&unwind_rules, &number);
	if (!rule || rule->cfa == WIRE_CFA_UNKNOWN)
		return 0;
	state->rule = *rule;
	return 1;
}

static __always_inline int unwind_read(__u64 address, __u64 *ret)
{
	return bpf_probe_read_user(ret, sizeof(*ret), (const void *)address);
}

/* Another register than those that are followed. False: what it held is not known. */
static __always_inline int unwind_register(const struct unwind_frame *state, __u32 dwarf,
					   __u64 *ret)
{
	if (!state->innermost && !(state->second && register_is_scratch(dwarf)))
		return 0;
	*ret = state->innermost_registers[dwarf & (REGISTERS_DWARF - 1)];
	return 1;
}

/* 0, or the end of the stack + 1. */
static __always_inline int unwind_cfa(struct unwind_frame *state)
{
	const struct wire_unwind_rule *rule = &state->rule;
	__u64 base;

	switch (rule->cfa) {
	case WIRE_CFA_SP:
	case WIRE_CFA_SP_DEREF:
	case WIRE_CFA_PLT:
		base = state->now.sp;
		break;
	case WIRE_CFA_FP_SWITCH:
		if (!state->now.fp)
			return WIRE_END_ROOT + 1;
		base = state->now.fp;
		break;
	case WIRE_CFA_FP:
	case WIRE_CFA_FP_DEREF:
		base = state->now.fp;
		break;
	case WIRE_CFA_REGISTER:
		if (!unwind_register(state, rule->deref_offset, &base))
			return WIRE_END_NO_RULE + 1;
		break;
	case WIRE_CFA_SP_INDEX_DEREF:
		if (!unwind_register(state, rule->index, &base))
			return WIRE_END_NO_RULE + 1;
		base = state->now.sp + 8 * base;
		break;
	default:
		return WIRE_END_NO_RULE + 1;
	}
	if (rule->cfa == WIRE_CFA_SP_DEREF || rule->cfa == WIRE_CFA_FP_DEREF ||
	    rule->cfa == WIRE_CFA_SP_INDEX_DEREF)
		if (unwind_read(base + rule->deref_offset, &base) < 0)
			return WIRE_END_UNREADABLE + 1;
	state->cfa = base + rule->cfa_offset + unwind_steps(state);
	if (rule->cfa == WIRE_CFA_PLT && (__s64)(state->pc & 15) >= rule->deref_offset)
		state->cfa += 8;
	return 0;
}

static __always_inline int unwind_saved_fp(struct unwind_frame *state)
{
	switch (state->rule.fp) {
	case WIRE_SAVED_CFA:
		return unwind_read(state->cfa + state->rule.fp_offset, &state->now.fp);
	case WIRE_SAVED_FP:
		return unwind_read(state->now.fp + state->rule.fp_offset, &state->now.fp);
	case WIRE_SAVED_UNDEFINED:
		state->now.fp = 0;
	}
	return 0;
}

/* By the rule, from a frame to its caller's. 0, or the end of the stack + 1. */
static __always_inline int unwind_by_rule(struct unwind_frame *state)
{
	__u64 ip;
	int r;

	if (state->rule.ra == WIRE_SAVED_UNDEFINED)
		return WIRE_END_ROOT + 1;
	r = unwind_cfa(state);
	if (r)
		return r;
	/* A leaf function of AArch64 has no frame: the same stack pointer for the caller, once. */
	if (state->rule.cfa != WIRE_CFA_FP_SWITCH &&
	    (state->cfa < state->now.sp || (state->cfa == state->now.sp && !state->lr_valid)))
		return WIRE_END_STUCK + 1;
	if (state->rule.ra == WIRE_SAVED_SAME) {
		if (!state->lr_valid)
			return WIRE_END_NO_RULE + 1;
		ip = state->now.lr;
	} else if (unwind_read(state->cfa + state->rule.ra_offset, &ip) < 0) {
		return WIRE_END_UNREADABLE + 1;
	}
	if (unwind_saved_fp(state) < 0)
		return WIRE_END_UNREADABLE + 1;
	state->now.ip = registers_strip(ip);
	state->now.sp = state->cfa;
	state->is_return = 1;
	state->lr_valid = 0;
	return 0;
}

/* By the frame pointer: its own caller's, and the return address above. */
static __always_inline int unwind_by_frame_pointer(struct unwind_scratch *scratch)
{
	struct unwind_frame *state = &scratch->state;
	__u64 pair[2];

	scratch->sample.flags |= WIRE_SAMPLE_FRAME_POINTERS;
	if (!state->now.fp)
		return WIRE_END_ROOT + 1;
	if (state->now.fp < state->now.sp || state->now.fp & 7)
		return WIRE_END_NO_RULE + 1;
	if (bpf_probe_read_user(pair, sizeof(pair), (const void *)state->now.fp) < 0)
		return WIRE_END_UNREADABLE + 1;
	state->now.sp = state->now.fp + sizeof(pair);
	state->now.fp = pair[0];
	state->now.ip = registers_strip(pair[1]);
	state->is_return = 1;
	state->lr_valid = 0;
	return 0;
}

/* Back to what a signal interrupted: all its registers are known again. */
static __always_inline int unwind_signal(struct unwind_scratch *scratch)
{
	struct registers_signal *saved = &scratch->signal;

	if (bpf_probe_read_user(saved, sizeof(*saved), (const void *)scratch->state.now.sp) < 0)
		return WIRE_END_UNREADABLE + 1;
	registers_from_signal(&scratch->state.now, saved);
	scratch->state.is_return = 0;
	scratch->state.lr_valid = 1;
	return 0;
}

static __always_inline void unwind_add_frame(struct unwind_scratch *scratch)
{
	struct unwind_frame *state = &scratch->state;
	struct wire_sample *sample = &scratch->sample;
	__u32 n = sample->kernel_frames + sample->user_frames;
	__u64 frame = state->pc;

	if (unwind_is_in(&state->mapping, state->pc) && state->mapping.binary)
		frame = (__u64)state->mapping.binary << WIRE_FRAME_BINARY_SHIFT |
			((state->pc - state->mapping.bias) &
			 ((1ULL << WIRE_FRAME_BINARY_SHIFT) - 1));
	if (n < WIRE_KERNEL_FRAMES_MAX + WIRE_USER_FRAMES_MAX) {
		sample->frames[n] = frame;
		sample->user_frames++;
	}
}

/* Names the n-th frame of the user's stack and goes on to its caller. 0, or the stack's end + 1. */
__noinline int unwind_step(__u32 n)
{
	struct unwind_scratch *scratch = unwind_scratch_get();
	struct unwind_frame *state;
	int known, r;

	if (!scratch)
		return WIRE_END_NO_RULE + 1;
	state = &scratch->state;
	state->innermost = n == 0;
	state->second = n == 1;
	if (!state->now.ip)
		return WIRE_END_ROOT + 1;
	state->pc = state->now.ip - state->is_return;
	known = unwind_find_mapping(state);
	unwind_add_frame(scratch);
	if (!known)
		return WIRE_END_MAPPING_UNKNOWN + 1;
	if (state->mapping.kind == WIRE_MAPPING_PENDING)
		return WIRE_END_PROCESS_UNKNOWN + 1;
	if (!unwind_find_rule(state)) {
		r = registers_at_sigreturn(state->now.ip) ? unwind_signal(scratch)
							  : unwind_by_frame_pointer(scratch);
	} else if (state->rule.cfa == WIRE_CFA_SIGNAL) {
		r = unwind_signal(scratch);
	} else {
		r = unwind_by_rule(state);
	}
	return r;
}

/* From the registers in state to the root. Returns why it ended (enum wire_stack_end). */
static __always_inline __u8 unwind_user(__u32 tgid, struct unwind_frame *state, __u64 mm)
{
	struct wire_profiled *process = bpf_map_lookup_elem(&profiled, &tgid);
	int r;

	if (!process || process->mm != mm)
		return WIRE_END_PROCESS_UNKNOWN;
	state->first = process->first;
	state->count = process->count;
	for (int i = 0; i < WIRE_USER_FRAMES_MAX; i++) {
		r = unwind_step(i);
		if (r)
			return r - 1;
	}
	return WIRE_END_TOO_DEEP;
}
