/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A profile as the text that "perf script -F comm,pid,tid,cpu,time,period,event,ip,sym,dso" prints: what
 * stackcollapse-perf.pl, speedscope and the Firefox Profiler import. The totals are a comment at the end.
 *
 * Of a profile the time of each sample is not known, but importers take the time between two samples of a
 * thread for the weight of one. So each thread's samples stand behind each other, and each gets as much
 * of the profile's range as it weighs.
 */
#pragma once

#include <stdio.h>

#include "model/profile.h"

/* Samples that are printed; of more each one printed stands for several, its period says so. */
#define PERF_SCRIPT_SAMPLES_MAX 1000000

int perf_script_print(const struct profile *profile, FILE *out); /* 0 or -ENOMEM */
