/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Profiles for tests, from stacks as text. */
#pragma once

#include "model/profile.h"

/* The frames of a stack from the root on, joined with ";". A frame is "NAME@MODULE:LINE", each part but
 * the "@" optional; without a name it is not symbolized. What is inlined follows after "|". Its address
 * comes from the text, so that the same frame is the same location, and its file is "NAME.c". Bytes that
 * mean something here are written "%3b" in a name. */
void synthetic_add(struct profile *profile, const char *stack, uint64_t samples, uint64_t value,
		   const struct profile_labels *labels);

/* CPU time, a sample every 10 ms; from 2026-11-20 17:00:00 UTC, 60 s. */
struct profile *synthetic_new(void);
/* Lost by nobody knows whom. */
void synthetic_lost(struct profile *profile, uint64_t samples);
/* comm, pid, tid (= pid) and cpu; the workload is the unit "COMM.service". */
struct profile_labels synthetic_labels(struct profile *profile, const char *comm, int pid, int cpu);
