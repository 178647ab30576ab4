/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The child's side: first it gives up what it has, in an order in which each step still can be done,
 * then it works. It never says anything but its answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/child-internal.h"
#include "base/cleanup.h"
#include "base/util.h"

#define NOBODY 65534 /* in every distribution, and in every user namespace */
#define NICE 5 /* a third of what others get: somebody waits for the names */
/* Addresses that are not data: the program, its libraries, and files that a library maps. */
#define MAPPED_MAX (UINT64_C(8) << 30)

struct message {
	struct child_request request;
	char bytes[CHILD_REQUEST_MAX];
};

int child_is_asked_for(int argc, char **argv)
{
	return argc == 3 && streq(argv[1], CHILD_ARGUMENT);
}

static int read_message(struct message *ret)
{
	ssize_t n = pread(CHILD_FD_MESSAGE, ret, sizeof(*ret), 0);

	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(ret->request) || ret->request.n_fds > CHILD_FDS_MAX ||
	    (size_t)n != sizeof(ret->request) + ret->request.size)
		return -EBADMSG;
	return ftruncate(CHILD_FD_MESSAGE, 0) < 0 ? -errno : 0;
}

/* If memory gets short, then the child goes and not the daemon. */
static void offer_to_oom_killer(void)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "1000", 4) < 0)
		return; /* then the kernel chooses by size, as ever */
}

/* 0 or CHILD_WITHOUT_USER. */
static unsigned drop_user(void)
{
	if (geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return CHILD_WITHOUT_USER;
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

/* After the change of user, which takes both back. */
static int tie_to_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH; /* it went before the first of these lines */
}

static int set_limit(int resource, uint64_t soft, uint64_t hard)
{
	const struct rlimit limit = { .rlim_cur = soft, .rlim_max = hard };

	return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

static int set_limits(const struct child_limits *limits)
{
	uint64_t answer = sizeof(struct child_answer) + limits->result;
	int r = 0;

	if (!CHILD_SANITIZED) {
		r = set_limit(RLIMIT_DATA, limits->memory, limits->memory);
		if (r == 0)
			r = set_limit(RLIMIT_AS, limits->memory + MAPPED_MAX,
				      limits->memory + MAPPED_MAX);
	}
	if (r == 0) /* SIGXCPU, and a second later SIGKILL */
		r = set_limit(RLIMIT_CPU, limits->cpu_s, limits->cpu_s + 1);
	if (r == 0)
		r = set_limit(RLIMIT_FSIZE, answer, answer);
	if (r == 0)
		r = set_limit(RLIMIT_CORE, 0, 0);
	if (r == 0)
		r = set_limit(RLIMIT_NPROC, 0, 0);
	return r < 0 ? r : set_limit(RLIMIT_NOFILE, 0, 0);
}

/* Gives up all that is not needed; 0 or more: CHILD_WITHOUT_*. */
static int enter_sandbox(const struct child_request *request)
{
	unsigned weak;
	int r;

	if (syscall(SYS_close_range, CHILD_FD_INPUT + request->n_fds, ~0U, 0) < 0)
		return -errno;
	offer_to_oom_killer();
	if (setpriority(PRIO_PROCESS, 0, NICE) < 0)
		return -errno;
	weak = drop_user();
	r = drop_capabilities();
	if (r == 0)
		r = tie_to_parent(request->parent);
	if (r == 0)
		r = set_limits(&request->limits);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	if (r < 0)
		return r;
	if (child_filter() < 0)
		weak |= CHILD_WITHOUT_FILTER;
	return (int)weak;
}

static int write_all(const void *data, size_t size, off_t at)
{
	const char *p = data;
	ssize_t n;

	for (; size > 0; p += n, at += n, size -= (size_t)n) {
		n = pwrite(CHILD_FD_MESSAGE, p, size, at);
		if (n < 0)
			return -errno;
	}
	return 0;
}

static int answer(int error, int weak, const void *data, size_t size)
{
	const struct child_answer head = { .error = error, .weak = (uint32_t)weak, .size = size };

	if (write_all(&head, sizeof(head), 0) < 0 || write_all(data, size, sizeof(head)) < 0)
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

static int run(const struct child_ops *ops, const struct message *message)
{
	static const int fds[CHILD_FDS_MAX] = { CHILD_FD_INPUT, CHILD_FD_INPUT + 1,
						CHILD_FD_INPUT + 2, CHILD_FD_INPUT + 3 };
	const struct child_input input = { fds, message->request.n_fds, message->bytes,
					   message->request.size };
	void *data = NULL;
	size_t size = 0;
	int r, weak;

	weak = enter_sandbox(&message->request);
	if (weak < 0)
		return answer(weak, 0, NULL, 0);
	r = ops->run(&input, &data, &size);
	return r < 0 ? answer(r, weak, NULL, 0) : answer(0, weak, data, size);
}

/* Ends by _exit(): nothing of what the program does at its end is this process's, and the sanitizers'
 * search for leaks would want to trace it. */
int child_main(char **argv, const struct child_ops *const *ops)
{
	static struct message message;

	while (*ops && !streq((*ops)->name, argv[2]))
		ops++;
	prctl(PR_SET_NAME, "ebpfobs-child"); /* else ps and top call it "exe" */
	if (!*ops || read_message(&message) < 0)
		return EXIT_FAILURE;
	_exit(run(*ops, &message));
}
