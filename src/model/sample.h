/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Samples: where a program was when an event fired. A stack is told by addresses within pieces of code,
 * which are named late, when somebody asks: the same code has the same addresses wherever a process
 * has it mapped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/workload.h"

enum code_kind {
	CODE_UNKNOWN, /* no mapping was known: addresses of the process */
	CODE_FILE, /* ELF: addresses as in the file; id: its build id, or a hash of it */
	CODE_VDSO, /* the same; id: its build id */
	CODE_KERNEL, /* addresses of this boot; id: the boot's */
	CODE_ANONYMOUS, /* made by the process: its addresses; id: of the process */
	CODE_KIND_MAX_,
};

#define CODE_ID_MAX 64 /* bytes */

/* A piece of code. Its key is (kind, id). */
struct code {
	enum code_kind kind;
	uint8_t id_size;
	uint8_t id[CODE_ID_MAX];
	const char *path; /* an attribute: as the process that was seen first has it; "" */
};

struct frame {
	const struct code *code; /* borrowed; never NULL */
	uint64_t address; /* of the instruction; of a caller: within its call */
};

/* Why the user part of a stack ends where it does. Same order as enum wire_stack_end. */
enum stack_end {
	STACK_END_ROOT, /* complete */
	STACK_END_NONE, /* a kernel thread: there is no user part */
	STACK_END_PROCESS_UNKNOWN, /* its mappings were not known yet, or not all of their tables */
	STACK_END_MAPPING_UNKNOWN, /* an address in none of its mappings */
	STACK_END_NO_RULE, /* no table covers it and the frame pointer leads nowhere */
	STACK_END_UNREADABLE, /* the stack is not in memory, or is none */
	STACK_END_STUCK, /* the caller's frame would be below this one */
	STACK_END_TOO_DEEP,
	STACK_END_COMPAT, /* a 32-bit program */
	STACK_END_MAX_,
};

static inline bool stack_end_is_whole(enum stack_end end)
{
	return end == STACK_END_ROOT || end == STACK_END_NONE;
}

/* What fired. */
enum sample_event {
	SAMPLE_CPU, /* value: nanoseconds */
	SAMPLE_OFF_CPU, /* nanoseconds blocked */
	SAMPLE_PAGE_FAULTS, /* faults */
	SAMPLE_ALLOC, /* bytes */
	SAMPLE_EVENT_MAX_,
};

#define SAMPLE_FRAMES_MAX 1127 /* of the kernel 127, of the program 1,000 */

struct sample {
	enum sample_event event;
	struct process_ref process; /* pid 0: none (idle) */
	struct workload workload; /* filled by enrich */
	pid_t tid; /* initial pid namespace; 0: of several threads, added up */
	char thread[COMM_LEN];
	int32_t cpu; /* -1: of several */
	enum stack_end end;
	uint32_t n_kernel; /* of frames: the first ones are the kernel's */
	uint32_t n; /* frames in all; at most SAMPLE_FRAMES_MAX */
	const struct frame *frames; /* innermost first; borrowed */
	uint64_t count; /* samples */
	uint64_t value; /* what they weigh, in the event's unit */
	bool other; /* the exact sum of rows that thinning took away: no stack */
};

/* What became of the events that fired for a process on a CPU: fired = count of its samples + lost. */
struct sample_loss {
	enum sample_event event;
	struct process_ref process; /* pid 0: not known whose */
	struct workload workload;
	int32_t cpu;
	uint64_t lost;
};
