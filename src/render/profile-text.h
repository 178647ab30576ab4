/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words and numbers that all pictures of a profile share. */
#pragma once

#include <stdio.h>

#include "model/profile-tree.h"

#define PROFILE_TOTALS_LEN 160
/* "samples 1200, lost 0, truncated 3, unsymbolized 17", and what was left out, if anything was. */
const char *profile_totals_text(const struct profile_totals *totals,
				char buf[static PROFILE_TOTALS_LEN]);

/* The same as a line; of two profiles as two. */
void profile_totals_print(const struct profile_tree *tree, FILE *out);

#define PROFILE_SUBTITLE_LEN 256
/* What a picture is of, and when: "cpu, 60.0 s from 2026-11-20T17:00:00Z"; of two profiles both. */
const char *profile_subtitle_text(const struct profile_tree *tree,
				  char buf[static PROFILE_SUBTITLE_LEN]);

#define PROFILE_VALUE_LEN 32
/* A value for people: "1.25 s", "3.4 MiB", "56 k". */
const char *profile_value_text(const struct profile_type *type, uint64_t value,
			       char buf[static PROFILE_VALUE_LEN]);

/* 0 to 100; 0 of nothing. */
double profile_percent(uint64_t part, uint64_t of);
