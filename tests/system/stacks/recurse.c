/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spin.h"

static NOINLINE int recurse(int depth)
{
	return depth ? recurse(depth - 1) + (int)sink : spin() + 1;
}

int main(void)
{
	return recurse(900) == 1;
}
