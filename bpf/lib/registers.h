/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The registers of a user program, by machine: how an interrupt or system call saved them, what a
 * signal handler returns to, and what an unwinder needs of them.
 */
#pragma once

#include "lib/kernel.h"

#define REGISTERS_DWARF 32 /* as the psABI documents number them; those that a rule may name */

struct registers {
	__u64 ip, sp, fp;
	__u64 lr; /* AArch64: the link register */
};

#if defined(__TARGET_ARCH_x86)

#define KERNEL_STACK_SIZE 16384 /* THREAD_SIZE (arch/x86/include/asm/page_64_types.h) */
#define USER32_CS 0x23 /* the code segment of 32-bit programs (arch/x86/include/asm/segment.h) */

/* struct pt_regs, which user space knows from <asm/ptrace.h> */
struct registers_saved {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs,
		flags, sp, ss;
};

/* From a program's context, word by word: it may not be read in any other way. */
static __always_inline void registers_copy(struct registers_saved *s,
					   const struct bpf_perf_event_data *ctx)
{
	const struct registers_saved *regs = (const struct registers_saved *)&ctx->regs;

	s->r15 = regs->r15;
	s->r14 = regs->r14;
	s->r13 = regs->r13;
	s->r12 = regs->r12;
	s->bp = regs->bp;
	s->bx = regs->bx;
	s->r11 = regs->r11;
	s->r10 = regs->r10;
	s->r9 = regs->r9;
	s->r8 = regs->r8;
	s->ax = regs->ax;
	s->cx = regs->cx;
	s->dx = regs->dx;
	s->si = regs->si;
	s->di = regs->di;
	s->ip = regs->ip;
	s->cs = regs->cs;
	s->sp = regs->sp;
}

static __always_inline int registers_are_user(const struct registers_saved *s)
{
	return s->cs & 3;
}

static __always_inline int registers_are_compat(const struct registers_saved *s)
{
	return s->cs == USER32_CS;
}

/* A system call, and neither interrupt nor fault: those have -1 there. */
static __always_inline int registers_in_syscall(const struct registers_saved *s)
{
	return (__s64)s->orig_ax >= 0;
}

static __always_inline void registers_load(struct registers *r, __u64 dwarf[REGISTERS_DWARF],
					   const struct registers_saved *s)
{
	r->ip = s->ip;
	r->sp = s->sp;
	r->fp = s->bp;
	r->lr = 0;
	dwarf[0] = s->ax;
	dwarf[1] = s->dx;
	dwarf[2] = s->cx;
	dwarf[3] = s->bx;
	dwarf[4] = s->si;
	dwarf[5] = s->di;
	dwarf[6] = s->bp;
	dwarf[7] = s->sp;
	dwarf[8] = s->r8;
	dwarf[9] = s->r9;
	dwarf[10] = s->r10;
	dwarf[11] = s->r11;
	dwarf[12] = s->r12;
	dwarf[13] = s->r13;
	dwarf[14] = s->r14;
	dwarf[15] = s->r15;
}

/* A function may overwrite it and need not restore it. One that keeps its CFA there all the same calls only
 * what leaves it alone, so the callee has it still: libcrypto's aesni_gcm_encrypt does so with RAX. */
static __always_inline int register_is_scratch(__u32 dwarf)
{
	return dwarf < REGISTERS_DWARF && 0xf37 >> dwarf & 1;
}

static __always_inline __u64 registers_strip(__u64 address)
{
	return address;
}

/* What lies at the stack pointer when rt_sigreturn() is to be called: struct ucontext of the kernel,
 * in which struct sigcontext follows flags, link and stack (arch/x86/include/uapi/asm). */
struct registers_signal {
	__u64 ucontext[5];
	__u64 r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip;
};

static __always_inline void registers_from_signal(struct registers *r,
						  const struct registers_signal *s)
{
	r->ip = s->ip;
	r->sp = s->sp;
	r->fp = s->bp;
}

/* mov $15,%rax; syscall: the same in every libc, and also where it has no CFI. */
static __always_inline int registers_at_sigreturn(__u64 ip)
{
	__u64 code;
	__u8 last;

	return bpf_probe_read_user(&code, sizeof(code), (const void *)ip) == 0 &&
	       code == 0x0f0000000fc0c748ULL &&
	       bpf_probe_read_user(&last, sizeof(last), (const void *)(ip + 8)) == 0 &&
	       last == 0x05;
}

#elif defined(__TARGET_ARCH_arm64)

#define KERNEL_STACK_SIZE 16384 /* THREAD_SIZE (arch/arm64/include/asm/memory.h), without KASAN */

/* struct user_pt_regs, with which struct pt_regs begins, and what follows there */
struct registers_saved {
	__u64 x[31], sp, pc, pstate, orig_x0;
	__s32 syscallno;
	__u32 unused;
};

/* From a program's context, word by word: it may not be read in any other way. */
static __always_inline void registers_copy(struct registers_saved *s,
					   const struct bpf_perf_event_data *ctx)
{
	const struct registers_saved *regs = (const struct registers_saved *)&ctx->regs;

#pragma unroll
	for (int i = 0; i < 31; i++)
		s->x[i] = regs->x[i];
	s->sp = regs->sp;
	s->pc = regs->pc;
	s->pstate = regs->pstate;
}

static __always_inline int registers_are_user(const struct registers_saved *s)
{
	return (s->pstate & 0xf) == 0; /* EL0t */
}

static __always_inline int registers_are_compat(const struct registers_saved *s)
{
	return (s->pstate & 0x10) != 0;
}

static __always_inline int registers_in_syscall(const struct registers_saved *s)
{
	return s->syscallno >= 0;
}

static __always_inline void registers_load(struct registers *r, __u64 dwarf[REGISTERS_DWARF],
					   const struct registers_saved *s)
{
	r->ip = s->pc;
	r->sp = s->sp;
	r->fp = s->x[29];
	r->lr = s->x[30];
#pragma unroll
	for (int i = 0; i < 31; i++)
		dwarf[i] = s->x[i];
	dwarf[31] = s->sp;
}

/* A function may overwrite it and need not restore it. */
static __always_inline int register_is_scratch(__u32 dwarf)
{
	return dwarf < REGISTERS_DWARF && 0x7ffff >> dwarf & 1;
}

/* A return address may be signed in the bits above the 48 (52 with LVA) of a user address. */
static __always_inline __u64 registers_strip(__u64 address)
{
	return address & 0x000fffffffffffffULL;
}

/* What lies at the stack pointer when rt_sigreturn() is to be called: siginfo (128 bytes), ucontext
 * (176 up to the registers; arch/arm64/include/uapi/asm), fault address, registers. */
struct registers_signal {
	__u64 before[39];
	__u64 x[31], sp, pc;
};

static __always_inline void registers_from_signal(struct registers *r,
						  const struct registers_signal *s)
{
	r->ip = s->pc;
	r->sp = s->sp;
	r->fp = s->x[29];
	r->lr = s->x[30];
}

/* mov x8,#139; svc #0 */
static __always_inline int registers_at_sigreturn(__u64 ip)
{
	__u64 code;

	return bpf_probe_read_user(&code, sizeof(code), (const void *)ip) == 0 &&
	       code == 0xd4000001d2801168ULL;
}

#else
#error "the registers of this machine are not known"
#endif
