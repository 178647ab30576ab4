/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The system calls of a child. Three kinds: what reading open files and malloc() need is allowed; what
 * only somebody needs who wants to get out ends the process; all else is refused with EPERM, so that a
 * C library that asks for something new (the number of CPUs, a random seed) goes on without it.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/child-internal.h"
#include "base/cleanup.h"
#include "base/util.h"

static const int allowed[] = {
	SCMP_SYS(pread64),	  SCMP_SYS(read),	  SCMP_SYS(readv),
	SCMP_SYS(preadv),	  SCMP_SYS(lseek),	  SCMP_SYS(fstat),
	SCMP_SYS(fadvise64),	  SCMP_SYS(close),	  SCMP_SYS(brk),
	SCMP_SYS(munmap),	  SCMP_SYS(mremap),	  SCMP_SYS(madvise),
	SCMP_SYS(futex),	  SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(sigaltstack),  SCMP_SYS(restart_syscall),
	SCMP_SYS(clock_gettime),  SCMP_SYS(sched_yield),  SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sysinfo),	  SCMP_SYS(getrandom),	  SCMP_SYS(getpid),
	SCMP_SYS(gettid),	  SCMP_SYS(getuid),	  SCMP_SYS(geteuid),
	SCMP_SYS(exit),		  SCMP_SYS(exit_group),
};

static const int deadly[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(socket),
	SCMP_SYS(socketpair),
	SCMP_SYS(connect),
	SCMP_SYS(sendmsg),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	SCMP_SYS(mount),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(keyctl),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(kill),
};

static int add_all(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = seccomp_rule_add(ctx, action, calls[i], 0);
	return r;
}

/* Those that depend on their arguments. */
static int add_conditional(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp private = SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE, MAP_PRIVATE);
	const struct scmp_arg_cmp message = SCMP_A0(SCMP_CMP_EQ, CHILD_FD_MESSAGE);
	int r;

	r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, no_code, private);
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_code);
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(pwrite64), 1, message);
	/* fstat() of glibc 2.33 to 2.38. A path could be given, too: what stat(2) says of one is all
	 * that a child can learn of files that are not its own. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				     SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
	/* abort() */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	if (r == 0 && CHILD_SANITIZED)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
				     SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO));
	return r;
}

static void filter_release_p(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

int child_filter(void)
{
	_cleanup_(filter_release_p) scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!ctx)
		return -ENOMEM;
	/* Calls of other architectures, with other numbers. */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = add_all(ctx, SCMP_ACT_ALLOW, allowed, ARRAY_SIZE(allowed));
	if (r == 0)
		r = add_all(ctx, SCMP_ACT_KILL_PROCESS, deadly, ARRAY_SIZE(deadly));
	if (r == 0)
		r = add_conditional(ctx);
	return r < 0 ? r : seccomp_load(ctx); /* sets no_new_privs, too */
}
