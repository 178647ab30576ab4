/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A handler on a stack of its own, first of a signal that was asked for, then of a timer's, which
 * interrupts a function at any instruction. */
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "spin.h"

static NOINLINE int handled(unsigned ms)
{
	return spin_for(ms) + (int)sink;
}

static void on_asked(int number)
{
	sink += handled(SPIN_MS) + number;
}

static void on_timer(int number)
{
	sink += handled(20) + number;
}

static NOINLINE int victim(int depth)
{
	return depth > 1 ? victim(depth - 1) + victim(depth - 2) + (int)sink : 1;
}

static NOINLINE int asks(void)
{
	kill(getpid(), SIGUSR1);
	return (int)sink;
}

static NOINLINE int interrupted(void)
{
	struct itimerval timer = { { 0, 30000 }, { 0, 30000 } };
	uint64_t end = clock_ms(CLOCK_THREAD_CPUTIME_ID) + 2 * SPIN_MS;
	int n = 0;

	setitimer(ITIMER_PROF, &timer, NULL);
	do {
		n += victim(15);
	} while (clock_ms(CLOCK_THREAD_CPUTIME_ID) < end);
	return n;
}

int main(void)
{
	stack_t stack = { .ss_size = 1 << 16, .ss_sp = malloc(1 << 16) };
	struct sigaction asked = { .sa_handler = on_asked, .sa_flags = SA_ONSTACK };
	struct sigaction timer = { .sa_handler = on_timer, .sa_flags = SA_ONSTACK };

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &asked, NULL);
	sigaction(SIGPROF, &timer, NULL);
	stage();
	asks();
	stage();
	return interrupted() == 1;
}
