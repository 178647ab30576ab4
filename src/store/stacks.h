/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stacks adds samples up by key, as a table does flows: it is the running step, the minute that steps
 * are joined to, and the answer to a query. Stacks are a tree: what two have in common next to the
 * root is there once. Private to the store.
 *
 * A node takes 21 to 35 bytes, a row 64 to 128. All is bounded by its bytes, since a stack may have one
 * frame of its own or a thousand. A sample that finds no room is added to an "other" row, which has no
 * stack, but process and event and the reason why stacks end, so that these sums hold at every age.
 */
#pragma once

#include "base/cleanup.h"
#include "base/hashmap.h"
#include "base/pool.h"
#include "model/record.h"
#include "store/actors.h"
#include "store/ranking.h"

#define STACKS_NODES_MAX (UINT32_C(1) << 18)
#define STACKS_CODES_MAX UINT16_MAX
#define STACKS_ROWS_MAX (UINT32_C(1) << 18) /* "other" ones included */
#define STACKS_OTHERS_MAX 4096 /* "other" rows of processes, and as many of workloads */
#define STACKS_BYTES_PER_OTHER 2048 /* of max_bytes, for each of these: they take some 400 */
#define STACKS_LOSSES_MAX 4096 /* (event, process, CPU) */
#define STACKS_KERNEL_FRAMES_MAX 127

/* A row's key. Numbers are those of the pools. */
struct stacks_key {
	uint32_t actor;
	uint32_t thread; /* string */
	uint32_t tid;
	int32_t cpu;
	uint32_t stack; /* node of its innermost frame */
	uint8_t event, end;
	uint8_t n_kernel;
	uint8_t other; /* then thread, tid, stack and n_kernel are 0 and cpu -1 */
};
_Static_assert(sizeof(struct stacks_key) == 24, "stacks_key is compared as bytes");

struct stacks_sum {
	uint64_t count, value;
};

/* Number 0 is behind the root: no frame. A caller has a lower number than what it calls. */
struct stack_node {
	uint64_t address;
	uint32_t caller, code;
};
_Static_assert(sizeof(struct stack_node) == 16, "stack_node is compared as bytes");

struct stacks_loss_key {
	uint32_t actor; /* 0, cpu -1: the sum of those that had no room, per event */
	int32_t cpu;
	uint32_t event;
};

struct stacks {
	size_t max_bytes;
	bool folded; /* over tids and CPUs */
	size_t n_others;
	struct actors who;
	struct pool *code_keys; /* number 0 is no code */
	struct code *codes; /* by number; path is of who.strings */
	size_t codes_room;
	struct pool *nodes; /* struct stack_node */
	struct hashmap *rows; /* struct stacks_key -> struct stacks_sum */
	struct hashmap *losses; /* struct stacks_loss_key -> uint64_t */
	struct frame *frames; /* of the record that was made last */
};

/* folded: rows know no tid and no CPU: 0 and -1. */
int stacks_new(size_t max_bytes, bool folded, struct stacks **ret);
struct stacks *stacks_free(struct stacks *stacks); /* takes NULL, returns NULL */
DEFINE_CLEANUP(struct stacks *, stacks_free)

size_t stacks_rows(const struct stacks *stacks); /* of samples, "other" ones included */
bool stacks_is_empty(const struct stacks *stacks);
size_t stacks_bytes(const struct stacks *stacks); /* of memory: at most max_bytes, see stacks.c */
void stacks_set_max_bytes(struct stacks *stacks, size_t max_bytes); /* what is over it stays */

/* How the reader of a segment numbers the nodes of a sample's stack, and which numbers they have here:
 * saves looking the callers up that many of its stacks have in common. */
struct stack_path {
	const uint32_t *nodes; /* the reader's, of each frame */
	uint32_t *known; /* by the reader's number; 0: not met yet, and when stacks are thinned */
	size_t n_known;
};

/* Adds a record; path may be NULL. -ENOSPC: it is new and there is no room; -ENOMEM; -EINVAL: a kind that is not kept
 * here, or numbers of frames that cannot be. Nothing was added then. */
int stacks_add(struct stacks *stacks, const struct record *record, const struct stack_path *path);
/* Adds a sample to the "other" row of its event, end and process; of its workload, if there are too
 * many of these, or of all. Losses accordingly. -ENOMEM: not even that. */
int stacks_add_other(struct stacks *stacks, const struct record *record);

/* The record of a row; its strings and codes are those of stacks, its frames until the next record. */
void stacks_record(const struct stacks *stacks, const struct stacks_key *key,
		   const struct stacks_sum *sum, struct record *ret);
/* Goes through the losses, from position 0. False: the end. */
bool stacks_next_loss(const struct stacks *stacks, size_t *position, struct record *ret);
/* Calls fn for every record, in no order. */
void stacks_each(const struct stacks *stacks,
		 void (*fn)(void *userdata, const struct record *record), void *userdata);

/* The rows as a heap by value, for ranking_next(); "other" rows among them. NULL: no memory. */
struct ranked_row *stacks_ranking(const struct stacks *stacks);
/* Keeps the n largest rows and adds the rest to the "other" rows. */
int stacks_thin(struct stacks **stacks, size_t n);
