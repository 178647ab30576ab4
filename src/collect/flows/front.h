/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the programs counted in front of the flow table (struct wire_front in bpf/wire/flows.h), by
 * flow, the CPUs together. For a worker: once no program is in the epoch any more, what is read here
 * is what the flows of that epoch's table lack.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "bpf/wire/flows.h"

struct front;

/* Reads the map of that name. -ENOMEM, or what bpf(2) says. */
int front_read(int map_fd, uint32_t epoch, struct front **ret);
struct front *front_free(struct front *front); /* takes NULL, returns NULL */

/* Adds to each flow what was counted in front of it. */
void front_complete(const struct front *front, const struct wire_flow_key *keys,
		    struct wire_flow *flows, size_t n);

static inline void front_free_p(struct front **front)
{
	front_free(*front);
}
