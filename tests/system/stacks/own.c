/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nothing of libc between main() and where the time goes. */
#include "spin.h"

static NOINLINE int inner(int n)
{
	return spin() + n;
}

static NOINLINE int middle(int a, int b, int c, int d, int e, int f, int seventh)
{
	volatile int room[50];

	room[seventh] = a + b + c + d + e + f;
	return inner(room[seventh]) + room[seventh];
}

static NOINLINE int outer(int n)
{
	return middle(1, 2, 3, 4, 5, 6, n) + n;
}

int main(int argc, char **argv)
{
	(void)argv;
	return outer(argc) == 0;
}
