/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which places of an array are taken: runs of neighbouring places are handed out and given back. The
 * array itself is somewhere else (in the kernel, where nothing can be moved).
 */
#pragma once

#include <stdint.h>

struct runs;

int runs_new(uint32_t places, struct runs **ret);
struct runs *runs_free(struct runs *runs); /* takes NULL, returns NULL */

/* The smallest free run that holds n places gives them from its beginning. -ENOSPC: there is none. */
int runs_take(struct runs *runs, uint32_t n, uint32_t *ret_first);
/* What was taken, whole. Without memory to remember it the run stays taken. */
void runs_give(struct runs *runs, uint32_t first, uint32_t n);

uint32_t runs_taken(const struct runs *runs); /* places */
