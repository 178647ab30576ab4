/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the profile program and src/collect/profile tell each other: where the unwind tables are
 * (bpf/wire/unwind.h says what is in them), and samples. Fixed width, no padding.
 */
#pragma once

#include "types.h"
#include "unwind.h"

#define WIRE_KERNEL_FRAMES_MAX 127 /* the default of kernel.perf_event_max_stack */
#define WIRE_USER_FRAMES_MAX 1000

/* --- tables ---------------------------------------------------------------------------------- */

/* The text of all tables lies in slabs; a page of a table is a run of rows in one slab. */
#define WIRE_SLAB_ROWS 65536
struct wire_slab {
	__u16 pc[WIRE_SLAB_ROWS]; /* lower half of the address where the row begins */
	__u16 rule[WIRE_SLAB_ROWS]; /* index in the rules of all tables */
};

struct wire_unwind_page {
	__u16 slab;
	__u16 first; /* row */
	__u32 rows; /* 0: nothing is known here */
};
_Static_assert(sizeof(struct wire_unwind_page) == 8, "wire_unwind_page");

enum wire_mapping_kind {
	WIRE_MAPPING_TABLE, /* of a binary that has a table */
	WIRE_MAPPING_PENDING, /* of one whose table is being built: a stack ends here meanwhile */
	WIRE_MAPPING_PLAIN, /* of one that has none: frame pointers */
	WIRE_MAPPING_ANONYMOUS, /* code that a program made: frame pointers, addresses as they are */
};

/* An executable mapping. Those of a process are a run in the order of their addresses. */
struct wire_mapping {
	__u64 begin, end;
	__u64 bias; /* address - bias = the binary's own (ELF) address */
	__u32 pages; /* index of the page with ELF address 0, modulo 2^32 */
	__u16 binary; /* number that user space gave it; 0: none */
	__u8 kind; /* enum wire_mapping_kind */
	__u8 unused;
};
_Static_assert(sizeof(struct wire_mapping) == 32, "wire_mapping");

struct wire_profiled { /* a process whose mappings are known, by thread group id */
	__u64 mm; /* the address of its mm_struct: another one after exec */
	__u32 first, count; /* run of mappings */
};
_Static_assert(sizeof(struct wire_profiled) == 16, "wire_profiled");

/* --- samples --------------------------------------------------------------------------------- */

/* Why the user part of a stack ends where it does. Same order as enum stack_end in src/model/sample.h */
enum wire_stack_end {
	WIRE_END_ROOT, /* complete */
	WIRE_END_NONE, /* a kernel thread: there is no user part */
	WIRE_END_PROCESS_UNKNOWN, /* its mappings are not known yet, or not all of their tables */
	WIRE_END_MAPPING_UNKNOWN, /* an address in none of its mappings */
	WIRE_END_NO_RULE, /* no table covers it and the frame pointer leads nowhere */
	WIRE_END_UNREADABLE, /* the stack is not in memory, or is none */
	WIRE_END_STUCK, /* the caller's frame would be below this one */
	WIRE_END_TOO_DEEP, /* more than WIRE_USER_FRAMES_MAX */
	WIRE_END_COMPAT, /* a 32-bit program */
	WIRE_ENDS,
};

/* A frame is the binary's number in the upper 16 bits and the address in the binary in the lower 48;
 * with number 0 it is the address in the process. Kernel frames are addresses. */
#define WIRE_FRAME_BINARY_SHIFT 48

#define WIRE_SAMPLE_FRAME_POINTERS 1 /* a frame was found by frame pointer, for want of a table */
#define WIRE_SAMPLE_SYSCALL 2 /* the user part ends in a system call */

struct wire_sample {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 weight; /* what the event counted since the last one: nanoseconds, cycles, faults */
	__u64 cgroup_id;
	__u64 mm; /* as in struct wire_profiled */
	__u64 executable; /* pages of executable mappings: changes when those do */
	__u64 start_ns; /* CLOCK_BOOTTIME, of the process */
	__u32 tgid, tid; /* initial pid namespace */
	__u32 cpu;
	__u16 kernel_frames, user_frames; /* innermost first; the kernel's, then the user's */
	__u8 end; /* enum wire_stack_end */
	__u8 flags; /* WIRE_SAMPLE_* */
	__u8 unused[6];
	char comm[16]; /* of the thread */
	__u64 frames[WIRE_KERNEL_FRAMES_MAX + WIRE_USER_FRAMES_MAX]; /* sent as far as used */
};
_Static_assert(sizeof(struct wire_sample) == 88 + 8 * 1127, "wire_sample");

/* Per CPU. fired = delivered + lost + filtered. */
enum wire_profile_count {
	WIRE_PROFILE_FIRED,
	WIRE_PROFILE_DELIVERED,
	WIRE_PROFILE_LOST, /* the ring was full */
	WIRE_PROFILE_FILTERED, /* out of scope */
	WIRE_PROFILE_COUNTS,
};
