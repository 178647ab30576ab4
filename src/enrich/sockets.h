/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which process of this host is behind an address and port: learnt from flows whose local end is
 * known, asked for the peers of others. The port belongs to the key because a host's address is
 * shared by all that runs there.
 */
#pragma once

#include <stdint.h>

#include "model/flow.h"

#define SOCKETS_MAX 16384
#define SOCKETS_AGE_NS UINT64_C(15000000000) /* three steps without a flow */

struct sockets;

int sockets_new(struct sockets **ret);
struct sockets *sockets_free(struct sockets *s); /* takes NULL */

/* end->process has this address and port in the namespace netns. */
void sockets_learn(struct sockets *s, uint64_t netns, uint8_t protocol, const struct endpoint *end,
		   uint64_t now_ns);
/* The process behind an end of a flow that was seen in netns. false: not known, or several
 * namespaces use that address and port. ret is a bare reference: without comm. */
bool sockets_find(const struct sockets *s, uint64_t netns, uint8_t protocol,
		  const struct endpoint *end, struct process_ref *ret);

void sockets_expire(struct sockets *s, uint64_t now_ns);
size_t sockets_bytes(const struct sockets *s);
uint64_t sockets_full(const struct sockets *s); /* ends that found no room */
