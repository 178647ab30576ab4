/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kind of an interface says about it: its role, how its packets are parsed, and in which
 * units it counts. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/flow.h"

#define LINK_KIND_LEN 16

/*
 * How to turn what TC sees into what the interface counts, per direction:
 *
 *	packets = wire ? count.packets : count.skbs
 *	bytes   = (wire ? count.bytes_wire : count.bytes) - omitted * packets
 */
struct link_units {
	bool known; /* false: skbs or segments, it cannot be told from here */
	bool omitted_known; /* false: nor can whether the link header is counted */
	bool wire; /* wire segments: the counter stands before receive merging, or behind TSO */
	uint8_t omitted; /* bytes of link header per packet that the counter leaves out */
};

/* What decides about merging and splitting between TC and the counter (ethtool -k). */
struct link_offloads {
	bool gro, tso;
	bool peer_seen; /* a veth whose peer is in the same namespace */
	bool peer_gro, peer_tso;
};

struct link_counter { /* of one direction, in the interface's own units */
	uint64_t packets, bytes;
};

/*
 * kind is IFLA_INFO_KIND ("" for most hardware), type ARPHRD_*. A vlan, macvlan or ipvlan device
 * is FLOW_ROLE_TUNNEL: it sees the same packets as the device below it, and "wire" is to count
 * each of them once.
 */
enum flow_role link_role(const char *kind, uint16_t type);

/* True if packets of this ARPHRD_* type start with the IP header, false for Ethernet. */
bool link_is_l3(uint16_t type);
/* False for ARPHRD_* types whose link header we do not know; nothing is attached to them. */
bool link_is_supported(uint16_t type);

struct link_units link_units(const char *kind, uint16_t type, bool transmit,
			     const struct link_offloads *offloads);

/* What TC saw, in the interface's units. */
struct link_counter link_convert(const struct link_units *units, const struct flow_count *count);
