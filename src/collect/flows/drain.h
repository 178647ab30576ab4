/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Empties the kernel's tables: flips the epoch, waits until no program is in the old one, and takes
 * all of it out. What an epoch holds is then exact: its flows, its untracked sums and its sums per
 * interface are of the same packets.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/wire/flows.h"
#include "collect/shared/grace.h"

struct drops;
struct flows_bpf;
struct ring_buffer;

struct drained_flow {
	struct wire_flow_key key;
	struct wire_flow flow;
};

/* The job's argument: filled by the loop, run by a worker, read by the loop. */
struct flows_drain {
	struct flows_bpf *skel; /* borrowed */
	struct drops *drops; /* borrowed; may be NULL. Those of this epoch are in it after a run */
	struct grace grace;
	struct ring_buffer *overflow; /* its callback is flows_drain_on_overflow() with this */
	uint64_t overflow_per_step;

	uint16_t *slots; /* in: which interfaces to read */
	size_t n_slots;
	struct wire_untracked_key *untracked_keys; /* in: which untracked sums to read */
	size_t n_untracked;

	uint32_t epoch; /* out: the one that was drained; its lowest bit is the parity */
	struct wire_interface_count *interfaces; /* out: by index in slots; sums since ever */
	struct wire_untracked_count *untracked; /* out: by index in untracked_keys */
	struct drained_flow *flows; /* out */
	size_t n_flows, room;
	struct drained_flow *late; /* overflow events of the new epoch; kept for the next run */
	size_t n_late, late_room;
	uint64_t failed; /* flows that could not be taken for want of memory, ever */
	uint64_t overflowed; /* packets that came through the ring, ever */
	double seconds;
	int r; /* out: 0 or what failed */
};

void flows_drain_run(void *drain); /* worker */
int flows_drain_on_overflow(void *drain, void *data, size_t size);
/* Gives back what a run took; what is kept for the next run stays. */
void flows_drain_clear(struct flows_drain *drain);
void flows_drain_done(struct flows_drain *drain); /* all of it */
