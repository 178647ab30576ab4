/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The flows collector's settings as data: see base/option.h. */
#include "collect/flows/options.h"

#include <errno.h>
#include <stdio.h>

#include "base/util.h"
#include "model/address.h"

static const char *const attach_choices[] = { "auto", "tcx", "tc", NULL };
static const char *const protocol_choices[] = { "tcp", "udp", "sctp", "icmp", NULL };

static const struct option options[] = {
	{ .key = "attach",
	  .type = OPTION_ENUM,
	  .choices = attach_choices,
	  .value = "auto",
	  .offset = offsetof(struct flows_options, attach),
	  .help = "how to attach to interfaces: TCX links, TC filters (clsact), or auto: links, "
		  "but "
		  "in a burst filters" },
	{ .key = "interfaces",
	  .type = OPTION_LIST,
	  .value = "",
	  .offset = offsetof(struct flows_options, interfaces),
	  .help = "globs of interface names, !GLOB excludes; empty: all" },
	{ .key = "netns",
	  .type = OPTION_LIST,
	  .value = "",
	  .offset = offsetof(struct flows_options, netns),
	  .help = "network namespaces: default, all, or names, paths and inodes; empty: those of "
		  "scope.netns, else default" },
	{ .key = "protocols",
	  .type = OPTION_ENUM_LIST,
	  .choices = protocol_choices,
	  .value = "tcp,udp,sctp,icmp",
	  .offset = offsetof(struct flows_options, protocols),
	  .help = "protocols that become flows; others are counted as untracked" },
	{ .key = "max_flows",
	  .type = OPTION_INT,
	  .min = 64,
	  .max = 4194304,
	  .value = "100000",
	  .offset = offsetof(struct flows_options, max_flows),
	  .help = "flows that the kernel's table holds per step; more go through a ring, the rest "
		  "to untracked" },
	{ .key = "interval",
	  .type = OPTION_DURATION,
	  .min = NSEC_PER_SEC,
	  .max = 60 * NSEC_PER_SEC,
	  .value = "5s",
	  .offset = offsetof(struct flows_options, interval),
	  .help = "length of a step" },
	{ .key = "connection_tracking",
	  .type = OPTION_BOOL,
	  .value = "true",
	  .offset = offsetof(struct flows_options, connection_tracking),
	  .help = "remember connections from step to step: their owners, sides and TCP state" },
	{ .key = "inner",
	  .type = OPTION_BOOL,
	  .value = "false",
	  .offset = offsetof(struct flows_options, inner),
	  .help = "take the flow from inside VXLAN, Geneve and IPIP" },
	{ .key = "private_ranges",
	  .type = OPTION_LIST,
	  .value = "",
	  .offset = offsetof(struct flows_options, private_ranges),
	  .help = "address ranges that are not external; empty: private, link-local and multicast "
		  "ones" },
	{ .key = "label_addresses",
	  .type = OPTION_BOOL,
	  .value = "false",
	  .offset = offsetof(struct flows_options, label_addresses),
	  .help = "metrics get the addresses as labels: one series per address pair" },
	{ 0 },
};

static int check(const void *values, char *error, size_t error_size)
{
	const struct flows_options *o = values;
	struct ip_prefix prefix;

	for (size_t i = 0; i < o->private_ranges.n; i++)
		if (ip_prefix_parse(o->private_ranges.values[i], &prefix) < 0) {
			snprintf(error, error_size,
				 "private_ranges: '%s' is not an address range like 10.0.0.0/8",
				 o->private_ranges.values[i]);
			return -EINVAL;
		}
	return 0;
}

const struct option_group flows_options_group = {
	.prefix = "collectors.flows",
	.size = sizeof(struct flows_options),
	.options = options,
	.check = check,
};
