/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the kernel's flow, whose ends are only in an order, to a record with a local and a peer end. */
#pragma once

#include "collect/flows/connections.h"
#include "collect/flows/drain.h"
#include "host/links.h"
#include "model/record.h"

struct record_context {
	const struct links *links; /* whose addresses are whose */
	bool sockets_complete; /* a socket without a known maker is the kernel's own */
	uint64_t netns; /* inode of the flow's namespace */
};

/* c is what is remembered of the flow, this step's part included; local is decided here once. */
void record_from_flow(const struct record_context *context, const struct drained_flow *drained,
		      struct connection *c, struct record *ret);
struct flow_count flow_count_from_wire(const struct wire_count *c);
