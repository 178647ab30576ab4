/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The address spaces of processes, as the kernel side has to know them to unwind their stacks: each is
 * a run of mappings in an array, in the order of their addresses. A space is read when its first sample
 * comes, and again when a sample says that it has changed. Loop thread only; /proc is read in jobs.
 */
#pragma once

#include "base/cleanup.h"
#include "bpf/wire/profile.h"
#include "collect/profile/binaries.h"
#include "host/roots.h"

struct spaces;

struct spaces_config {
	struct work *work;
	struct profile_bpf *skel; /* loaded; outlives the jobs */
	const struct grace *grace;
	struct binaries *binaries;
	const struct host_roots *roots;
};

int spaces_new(const struct spaces_config *config, struct spaces **ret);
/* After work_drain(). Takes NULL, returns NULL. */
struct spaces *spaces_free(struct spaces *spaces);

/* A sample of a program came. Has its space read, if it is not known or has changed. */
void spaces_on_sample(struct spaces *spaces, const struct wire_sample *sample);

/* A binary's table came: see binaries_config.changed. */
void spaces_on_binary(struct spaces *spaces, const struct binary *binary);

/* Whether the address lies in code that the process made itself. */
bool spaces_is_anonymous(const struct spaces *spaces, pid_t pid, uint64_t address);

/* Forgets whose last sample came longer than SPACES_IDLE_NS ago; once per step. */
#define SPACES_IDLE_NS (300 * NSEC_PER_SEC)
void spaces_expire(struct spaces *spaces, uint64_t now_monotonic_ns);

struct spaces_figures {
	uint64_t known;
	uint64_t reads; /* of /proc/PID/maps */
	uint64_t failed; /* gone meanwhile, or not for us */
	uint64_t no_room; /* spaces or mappings that the kernel's tables have no place for */
};
struct spaces_figures spaces_figures(const struct spaces *spaces);

DEFINE_CLEANUP(struct spaces *, spaces_free)
