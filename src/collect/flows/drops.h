/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packets that the kernel dropped, with its reason (bpf/drops.bpf.c), joined to the flows of the
 * same drain. A program of its own: where it is refused only this is missing.
 *
 *	drops_flip() .. grace period .. drops_take() -> drops_mark() -> drops_next_alone()   worker
 *	drops_join(), drops_next_rest(), drops_clear()                                       loop
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/wire/drops.h"
#include "collect/shared/bpf.h"
#include "model/flow.h"
#include "model/status.h"

struct drops;
struct flows_bpf;

struct drops_config {
	const struct flows_bpf *flows; /* loaded: its maps of interfaces are shared */
	struct bpf_env *env;
	uint32_t max; /* (flow, reason) pairs of a step */
	uint32_t protocols; /* set of WIRE_PROTOCOL_* */
	bool inner, scope_by_owner; /* as the flows programs have it */
};

/* Loads and attaches. On failure reason says what is not seen and why. */
int drops_new(const struct drops_config *config, char reason[static PART_REASON_LEN],
	      struct drops **ret);
struct drops *drops_free(struct drops *drops); /* takes NULL */

/* The epoch that begins; the other one's tables are still. */
void drops_flip(struct drops *drops, uint32_t epoch);
/* Empties the tables of an epoch that is over. */
int drops_take(struct drops *drops, uint32_t epoch);
/* The drain has this flow: its drops will be asked for. */
void drops_mark(struct drops *drops, const struct wire_flow_key *key);
/* One by one the flows that only have drops, and who owns their ends; start with *pos = 0. With
 * scope_by_owner those without an owner are left out. False: that was all. */
bool drops_next_alone(struct drops *drops, size_t *pos, struct wire_flow_key *ret_key,
		      struct wire_owner ret_end[static 2]);

/* Adds the drops of a flow; a second time there are none. */
void drops_join(struct drops *drops, const struct wire_flow_key *key, struct flow *flow);
/* Drops whose flow found no room in the table: the key has no ends. Start with *pos = 0. */
bool drops_next_rest(const struct drops *drops, size_t *pos, struct wire_flow_key *ret_key,
		     struct flow *flow);
void drops_clear(struct drops *drops); /* what was taken */

struct drops_lost {
	uint64_t full; /* found no room at all */
	uint64_t nested; /* the kernel does not run a program inside itself */
	uint64_t unreadable; /* IP packets whose headers make no sense: they are in no flow */
};
struct drops_lost drops_lost(const struct drops *drops);
uint64_t drops_bpf_bytes(const struct drops *drops);
