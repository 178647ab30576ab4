/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nothing here may become a tail call or be inlined: each function returns something that depends on
 * what it called. */
#include "stacks.h"

#include <alloca.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))
#define RECURSION 900

struct known_stack known_stack;
unsigned spin_ms = 300;

static volatile unsigned sink;

static uint64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

/* A section of its own, so that where it begins and ends is known. */
__attribute__((noinline, noclone, section("spin_text"))) int spin(void)
{
	uint64_t end = cpu_ms() + spin_ms;

	known_stack.n = backtrace(known_stack.frames, STACK_FRAMES_MAX);
	do {
		for (unsigned i = 0; i < 2000000; i++)
			sink = sink * 1664525 + 1013904223;
	} while (cpu_ms() < end);
	return sink & 1;
}

extern const char __start_spin_text[], __stop_spin_text[];

uintptr_t spin_begin(void)
{
	return (uintptr_t)__start_spin_text;
}

uintptr_t spin_end(void)
{
	return (uintptr_t)__stop_spin_text;
}

static NOINLINE int plain(void)
{
	return spin() + (int)sink;
}

static NOINLINE int recurse(int depth)
{
	return depth ? recurse(depth - 1) + (int)sink : spin();
}

/* The stack pointer moves by an amount that only the program knows. */
static NOINLINE int dynamic(unsigned n)
{
	volatile char *room = alloca(n);

	memset((void *)room, 1, n);
	return spin() + room[n / 2];
}

/* The stack is aligned to more than the caller's: CFA through an expression. */
static NOINLINE int realigned(int a, int b, int c, int d, int e, int f, int seventh)
{
	_Alignas(64) volatile char room[128];
	volatile char *more = alloca(64 + (seventh & 15));

	room[0] = more[0] = (char)(a + b + c + d + e + f);
	return spin() + room[0] + more[0];
}

static int compare(const void *a, const void *b)
{
	static int called; /* once: each call would have another stack */

	if (!called++)
		spin();
	return *(const int *)a - *(const int *)b;
}

static NOINLINE int through_libc(void)
{
	int values[] = { 3, 1, 2 };

	qsort(values, 3, sizeof(*values), compare);
	return values[0];
}

static void on_signal(int number)
{
	spin();
	sink = number;
}

static NOINLINE int in_signal_handler(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &action, NULL);
	kill(getpid(), SIGUSR1);
	return (int)sink;
}

static void *thread(void *unused)
{
	plain();
	return unused;
}

static NOINLINE int in_thread(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, thread, NULL) != 0)
		return -1;
	pthread_join(t, NULL);
	return (int)sink;
}

const char *const stack_way_names[STACK_WAYS] = {
	"plain",	"recursion of 900", "alloca", "realigned",
	"through libc", "signal handler",   "thread",
};

int stack_go(int way)
{
	void *warm_up[1];

	backtrace(warm_up, 1); /* it loads libgcc the first time */
	switch (way) {
	case 0:
		return plain();
	case 1:
		return recurse(RECURSION);
	case 2:
		return dynamic(1000 + way);
	case 3:
		return realigned(1, 2, 3, 4, 5, 6, 7);
	case 4:
		return through_libc();
	case 5:
		return in_signal_handler();
	default:
		return in_thread();
	}
}
