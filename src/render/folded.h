/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Folded stacks, as flamegraph.pl, inferno and speedscope read them: one line for each stack, frames from
 * the root joined with ";", a blank, and its value. Of two profiles the values before and now, as
 * difffolded.pl writes them. The format has no escapes: a ";" within a name becomes ":", as in
 * stackcollapse-perf.pl, and control characters are spelled out ("\n", "\x1b").
 */
#pragma once

#include <stdio.h>

#include "model/profile-tree.h"

int folded_print(const struct profile_tree *tree, FILE *out); /* 0 or -ENOMEM */
