/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's small numbers: each attached interface has a slot, which is in its programs, and each
 * namespace one, which is in the keys of its flows. This file gives them out, keeps the maps that
 * are indexed by them, and turns sums that only grow into what was added.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/wire/flows.h"
#include "collect/shared/interfaces.h"

struct flows_bpf;
struct slots;

#define SLOTS_NETNS_MAX 4096 /* namespaces with an interface attached */

/* max: interfaces. The skeleton is borrowed; its maps must be as large as slots_size_maps() says. */
int slots_new(struct flows_bpf *skel, unsigned max, struct slots **ret);
struct slots *slots_free(struct slots *slots); /* takes NULL */

/* Before loading: sets the sizes of the maps that have an entry per slot. */
void slots_size_maps(struct flows_bpf *skel, unsigned max);

/* Fills the maps for the interface and makes its two programs. */
int slots_prepare(struct slots *slots, const struct interface *interface,
		  int ret_programs[TC_DIRECTIONS]);
/* The interface is gone: nothing is forwarded from it any more. */
void slots_on_removed(struct slots *slots, const struct interface *interface);
/* Both epochs of the slot were drained since slots_on_removed(): forgets it. */
void slots_release(struct slots *slots, uint16_t slot);

/* What the slot's program of a direction has counted since ever, duplicates too. Any thread. */
int slots_count(struct slots *slots, uint16_t slot, enum tc_direction direction,
		struct flow_count *ret);

/* The inode of a namespace by its slot; 0 if it has none. */
uint64_t slots_netns(const struct slots *slots, uint16_t netns_slot);

/* Turns the sums of an epoch into what was added since the same parity's last. */
void slots_interface_delta(struct slots *slots, uint16_t slot, uint32_t epoch,
			   const struct wire_interface_count *sums,
			   struct wire_interface_count *ret);
/* Likewise for untracked sums, by index in slots_untracked_keys(). */
const struct wire_untracked_key *slots_untracked_keys(const struct slots *slots, size_t *n);
void slots_untracked_delta(struct slots *slots, const struct wire_untracked_key *key,
			   uint32_t epoch, const struct wire_untracked_count *sums,
			   struct wire_count ret[static 2]);
uint64_t slots_bpf_bytes(const struct slots *slots); /* of the stubs */
