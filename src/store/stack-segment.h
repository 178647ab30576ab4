/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A segment of samples: stacks as bytes, like segment.h for flows. A node of the tree takes about 5
 * bytes, a row about 17.
 *
 * Version 1. Numbers are varints:
 *
 *   version, strings, actors (dictionary.h)
 *   n codes    kind, size of the id, id, path (number of a string) ...      (numbered from 1)
 *   n nodes    own number - 1 - caller's, code - 1, address - the one before in that code ...
 *                                                       (from 1; 0: behind the root; callers first)
 *   n rows     event << 1 | other, end, actor, [unless "other": n_kernel, thread (number of a string),
 *              tid, cpu + 1, node,] count, value ...
 *   n losses   event, actor, cpu + 1, lost ...
 *
 * Nothing of it is believed: a database may be damaged or planted.
 */
#pragma once

#include "model/record.h"

struct stack_path;
struct stacks;

#define STACK_SEGMENT_VERSION 1

/* As segment_encode(). */
int stack_segment_encode(const struct stacks *stacks, void **ret_data, size_t *ret_size);
/* As segment_decode(). A record's frames and their codes live during the call only; path is for
 * stacks_add(), NULL of what has no stack. */
int stack_segment_decode(const void *data, size_t size,
			 void (*fn)(void *userdata, const struct record *record,
				    const struct stack_path *path),
			 void *userdata);
