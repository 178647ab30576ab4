/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work on a stranger's bytes happens in a child process that lives for that one piece of work: this
 * program once more (/proc/self/exe), started in a hidden mode, which gives up all that it can before
 * it touches the input. It has the files that were handed over and nothing else: no way to open one,
 * no network, no other process, no capability, bounds on memory, CPU time and on what it answers. It
 * returns one flat piece of memory; what that says is to be checked as a stranger's bytes, too.
 *
 * SECURITY.md says what the sandbox is made of.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CHILD_FDS_MAX 4 /* files that a child gets: a binary, its debug file */
#define CHILD_REQUEST_MAX 4096 /* bytes that say what to do with them */

struct child_input {
	const int *fds; /* open; they stay so */
	size_t n_fds;
	const void *request;
	size_t request_size;
};

/* What a child can do. It runs there, single-threaded. */
struct child_ops {
	const char *name; /* also argv[2] of the child */
	/* 0 and *ret_size bytes as *ret, which last until the process ends; or -errno. */
	int (*run)(const struct child_input *input, void **ret, size_t *ret_size);
};

struct child_limits {
	/* Bytes of data, about 3 MB of the program's own included. The unwind table of libLLVM takes
	 * 10 MB, its symbols 52; those of node 80. */
	uint64_t memory;
	uint64_t result; /* bytes that it may answer with */
	uint64_t cpu_s; /* seconds of CPU time */
	uint64_t timeout_ns; /* from beginning to end: it runs with little priority */
};

enum child_status {
	CHILD_OK,
	CHILD_REFUSED, /* it said no: error is its -errno; -EBADMSG: its answer was none */
	CHILD_CRASHED, /* error is the signal, SIGSYS where it tried to break out; 0: it just ended */
	CHILD_TIMED_OUT, /* by the clock (killed), or of CPU time: then error is SIGXCPU */
	CHILD_TOO_BIG, /* its answer was beyond limits.result */
	CHILD_STATUS_MAX_,
};

/* What the machine refused, so that the sandbox is weaker than it should be. */
enum {
	CHILD_WITHOUT_FILTER = 1 << 0, /* seccomp(2): it could open files and sockets as its user */
	CHILD_WITHOUT_USER = 1 << 1, /* setuid(2): it stays root, without any capability */
};

struct child_result {
	enum child_status status;
	int error;
	unsigned weak; /* CHILD_WITHOUT_*; as far as a child that ended well said */
	void *data; /* CHILD_OK: size bytes that the caller frees; else NULL */
	size_t size;
};

/*
 * Runs the function `name` on input in a child and waits for its end: for a worker (WORK_LANE_CHILD).
 * If the thread that called this ends meanwhile, or the whole daemon, so does the child. 0: *ret says
 * what came of it. -errno: there was no child (-ENOMEM, -EAGAIN, -EMFILE ...).
 */
int child_run(const char *name, const struct child_input *input, const struct child_limits *limits,
	      struct child_result *ret);

const char *child_status_name(enum child_status status);

/*
 * The other side. main() asks child_is_asked_for() first, and if so returns what child_main() says:
 * ops is a table that ends with NULL; the program's own is the list CHILDREN in src/Makemodule.am.
 */
int child_is_asked_for(int argc, char **argv);
int child_main(char **argv, const struct child_ops *const *ops);
extern const struct child_ops *const child_registry[];
