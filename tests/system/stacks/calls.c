/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* calls [-u FILE | -x PROGRAM [ARGUMENT...]]: calls through libc and back. Removes a file first, or executes
 * a program afterwards. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spin.h"

static NOINLINE int inner(void)
{
	return spin() + (int)sink;
}

static NOINLINE int compare(const void *a, const void *b)
{
	static int called; /* once: each call would have another stack */

	if (!called++)
		inner();
	return *(const int *)a - *(const int *)b;
}

static NOINLINE int outer(void)
{
	int values[] = { 3, 1, 2 };

	qsort(values, 3, sizeof(*values), compare);
	return values[0];
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "-u") == 0)
		unlink(argv[2]);
	stage();
	outer();
	if (argc > 2 && strcmp(argv[1], "-x") == 0) {
		stage();
		execv(argv[2], argv + 2);
	}
	return 0;
}
