/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One perf event per CPU that runs the profile program so and so often: cycles where the CPU counts
 * them, else the CPU's clock, which ticks through a timer and so never within code that has interrupts
 * off. Idle CPUs are left alone. CPUs come and go.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"

struct bpf_program;
struct events;

enum events_source {
	EVENTS_CYCLES, /* of the CPU's own counters (a PMU); fires within interrupts, too */
	EVENTS_CLOCK,
};

/* frequency: times per second and CPU.
 * -EACCES, -EPERM: not allowed (perf_event_paranoid, seccomp, no CAP_PERFMON); -ENODEV: nothing online. */
int events_new(const struct bpf_program *program, unsigned frequency, struct events **ret);
struct events *events_free(struct events *events); /* takes NULL, returns NULL */

enum events_source events_source(const struct events *events);
/* Changes the frequency of all, from now on. */
int events_set_frequency(struct events *events, unsigned frequency);
/* Watches CPUs that came, forgets those that went; cheap, to be called now and then. */
void events_refresh(struct events *events);

unsigned events_cpus(const struct events *events); /* watched */
/* CPU seconds that were watched so far: with the frequency, how many samples there were to be. */
double events_cpu_seconds(const struct events *events);

DEFINE_CLEANUP(struct events *, events_free)
