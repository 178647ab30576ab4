/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spin.h"

static NOINLINE int reader(void)
{
	uint64_t end = clock_ms(CLOCK_THREAD_CPUTIME_ID) + SPIN_MS;
	struct timespec t;

	do {
		for (int i = 0; i < 10000; i++) {
			clock_gettime(CLOCK_MONOTONIC, &t);
			sink += t.tv_nsec;
		}
	} while (clock_ms(CLOCK_THREAD_CPUTIME_ID) < end);
	return (int)sink;
}

int main(void)
{
	return reader() == 1;
}
