/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The binaries that processes have mapped, each once: its number in samples, and its unwind table in
 * the kernel, built in a sandboxed child when it is first met. What no process has mapped any more
 * stays until its place is wanted. Loop thread only; what blocks are jobs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "collect/profile/tables.h"
#include "model/sample.h"

#define BINARIES_MAX 16384 /* known at a time; a busy node has some thousand */

struct binaries;
struct disk_cache;
struct work;

enum binary_state {
	BINARY_BUILDING,
	BINARY_READY, /* table is in the kernel */
	BINARY_BARE, /* it has none: no CFI, or no room, or it could not be read */
};

struct binary {
	struct code code;
	uint16_t number; /* in samples; never 0 */
	enum binary_state state;
	const struct table *table; /* BINARY_READY */
	unsigned users; /* mappings */
};

struct binaries_config {
	struct work *work;
	struct disk_cache *cache; /* of the jobs of WORK_LANE_CHILD */
	struct profile_bpf *skel; /* loaded; outlives the jobs */
	uint64_t max_bytes; /* of rows in the kernel */
	/* The state of a binary has changed. */
	void (*changed)(void *userdata, const struct binary *binary);
	void *userdata;
};

int binaries_new(const struct binaries_config *config, struct binaries **ret);
/* After work_drain(). Takes NULL, returns NULL. */
struct binaries *binaries_free(struct binaries *binaries);

/*
 * The binary of that code; its use is counted. fd, an open file of it, is taken over in any case.
 * NULL: too many are in use, or there is no memory: both are counted.
 */
struct binary *binaries_get(struct binaries *binaries, const struct code *code, int fd);
/* After a grace period since the last mapping of that use was taken out of the kernel. */
void binaries_put(struct binaries *binaries, struct binary *binary);

/* By number in a sample, or NULL: gone long since. */
const struct binary *binaries_at(const struct binaries *binaries, uint16_t number);

struct binaries_figures {
	uint64_t known, ready, bare, building;
	uint64_t table_bytes; /* of tables in the kernel */
	uint64_t kernel_bytes; /* that the slabs with them take there */
	uint64_t no_room; /* tables that found none */
	uint64_t refused; /* files that could not be read as tables */
	uint64_t left_out; /* binaries beyond BINARIES_MAX */
	uint64_t evicted;
};
struct binaries_figures binaries_figures(const struct binaries *binaries);

DEFINE_CLEANUP(struct binaries *, binaries_free)
