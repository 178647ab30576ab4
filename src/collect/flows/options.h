/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keys below collectors.flows. */
#pragma once

#include "base/option.h"

struct flows_options {
	int attach; /* enum tc_mode */
	struct option_list interfaces; /* globs; empty = all */
	struct option_list
		netns; /* default, all, names, paths, inodes; empty = scope's or default */
	uint32_t protocols; /* bits in the order of the choices, which is WIRE_PROTOCOL_*'s */
	int64_t max_flows;
	uint64_t interval; /* ns */
	bool connection_tracking;
	bool inner;
	struct option_list private_ranges; /* CIDR; empty = the well-known private ranges */
	bool label_addresses;
};

extern const struct option_group flows_options_group;
