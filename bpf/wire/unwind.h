/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Unwind tables, as src/binary builds them from .eh_frame or Go's pclntab and as the unwinder in bpf/lib reads them.
 *
 * The text of a binary is cut into pages of 64 KiB by its ELF virtual addresses. A page is a run of
 * rows in the order of their addresses; a row is the lower half of the address where it begins and the
 * number of a rule. A row holds up to the next one. A page's first row begins at 0 (what holds there
 * comes from the page before), so that a search never leaves its page.
 *
 * A rule says how to get from a frame to its caller's: where the canonical frame address is (CFA, DWARF
 * 5 section 6.4), and the return address and the frame pointer in relation to it. Only stack pointer,
 * frame pointer and instruction pointer are followed; what needs more has WIRE_CFA_UNKNOWN.
 */
#pragma once

#include "types.h"

#define WIRE_UNWIND_PAGE_BITS 16

enum wire_cfa {
	WIRE_CFA_UNKNOWN, /* no rule: not covered, or beyond what rules can say */
	WIRE_CFA_SP, /* stack pointer + cfa_offset */
	WIRE_CFA_FP, /* frame pointer + cfa_offset */
	WIRE_CFA_SP_DEREF, /* *(stack pointer + deref_offset) + cfa_offset: realigned stacks */
	WIRE_CFA_FP_DEREF, /* *(frame pointer + deref_offset) + cfa_offset */
	/* x86-64 .plt: stack pointer + cfa_offset, and 8 more from byte deref_offset of each 16 byte entry
	 * on (the number depends on the linker and on IBT, so it is taken from the expression). */
	WIRE_CFA_PLT,
	/* Register (DWARF number in deref_offset) + cfa_offset: of use in the innermost frame only, and in
	 * the one above it if it is a register that calls need not preserve. */
	WIRE_CFA_REGISTER,
	/* The frame that a signal handler returns to: all registers are in the kernel's ucontext at the
	 * stack pointer. */
	WIRE_CFA_SIGNAL,
	/* As WIRE_CFA_FP, in code that changes stacks: the caller's frame may be anywhere, and a frame
	 * pointer of 0 means that it was left behind for good, so that this is the root. */
	WIRE_CFA_FP_SWITCH,
	/* *(stack pointer + 8 * register (DWARF number in index) + deref_offset) + cfa_offset: below an array
	 * on the stack whose length the register holds. In the same frames as WIRE_CFA_REGISTER. */
	WIRE_CFA_SP_INDEX_DEREF,
};

/* Where a register of the caller is. */
enum wire_saved {
	WIRE_SAVED_SAME, /* still in the register. Return address: in the link register (arm64 only) */
	WIRE_SAVED_CFA, /* at CFA + offset */
	WIRE_SAVED_FP, /* at frame pointer + offset */
	WIRE_SAVED_UNDEFINED, /* lost. Return address: there is no caller, this is the root */
};

/*
 * Pushes and pops move the CFA by a word each few bytes. A row with steps stands for all of a run: at
 * the row's address + 1 + n the CFA's offset has moved once more for each bit set among the bits 0 to n.
 */
#define WIRE_STEP_BYTES 15
#define WIRE_STEP_POP 0x8000 /* the moves are by -8; else by 8 */

struct wire_unwind_rule {
	__u8 cfa; /* enum wire_cfa */
	__u8 fp; /* enum wire_saved: frame pointer */
	__u8 ra; /* enum wire_saved: return address */
	__u8 index; /* register of WIRE_CFA_SP_INDEX_DEREF; else 0 */
	__s32 cfa_offset;
	__s16 deref_offset;
	__s16 fp_offset;
	__s16 ra_offset; /* x86-64: always -8 with WIRE_SAVED_CFA */
	__u16 steps; /* bits 0 to 14: see above; bit 15: WIRE_STEP_POP */
};
_Static_assert(sizeof(struct wire_unwind_rule) == 16, "wire_unwind_rule");

#define WIRE_RULE_NONE 0 /* rule 0 of every table: WIRE_CFA_UNKNOWN */
