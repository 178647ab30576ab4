/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * This test is its own child: functions that behave and functions that do not, run in the sandbox. The
 * parent stays as it was: no descriptor more, nobody to reap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child-internal.h"
#include "base/cleanup.h"
#include "base/util.h"

#define MB ((uint64_t)1 << 20)

static const struct child_limits limits = {
	.memory = 64 * MB,
	.result = MB,
	.cpu_s = 20,
	.timeout_ns = 20 * NSEC_PER_SEC,
};

/*
 * What runs in the child.
 */

static int return_copy(const void *data, size_t size, void **ret, size_t *ret_size)
{
	*ret = malloc(size + 1);
	if (!*ret)
		return -ENOMEM;
	memcpy(*ret, data, size);
	*ret_size = size;
	return 0;
}

/* The request, then what is in the files. */
static int run_echo(const struct child_input *input, void **ret, size_t *ret_size)
{
	char buf[4096];
	size_t n = input->request_size;

	memcpy(buf, input->request, n);
	for (size_t i = 0; i < input->n_fds; i++) {
		ssize_t got = pread(input->fds[i], buf + n, sizeof(buf) - n, 0);

		if (got < 0)
			return -errno;
		n += (size_t)got;
	}
	return return_copy(buf, n, ret, ret_size);
}

static int run_nothing(const struct child_input *input, void **ret, size_t *ret_size)
{
	return 0;
}

static int run_no(const struct child_input *input, void **ret, size_t *ret_size)
{
	return -ENOEXEC;
}

static int run_abort(const struct child_input *input, void **ret, size_t *ret_size)
{
	abort();
}

static int run_exit(const struct child_input *input, void **ret, size_t *ret_size)
{
	_exit(3);
}

static int run_loop(const struct child_input *input, void **ret, size_t *ret_size)
{
	volatile bool for_ever = true;

	while (for_ever)
		;
	return 0;
}

/* How much it gets, in MB. */
static int run_allocate(const struct child_input *input, void **ret, size_t *ret_size)
{
	uint32_t n = 0;
	char *p;

	while (n < 4096 && (p = malloc(MB)))
		memset(p, ++n & 0xff, MB);
	return return_copy(&n, sizeof(n), ret, ret_size);
}

static int run_write_much(const struct child_input *input, void **ret, size_t *ret_size)
{
	*ret_size = limits.result + 1;
	*ret = calloc(1, *ret_size);
	return *ret ? 0 : -ENOMEM;
}

/* It does not go through us, and says another size than it writes. */
static int run_lie(const struct child_input *input, void **ret, size_t *ret_size)
{
	const struct child_answer lie = { .size = 1000 };

	if (pwrite(CHILD_FD_MESSAGE, &lie, sizeof(lie), 0) < 0)
		return -errno;
	_exit(0);
}

/* -errno of what is tried. 0: it could be done. */
static int try_open(void)
{
	return open("/etc/passwd", O_RDONLY) < 0 ? -errno : 0;
}

static int try_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static int try_mprotect(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC) < 0 ? -errno : 0;
}

static int try_shared(void)
{
	void *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

/* Of a descriptor that was open for writing in the parent. */
static int try_write(void)
{
	return pwrite(CHILD_FD_INPUT, "x", 1, 0) < 0 ? -errno : 0;
}

static int try_others(void)
{
	for (int fd = CHILD_FD_INPUT + 1; fd < 1024; fd++)
		if (lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF)
			return 0;
	return -EBADF;
}

static int try_kill_parent(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0) < 0 ? -errno : 0;
}

static int try_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? -errno : 0;
}

static int try_exec(void)
{
	return execl("/bin/true", "true", NULL) < 0 ? -errno : 0;
}

static int try_fork(void)
{
	return fork() < 0 ? -errno : 0;
}

static int try_ptrace(void)
{
	return syscall(SYS_ptrace, 0, 0, 0, 0) < 0 ? -errno : 0;
}

static const struct {
	const char *name;
	int (*act)(void);
	int error; /* SIGSYS: it dies of it */
} tries[] = {
	{ "open", try_open, -EPERM },	      { "code", try_code, -EPERM },
	{ "mprotect", try_mprotect, -EPERM }, { "shared", try_shared, -EPERM },
	{ "write", try_write, -EPERM },	      { "others", try_others, -EBADF },
	{ "kill", try_kill_parent, -EPERM },  { "socket", try_socket, SIGSYS },
	{ "exec", try_exec, SIGSYS },	      { "fork", try_fork, SIGSYS },
	{ "ptrace", try_ptrace, SIGSYS },
};

/* The request is the number of what is to be tried. */
static int run_try(const struct child_input *input, void **ret, size_t *ret_size)
{
	return tries[*(const uint8_t *)input->request].act();
}

struct state {
	uint32_t uid;
	uint32_t descriptors; /* open below 1024 */
};

static int run_state(const struct child_input *input, void **ret, size_t *ret_size)
{
	struct state state = { .uid = getuid() };

	for (int fd = 0; fd < 1024; fd++)
		state.descriptors += lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF;
	return return_copy(&state, sizeof(state), ret, ret_size);
}

static const struct child_ops functions[] = {
	{ "echo", run_echo },
	{ "nothing", run_nothing },
	{ "no", run_no },
	{ "abort", run_abort },
	{ "exit", run_exit },
	{ "loop", run_loop },
	{ "allocate", run_allocate },
	{ "write-much", run_write_much },
	{ "lie", run_lie },
	{ "try", run_try },
	{ "state", run_state },
};

/*
 * What runs in the test.
 */

static unsigned count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int setup(void **state)
{
	static unsigned n;

	n = count_descriptors();
	*state = &n;
	return 0;
}

static int teardown(void **state)
{
	const unsigned *n = *state;

	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(count_descriptors(), *n);
	return 0;
}

static struct child_result run(const char *name, const struct child_limits *l)
{
	struct child_result result;

	assert_int_equal(child_run(name, &(struct child_input){ 0 }, l, &result), 0);
	assert_true(result.status == CHILD_OK || (!result.data && !result.size));
	return result;
}

static void test_answer(void **state)
{
	int file = memfd_create("input", MFD_CLOEXEC), fds[CHILD_FDS_MAX];
	const struct child_input input = { fds, CHILD_FDS_MAX, "request ", 8 };
	struct child_result result;

	assert_int_equal(write(file, "content ", 8), 8);
	for (size_t i = 0; i < CHILD_FDS_MAX; i++)
		fds[i] = file;
	assert_int_equal(child_run("echo", &input, &limits, &result), 0);
	assert_int_equal(result.status, CHILD_OK);
	assert_int_equal(result.size, 8 * (1 + CHILD_FDS_MAX));
	assert_memory_equal(result.data, "request content content content content ", result.size);
	free(result.data);
	close(file);
}

static void test_no_answer(void **state)
{
	struct child_result result = run("nothing", &limits);

	assert_int_equal(result.status, CHILD_OK);
	assert_int_equal(result.size, 0);
	free(result.data);
	result = run("no", &limits);
	assert_int_equal(result.status, CHILD_REFUSED);
	assert_int_equal(result.error, -ENOEXEC);
	result = run("lie", &limits);
	assert_int_equal(result.status, CHILD_REFUSED);
	assert_int_equal(result.error, -EBADMSG);
	result = run("exit", &limits);
	assert_int_equal(result.status, CHILD_CRASHED);
	assert_int_equal(result.error, 0);
	result = run("there is no such function", &limits);
	assert_int_equal(result.status, CHILD_CRASHED);
}

static void test_crash(void **state)
{
	struct child_result result = run("abort", &limits);

	assert_int_equal(result.status, CHILD_CRASHED);
	assert_int_equal(result.error, SIGABRT);
}

static void test_loop(void **state)
{
	struct child_limits l = limits;
	struct child_result result;

	l.timeout_ns = 300 * NSEC_PER_MSEC;
	result = run("loop", &l);
	assert_int_equal(result.status, CHILD_TIMED_OUT);
	assert_int_equal(result.error, 0);
	l.timeout_ns = 300 * NSEC_PER_SEC; /* the machine may be busy */
	l.cpu_s = 1;
	result = run("loop", &l);
	assert_int_equal(result.status, CHILD_TIMED_OUT);
	assert_int_equal(result.error, SIGXCPU);
}

static void test_memory(void **state)
{
	struct child_limits l = limits;
	struct child_result result;
	uint32_t mb;

	if (CHILD_SANITIZED) {
		print_message("the sanitizers need all addresses\n");
		skip();
	}
	l.memory = 32 * MB;
	result = run("allocate", &l);
	assert_int_equal(result.status, CHILD_OK);
	memcpy(&mb, result.data, sizeof(mb));
	assert_true(mb >= 24 && mb < 32);
	free(result.data);
}

static void test_too_big(void **state)
{
	struct child_limits l = limits;
	struct child_result result;

	assert_int_equal(run("write-much", &limits).status, CHILD_TOO_BIG);
	l.result++;
	result = run("write-much", &l);
	assert_int_equal(result.status, CHILD_OK);
	assert_int_equal(result.size, l.result);
	free(result.data);
}

static void test_break_out(void **state)
{
	int file = memfd_create("input", MFD_CLOEXEC), leak = open("/dev/null", O_RDONLY);
	struct child_input input = { &file, 1, NULL, 1 };
	struct child_result result;

	for (uint8_t i = 0; i < ARRAY_SIZE(tries); i++) {
		input.request = &i;
		assert_int_equal(child_run("try", &input, &limits, &result), 0);
		if (result.error != tries[i].error)
			print_message("%s: %s, %d\n", tries[i].name,
				      child_status_name(result.status), result.error);
		assert_int_equal(result.error, tries[i].error);
		assert_int_equal(result.status,
				 tries[i].error == SIGSYS ? CHILD_CRASHED : CHILD_REFUSED);
	}
	close(leak);
	close(file);
}

/* Descriptors 0 to 2 and the message; another user if we are root. */
static void test_state(void **state)
{
	struct child_result result = run("state", &limits);
	struct state child;

	assert_int_equal(result.status, CHILD_OK);
	assert_false(result.weak & CHILD_WITHOUT_FILTER);
	memcpy(&child, result.data, sizeof(child));
	assert_int_equal(child.descriptors, 4);
	if (geteuid() != 0)
		assert_int_equal(child.uid, getuid());
	else
		assert_int_equal(child.uid == 0, !!(result.weak & CHILD_WITHOUT_USER));
	free(result.data);
}

/* What f returns in a process of its own, where a filter may stay. */
static int run_apart(int (*f)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(f());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A machine that grants neither a filter nor another user: the child says so, and works. */
static int run_where_refused(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	struct child_result result;

	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp), 0);
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setresuid), 0);
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1,
			 SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP));
	if (seccomp_load(ctx) < 0 ||
	    child_run("state", &(struct child_input){ 0 }, &limits, &result) < 0 ||
	    result.status != CHILD_OK)
		return 100;
	return (int)result.weak;
}

/* One that grants no way to wait: then there is no child, and none is left. */
static int run_without_pidfd(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	struct child_result result;

	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(pidfd_open), 0);
	if (seccomp_load(ctx) < 0 ||
	    child_run("nothing", &(struct child_input){ 0 }, &limits, &result) != -ENOSYS)
		return 100;
	return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD ? 0 : 101;
}

static void test_degrades(void **state)
{
	assert_int_equal(run_apart(run_where_refused),
			 CHILD_WITHOUT_FILTER | (geteuid() == 0 ? CHILD_WITHOUT_USER : 0));
	assert_int_equal(run_apart(run_without_pidfd), 0);
}

static void test_bad_call(void **state)
{
	struct child_input input = { .n_fds = CHILD_FDS_MAX + 1 };
	struct child_result result;

	assert_int_equal(child_run("echo", &input, &limits, &result), -E2BIG);
	input = (struct child_input){ .request_size = CHILD_REQUEST_MAX + 1 };
	assert_int_equal(child_run("echo", &input, &limits, &result), -E2BIG);
	input = (struct child_input){ .n_fds = 1, .fds = (const int[]){ 9999 } };
	assert_int_equal(child_run("echo", &input, &limits, &result), -EBADF);
}

/* What ps(1) calls it, from when it has begun. */
static void await_name(pid_t pid)
{
	char path[64], name[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	for (int i = 0; i < 500 && !streq(name, "ebpfobs-child\n"); i++) {
		_cleanup_fclose_ FILE *f = fopen(path, "re");

		usleep(10000);
		assert_non_null(f);
		assert_non_null(fgets(name, sizeof(name), f));
	}
	assert_string_equal(name, "ebpfobs-child\n");
}

/* The child of a process that gets killed comes to us, and is dead already. */
static void test_parent_dies(void **state)
{
	pid_t parent, child;
	char path[64], children[32] = "";
	int status;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	parent = fork();
	if (parent == 0) {
		struct child_result result;

		child_run("loop", &(struct child_input){ 0 }, &limits, &result);
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	for (int i = 0; i < 500 && !*children; i++) {
		_cleanup_fclose_ FILE *f = fopen(path, "re");

		usleep(10000);
		if (!f || !fgets(children, sizeof(children), f))
			*children = 0;
	}
	child = atoi(children);
	assert_true(child > 0);
	await_name(child);
	usleep(100000); /* until it runs in its loop */
	kill(parent, SIGKILL);
	assert_int_equal(waitpid(parent, &status, 0), parent);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void test_cost(void **state)
{
	enum { RUNS = 50 };
	struct rusage before, after;
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	double cpu;

	getrusage(RUSAGE_CHILDREN, &before);
	for (int i = 0; i < RUNS; i++) {
		struct child_result result = run("nothing", &limits);

		assert_int_equal(result.status, CHILD_OK);
		free(result.data);
	}
	getrusage(RUSAGE_CHILDREN, &after);
	cpu = (double)(after.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_utime.tv_sec -
		       before.ru_stime.tv_sec) *
		      1e3 +
	      (double)(after.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_utime.tv_usec -
		       before.ru_stime.tv_usec) /
		      1e3;
	print_message("# one child: %.1f ms, of CPU %.1f ms\n",
		      (double)(now_ns(CLOCK_MONOTONIC) - start) / 1e6 / RUNS, cpu / RUNS);
}

int main(int argc, char **argv)
{
	const struct child_ops *ops[ARRAY_SIZE(functions) + 1] = { 0 };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_big, setup, teardown),
		cmocka_unit_test_setup_teardown(test_break_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_state, setup, teardown),
		cmocka_unit_test_setup_teardown(test_degrades, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parent_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cost, setup, teardown),
	};

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		ops[i] = &functions[i];
	if (child_is_asked_for(argc, argv))
		return child_main(argv, ops);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
