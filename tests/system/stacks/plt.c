/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls through the PLT and does little else. */
#include "spin.h"

int plug(int (*callback)(void));

static NOINLINE int zero(void)
{
	return 0;
}

static NOINLINE int caller(void)
{
	uint64_t end = clock_ms(CLOCK_THREAD_CPUTIME_ID) + SPIN_MS;

	do {
		for (int i = 0; i < 100000; i++)
			sink += plug(zero);
	} while (clock_ms(CLOCK_THREAD_CPUTIME_ID) < end);
	return (int)sink;
}

int main(void)
{
	return caller() == 1;
}
