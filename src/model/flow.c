/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of the small sets that a flow is described with, as JSON, CSV and filters spell them. */
#include "model/flow.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/util.h"

static const char *const role_names[FLOW_ROLE_MAX_] = {
	[FLOW_ROLE_WIRE] = "wire",	   [FLOW_ROLE_VETH] = "veth",
	[FLOW_ROLE_TUNNEL] = "tunnel",	   [FLOW_ROLE_BRIDGE] = "bridge",
	[FLOW_ROLE_LOOPBACK] = "loopback",
};

const char *flow_role_name(enum flow_role role)
{
	return role_names[role];
}

int flow_role_parse(const char *name, enum flow_role *ret)
{
	for (enum flow_role role = 0; role < FLOW_ROLE_MAX_; role++)
		if (streq(name, role_names[role])) {
			*ret = role;
			return 0;
		}
	return -EINVAL;
}

const char *flow_side_name(enum flow_side side)
{
	static const char *const names[FLOW_SIDE_MAX_] = {
		[FLOW_SIDE_UNKNOWN] = "unknown",
		[FLOW_SIDE_CLIENT] = "client",
		[FLOW_SIDE_SERVER] = "server",
		[FLOW_SIDE_NONE] = "none",
	};

	return names[side];
}

const char *flow_unowned_name(enum flow_unowned cause)
{
	static const char *const names[FLOW_UNOWNED_MAX_] = {
		[FLOW_OWNED] = NULL,
		[FLOW_UNOWNED_UNKNOWN] = "unknown",
		[FLOW_UNOWNED_FORWARDED] = "forwarded",
		[FLOW_UNOWNED_KERNEL] = "kernel",
		[FLOW_UNOWNED_TIME_WAIT] = "time_wait",
		[FLOW_UNOWNED_NO_LISTENER] = "no_listener",
		[FLOW_UNOWNED_ORPHAN] = "orphan",
		[FLOW_UNOWNED_MULTICAST] = "multicast",
		[FLOW_UNOWNED_OTHER_NAMESPACE] = "other_namespace",
		[FLOW_UNOWNED_FRAGMENT] = "fragment",
	};

	return names[cause];
}

const char *untracked_reason_name(enum untracked_reason reason)
{
	static const char *const names[UNTRACKED_REASON_MAX_] = {
		[UNTRACKED_NOT_IP] = "not_ip",	     [UNTRACKED_PROTOCOL] = "protocol",
		[UNTRACKED_MALFORMED] = "malformed", [UNTRACKED_MAP_FULL] = "map_full",
		[UNTRACKED_FILTERED] = "filtered",
	};

	return names[reason];
}

const char *tcp_state_name(enum tcp_state state)
{
	static const char *const names[TCP_STATE_MAX_] = {
		[TCP_STATE_UNKNOWN] = "unknown",	 [TCP_STATE_CONNECTING] = "connecting",
		[TCP_STATE_ESTABLISHED] = "established", [TCP_STATE_CLOSING] = "closing",
		[TCP_STATE_CLOSED] = "closed",		 [TCP_STATE_RESET] = "reset",
		[TCP_STATE_REFUSED] = "refused",	 [TCP_STATE_FAILED] = "failed",
	};

	return names[state];
}

const char *protocol_name(uint8_t protocol, char buf[static 4])
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	default:
		snprintf(buf, 4, "%u", protocol);
		return buf;
	}
}
