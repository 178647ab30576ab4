/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One table: what each kind of interface is for, and which bytes its own counters leave out. The
 * omissions were measured (notes/network.md §13; tests/system/net/test_units.py) and come from
 * where the driver counts: behind eth_type_trans(), which pulls the 14 bytes of the Ethernet
 * header, or before it.
 */
#include "host/link-kind.h"

#include <linux/if_ether.h>
#include <net/if_arp.h>
#include <stddef.h>

#include "base/util.h"

/* Not in glibc's <net/if_arp.h>; linux/if_arp.h cannot be included beside it. */
#define ARPHRD_IP6GRE_ 823

struct kind {
	const char *name; /* IFLA_INFO_KIND */
	enum flow_role role;
	bool known; /* the counters are in units that we can tell */
	uint8_t rx_omitted, tx_omitted;
};

static const struct kind kinds[] = {
	{ "veth", FLOW_ROLE_VETH, true, 0, 0 },
	{ "netkit", FLOW_ROLE_VETH, true, 0, 0 },

	{ "bridge", FLOW_ROLE_BRIDGE, true, ETH_HLEN, 0 },
	{ "team", FLOW_ROLE_BRIDGE, true, ETH_HLEN, 0 },
	{ "bond", FLOW_ROLE_BRIDGE, false, 0, 0 }, /* the sum of what its ports count */
	{ "vrf", FLOW_ROLE_BRIDGE, false, 0, 0 },
	{ "hsr", FLOW_ROLE_BRIDGE, false, 0, 0 },

	{ "vxlan", FLOW_ROLE_TUNNEL, true, ETH_HLEN, ETH_HLEN },
	{ "geneve", FLOW_ROLE_TUNNEL, true, ETH_HLEN, ETH_HLEN },
	{ "gretap", FLOW_ROLE_TUNNEL, true, ETH_HLEN, ETH_HLEN },
	{ "erspan", FLOW_ROLE_TUNNEL, true, ETH_HLEN, ETH_HLEN },
	{ "ip6gretap", FLOW_ROLE_TUNNEL, true, ETH_HLEN, ETH_HLEN },
	{ "ip6erspan", FLOW_ROLE_TUNNEL, true, ETH_HLEN, ETH_HLEN },
	{ "ipip", FLOW_ROLE_TUNNEL, true, 0, 0 },
	{ "sit", FLOW_ROLE_TUNNEL, true, 0, 0 },
	{ "gre", FLOW_ROLE_TUNNEL, true, 0, 0 },
	{ "ip6tnl", FLOW_ROLE_TUNNEL, true, 0, 0 },
	{ "ip6gre", FLOW_ROLE_TUNNEL, true, 0, 0 },
	{ "vti", FLOW_ROLE_TUNNEL, true, 0, 0 },
	{ "vti6", FLOW_ROLE_TUNNEL, true, 0, 0 },
	{ "xfrm", FLOW_ROLE_TUNNEL, true, 0, 0 },
	{ "tun", FLOW_ROLE_TUNNEL, true, 0, 0 },
	/* rx is the encrypted size, padded to 16 bytes; keepalives and handshakes count, too. */
	{ "wireguard", FLOW_ROLE_TUNNEL, false, 0, 0 },

	{ "vlan", FLOW_ROLE_TUNNEL, true, ETH_HLEN, 0 },
	{ "macvlan", FLOW_ROLE_TUNNEL, true, 0, 0 },
	{ "macvtap", FLOW_ROLE_TUNNEL, true, 0, 0 },
	{ "ipvlan", FLOW_ROLE_TUNNEL, true, 0, 0 },
	{ "ipvtap", FLOW_ROLE_TUNNEL, true, 0, 0 },
	{ "macsec", FLOW_ROLE_TUNNEL, false, 0, 0 },
	{ "ifb", FLOW_ROLE_TUNNEL, false, 0, 0 },

	{ "dummy", FLOW_ROLE_WIRE, true, 0, 0 },
};

static const struct kind loopback = { "", FLOW_ROLE_LOOPBACK, true, ETH_HLEN, ETH_HLEN };
static const struct kind other = { "", FLOW_ROLE_WIRE, false, 0, 0 };

static const struct kind *find_kind(const char *name, uint16_t type)
{
	if (type == ARPHRD_LOOPBACK)
		return &loopback;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (streq(kinds[i].name, name))
			return &kinds[i];
	return &other;
}

enum flow_role link_role(const char *kind, uint16_t type)
{
	const struct kind *k = find_kind(kind, type);

	/* A modem or a point-to-point link without a kind of its own. */
	return k == &other && link_is_l3(type) ? FLOW_ROLE_TUNNEL : k->role;
}

bool link_is_l3(uint16_t type)
{
	switch (type) {
	case ARPHRD_NONE: /* tun, wireguard */
	case ARPHRD_RAWIP:
	case ARPHRD_PPP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE_:
		return true;
	default:
		return false;
	}
}

bool link_is_supported(uint16_t type)
{
	return type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK || link_is_l3(type);
}

struct link_units link_units(const char *kind, uint16_t type, bool transmit, bool merges)
{
	const struct kind *k = find_kind(kind, type);
	struct link_units units = {
		.known = k->known,
		.omitted_known = !streq(kind, "veth") || (!transmit && !merges),
		.omitted = transmit ? k->tx_omitted : k->rx_omitted,
	};

	if (transmit || !merges)
		return units;
	if (streq(kind, "veth") || k == &other) {
		/* Receive merging behind the counter. A veth counts there in its NAPI poll, after
		 * eth_type_trans(). */
		units.wire = true;
		units.omitted = k == &other ? 0 : ETH_HLEN;
	}
	return units;
}

struct link_counter link_convert(const struct link_units *units, const struct flow_count *count)
{
	uint64_t packets = units->wire ? count->packets : count->skbs;
	uint64_t bytes = units->wire ? count->bytes_wire : count->bytes;

	return (struct link_counter){ packets, bytes - units->omitted * packets };
}
