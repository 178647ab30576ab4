/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is remembered of a flow from step to step: who owns its ends, which end is the client, and
 * what TCP flags have passed. A step's table in the kernel begins empty, and a step may show only
 * the tail of a connection. Bounded; what is idle is forgotten.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/wire/flows.h"
#include "model/flow.h"

struct connections;

struct connection {
	struct wire_owner end[2];
	uint64_t last_ns; /* CLOCK_MONOTONIC */
	uint8_t tcp_flags[2];
	uint8_t first_sender; /* end that sent the first packet that we saw */
	uint8_t local; /* end that is shown as the local one */
	bool local_known; /* local was chosen */
};

int connections_new(size_t limit, struct connections **ret);
struct connections *connections_free(struct connections *connections); /* takes NULL */

/*
 * Joins a drained flow with what is remembered of it. The result is valid until the next call. With
 * the table full (counted) or connections NULL it stands for this step alone.
 */
struct connection *connections_update(struct connections *connections,
				      const struct wire_flow_key *key, const struct wire_flow *flow,
				      uint64_t now_ns);
enum tcp_state connection_tcp_state(const struct connection *c);

/*
 * Forgets what was idle for long: a minute, or ten for an open TCP connection. One whose SYN was
 * never answered has failed then; failed is told of it, and may not keep c.
 */
void connections_expire(struct connections *connections, uint64_t now_ns,
			void (*failed)(void *userdata, const struct wire_flow_key *key,
				       struct connection *c),
			void *userdata);
void connections_set_limit(struct connections *connections, size_t limit);
size_t connections_bytes(const struct connections *connections);
uint64_t connections_lost(const struct connections *connections); /* not remembered: table full */
/* How many there are in each TCP state, and (in TCP_STATE_UNKNOWN) of other protocols. */
void connections_count(const struct connections *connections, uint64_t ret[static TCP_STATE_MAX_]);
