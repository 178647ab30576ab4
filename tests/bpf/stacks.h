/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions whose stacks are known: each calls spin() by a way of its own, and spin() writes down who
 * called it, as glibc's backtrace() sees it, before it burns CPU. Built with -O2 and without frame
 * pointers.
 */
#pragma once

#include <stdint.h>

#define STACK_FRAMES_MAX 1024

struct known_stack {
	void *frames
		[STACK_FRAMES_MAX]; /* innermost first: an address in spin(), then return addresses */
	int n;
};
extern struct known_stack known_stack;

extern unsigned spin_ms; /* how long spin() burns */
int spin(void);
uintptr_t spin_begin(void), spin_end(void); /* its code */

/* To be called with the way's number, 0 to STACK_WAYS - 1. */
#define STACK_WAYS 7
extern const char *const stack_way_names[STACK_WAYS];
int stack_go(int way);
