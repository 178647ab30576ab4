/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A profile in the format of google/pprof (profile.proto, gzipped): what "go tool pprof" reads and what
 * a scraper of /debug/pprof expects. Samples have two values, their number and that of the profile's
 * type; addresses, mappings and build ids are in it, so that pprof can find the symbols that we did not.
 * Labels are "workload.kind", "workload.name", "workload.namespace", "process.pid", "process.comm",
 * "thread.id" and "cpu"; the totals are a comment (pprof -comments).
 */
#pragma once

#include <stdio.h>

#include "model/profile.h"

/* 0, -ENOMEM, or -EIO if out refused. */
int pprof_write(const struct profile *profile, FILE *out);
