/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parent's side. posix_spawn(3), because a process with threads must not do much after fork(2);
 * it shares our memory until the exec, so its price does not grow with ours: start, sandbox and end
 * of a child take 2 ms, half of it CPU time. The answer lies in a memfd, so that nobody has to read
 * while the child works: one poll() for its end and the timeout.
 */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child-internal.h"
#include "base/cleanup.h"
#include "base/util.h"

const char *child_status_name(enum child_status status)
{
	static const char *const names[] = {
		[CHILD_OK] = "ok",
		[CHILD_REFUSED] = "refused",
		[CHILD_CRASHED] = "crashed",
		[CHILD_TIMED_OUT] = "timed out",
		[CHILD_TOO_BIG] = "answer too big",
	};

	return names[status];
}

static int new_message(const struct child_input *input, const struct child_limits *limits)
{
	const struct child_request request = {
		.limits = *limits,
		.parent = getpid(),
		.n_fds = (uint32_t)input->n_fds,
		.size = (uint32_t)input->request_size,
	};
	_cleanup_close_ int fd = memfd_create("child", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (input->n_fds > CHILD_FDS_MAX || input->request_size > CHILD_REQUEST_MAX)
		return -E2BIG;
	if (pwrite(fd, &request, sizeof(request), 0) != sizeof(request) ||
	    pwrite(fd, input->request, request.size, sizeof(request)) != (ssize_t)request.size)
		return -EIO;
	return TAKE_FD(fd);
}

/* Lets fd be `as` in the child. Through a copy of a higher number: as itself may be one of those that
 * are still to be handed over. The copy is closed with copies[]. */
static int hand_over(posix_spawn_file_actions_t *actions, int fd, int as, int *ret_copy)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, CHILD_FD_INPUT + CHILD_FDS_MAX);

	if (copy < 0)
		return -errno;
	*ret_copy = copy;
	return -posix_spawn_file_actions_adddup2(actions, copy, as);
}

#define COPIES (CHILD_FDS_MAX + 1)

static int hand_over_all(posix_spawn_file_actions_t *actions, const struct child_input *input,
			 int message, int copies[static COPIES])
{
	int r = 0;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO - CHILD_SANITIZED && r == 0; fd++)
		r = -posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
	if (r == 0)
		r = hand_over(actions, message, CHILD_FD_MESSAGE, &copies[CHILD_FDS_MAX]);
	for (size_t i = 0; i < input->n_fds && r == 0; i++)
		r = hand_over(actions, input->fds[i], CHILD_FD_INPUT + (int)i, &copies[i]);
	return r;
}

/* No signal is blocked and none is ignored there. */
static int set_signals(posix_spawnattr_t *attributes)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	return -posix_spawnattr_setflags(attributes,
					 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int start_child(const char *name, const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attributes, pid_t *ret_pid)
{
	char *const argv[] = { (char *)"ebpfobsd", (char *)CHILD_ARGUMENT, (char *)name, NULL };
	char *const nothing[] = { NULL };

	return -posix_spawn(ret_pid, "/proc/self/exe", actions, attributes, argv,
			    CHILD_SANITIZED ? environ : nothing);
}

static int spawn(const char *name, const struct child_input *input, int message, pid_t *ret_pid)
{
	int copies[COPIES] = { -EBADF, -EBADF, -EBADF, -EBADF, -EBADF };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	r = -posix_spawn_file_actions_init(&actions);
	if (r < 0)
		return r;
	posix_spawnattr_init(&attributes);
	r = hand_over_all(&actions, input, message, copies);
	if (r == 0)
		r = set_signals(&attributes);
	if (r == 0)
		r = start_child(name, &actions, &attributes, ret_pid);
	for (size_t i = 0; i < COPIES; i++)
		close_fd(copies[i]);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* 1: it ended; 0: not within the time. */
static int await_end(pid_t pid, uint64_t timeout_ns)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	uint64_t now = now_ns(CLOCK_MONOTONIC), end = now + timeout_ns;
	struct pollfd ended = { .fd = fd, .events = POLLIN };
	int n = 0;

	if (fd < 0)
		return -errno;
	for (; now < end && n <= 0; now = now_ns(CLOCK_MONOTONIC)) {
		struct timespec left = { .tv_sec = (time_t)((end - now) / NSEC_PER_SEC),
					 .tv_nsec = (long)((end - now) % NSEC_PER_SEC) };

		n = ppoll(&ended, 1, &left, NULL);
	}
	return n > 0;
}

/* It is gone then, and reaped. *ret_status is what waitpid(2) says, -1 if it was killed for the time. */
static int reap(pid_t pid, uint64_t timeout_ns, int *ret_status)
{
	int status = 0, r = await_end(pid, timeout_ns);

	if (r <= 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r >= 0)
		*ret_status = r ? status : -1;
	return r;
}

/* What it wrote is no longer than limits allow, and what it says it is. */
static int read_answer(int message, const struct child_limits *limits, struct child_result *ret)
{
	struct child_answer head;
	_cleanup_free_ void *data = NULL;
	struct stat st;

	if (fstat(message, &st) < 0 || pread(message, &head, sizeof(head), 0) != sizeof(head) ||
	    head.error > 0 || head.size > limits->result ||
	    (uint64_t)st.st_size != sizeof(head) + head.size)
		return -EBADMSG;
	ret->weak = head.weak;
	if (head.error < 0)
		return head.error;
	data = malloc(head.size + 1);
	if (!data)
		return -ENOMEM;
	if (pread(message, data, head.size, sizeof(head)) != (ssize_t)head.size)
		return -EBADMSG;
	ret->data = TAKE(data);
	ret->size = head.size;
	return 0;
}

static void judge(int status, int message, const struct child_limits *limits,
		  struct child_result *ret)
{
	*ret = (struct child_result){ .status = CHILD_CRASHED };
	if (status < 0) {
		ret->status = CHILD_TIMED_OUT;
	} else if (WIFSIGNALED(status)) {
		ret->error = WTERMSIG(status);
		if (ret->error == SIGXCPU)
			ret->status = CHILD_TIMED_OUT;
		if (ret->error == SIGXFSZ)
			ret->status = CHILD_TOO_BIG;
	} else if (WEXITSTATUS(status) == EXIT_SUCCESS) {
		ret->error = read_answer(message, limits, ret);
		ret->status = ret->error < 0 ? CHILD_REFUSED : CHILD_OK;
	}
}

int child_run(const char *name, const struct child_input *input, const struct child_limits *limits,
	      struct child_result *ret)
{
	_cleanup_close_ int message = new_message(input, limits);
	int r, status;
	pid_t pid;

	if (message < 0)
		return message;
	r = spawn(name, input, message, &pid);
	if (r == 0)
		r = reap(pid, limits->timeout_ns, &status);
	if (r < 0)
		return r;
	judge(status, message, limits, ret);
	return 0;
}
