/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A child process that maps what a test wants to find. It acts, says so, waits, acts again. */
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/proc-read.h"
#include "host/roots.h"

struct target {
	pid_t pid;
	int dir; /* proc_open()'s */
	int say, hear; /* of the parent; the child has the other ends */
};

/* In the child: what was to be done is done; returns when the test wants more. */
static inline void target_done(const struct target *t)
{
	char byte = 0;

	if (write(t->say, &byte, 1) != 1 || read(t->hear, &byte, 1) != 1)
		_exit(0);
}

/* In the test: lets the child go on, and waits until it has done that. */
static inline void target_step(const struct target *t)
{
	char byte = 0;

	assert_int_equal(write(t->say, &byte, 1), 1);
	assert_int_equal(read(t->hear, &byte, 1), 1);
}

static inline void target_start(struct target *t, void (*act)(const struct target *t, void *arg),
				void *arg)
{
	int to[2], from[2];
	char byte;

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	t->pid = fork();
	assert_true(t->pid >= 0);
	if (t->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		close(from[0]);
		*t = (struct target){ .say = from[1], .hear = to[0] };
		act(t, arg);
		target_done(t);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	t->say = to[1];
	t->hear = from[0];
	assert_int_equal(read(t->hear, &byte, 1), 1);
	t->dir = proc_open(&host_roots_machine, t->pid, 0);
	assert_true(t->dir >= 0);
}

static inline void target_kill(const struct target *t)
{
	kill(t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
}

static inline void target_end(struct target *t)
{
	target_kill(t);
	close(t->say);
	close(t->hear);
	close(t->dir);
}

/* Maps pages pages of fd (-1: anonymous). */
static inline void *target_map(int fd, size_t pages, int prot, int flags)
{
	void *at = mmap(NULL, pages * 4096, prot, flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	if (at == MAP_FAILED)
		_exit(1);
	return at;
}
