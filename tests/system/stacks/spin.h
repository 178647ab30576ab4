/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the programs with known stacks share. Functions are neither inlined nor left by a tail call:
 * each returns something that depends on what it called.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define NOINLINE __attribute__((noinline, noclone, unused))
#define SPIN_MS \
	1000 /* of the thread's CPU time: a busy machine needs 300 until the tables are there */
#define SPIN_TURNS 1000000 /* so rarely is a function called, about each millisecond */

static volatile unsigned sink;

static inline uint64_t clock_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

static NOINLINE int spin_for(unsigned ms)
{
	uint64_t end = clock_ms(CLOCK_THREAD_CPUTIME_ID) + ms;

	do {
		for (unsigned i = 0; i < SPIN_TURNS; i++)
			sink = sink * 1664525 + 1013904223;
	} while (clock_ms(CLOCK_THREAD_CPUTIME_ID) < end);
	return sink & 1;
}

static NOINLINE int spin(void)
{
	return spin_for(SPIN_MS) + (int)sink;
}

/* Tells the test that from now on another stack is to be expected. */
static inline void stage(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	printf("%llu\n", t.tv_sec * 1000000000ULL + t.tv_nsec);
	fflush(stdout);
}
