/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which process of this host is behind an address and port: learnt from flows whose local end is
 * known, asked for the peers of others. The port belongs to the key because a host's address is
 * shared by all that runs there.
 */
#pragma once

#include <stdint.h>

#include "model/flow.h"

#define PEERS_DEFAULT 16384 /* addresses that are known at most */
#define PEERS_BYTES_PER_ADDRESS 288 /* 72 in a table that is three eighths full, and growing */
#define PEERS_AGE_NS UINT64_C(15000000000) /* three steps without a flow */

struct peers;

int peers_new(struct peers **ret);
struct peers *peers_free(struct peers *s); /* takes NULL */

/* end->process has this address and port in the namespace netns. */
void peers_learn(struct peers *s, uint64_t netns, uint8_t protocol, const struct endpoint *end,
		 uint64_t now_ns);
/* The process behind an end of a flow that was seen in netns. false: not known, or several
 * namespaces use that address and port. ret is a bare reference: without comm; and without pid where
 * several processes had the end in the last PEERS_AGE_NS. */
bool peers_find(const struct peers *s, uint64_t netns, uint8_t protocol, const struct endpoint *end,
		struct process_ref *ret);

void peers_expire(struct peers *s, uint64_t now_ns);
void peers_set_limit(struct peers *s, size_t limit);
size_t peers_bytes(const struct peers *s);
uint64_t peers_full(const struct peers *s); /* ends that found no room */
