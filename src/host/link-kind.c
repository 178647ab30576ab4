/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One table: what each kind of interface is for, and which bytes its own counters leave out. The
 * omissions depend on whether the driver counts behind eth_type_trans(), which pulls the 14 bytes of
 * the Ethernet header, or before it; they were measured on Linux 6.18 with ICMP, fragments and TCP
 * (tests/system/net/test_units.py), but for those that are called opaque.
 */
#include "host/link-kind.h"

#include <linux/if_ether.h>
#include <net/if_arp.h>
#include <stddef.h>

#include "base/util.h"

/* Not in glibc's <net/if_arp.h>; linux/if_arp.h cannot be included beside it. */
#define ARPHRD_IP6GRE_ 823

enum quirk {
	PLAIN, /* counts the skbs that TC sees */
	MERGES, /* receives through gro_cells: counts before skbs are merged */
	OPAQUE, /* counts whatever its driver, or the devices below it, count */
};

#define UNKNOWN UINT8_MAX

struct kind {
	const char *name; /* IFLA_INFO_KIND */
	enum flow_role role;
	enum quirk quirk;
	uint8_t rx_omitted, tx_omitted;
};

static const struct kind kinds[] = {
	{ "veth", FLOW_ROLE_VETH, PLAIN, 0, 0 }, /* see veth_units() */
	{ "netkit", FLOW_ROLE_VETH, PLAIN, 0, 0 },

	{ "bridge", FLOW_ROLE_BRIDGE, PLAIN, ETH_HLEN, 0 },
	{ "team", FLOW_ROLE_BRIDGE, OPAQUE, UNKNOWN, UNKNOWN },
	{ "bond", FLOW_ROLE_BRIDGE, OPAQUE, 0, 0 }, /* the sum of its ports */
	{ "vrf", FLOW_ROLE_BRIDGE, OPAQUE, UNKNOWN, UNKNOWN },
	{ "hsr", FLOW_ROLE_BRIDGE, OPAQUE, UNKNOWN, UNKNOWN },

	{ "vxlan", FLOW_ROLE_TUNNEL, MERGES, ETH_HLEN, ETH_HLEN },
	{ "geneve", FLOW_ROLE_TUNNEL, MERGES, ETH_HLEN, ETH_HLEN },
	{ "gretap", FLOW_ROLE_TUNNEL, MERGES, 0, ETH_HLEN },
	{ "erspan", FLOW_ROLE_TUNNEL, MERGES, 0, ETH_HLEN }, /* as gretap: ip_tunnel_rcv() */
	{ "ip6gretap", FLOW_ROLE_TUNNEL, MERGES, UNKNOWN, UNKNOWN },
	{ "ip6erspan", FLOW_ROLE_TUNNEL, MERGES, UNKNOWN, UNKNOWN },
	{ "ipip", FLOW_ROLE_TUNNEL, MERGES, 0, 0 },
	{ "sit", FLOW_ROLE_TUNNEL, MERGES, 0, 0 },
	{ "gre", FLOW_ROLE_TUNNEL, MERGES, 0, 0 },
	{ "ip6tnl", FLOW_ROLE_TUNNEL, MERGES, 0, 0 },
	{ "ip6gre", FLOW_ROLE_TUNNEL, MERGES, 0, 0 },
	{ "vti", FLOW_ROLE_TUNNEL, OPAQUE, UNKNOWN, UNKNOWN },
	{ "vti6", FLOW_ROLE_TUNNEL, OPAQUE, UNKNOWN, UNKNOWN },
	{ "xfrm", FLOW_ROLE_TUNNEL, OPAQUE, UNKNOWN, UNKNOWN },
	{ "tun", FLOW_ROLE_TUNNEL, PLAIN, 0, 0 },
	/* rx is the encrypted size, padded to 16 bytes; keepalives and handshakes count, too. */
	{ "wireguard", FLOW_ROLE_TUNNEL, OPAQUE, UNKNOWN, UNKNOWN },

	{ "vlan", FLOW_ROLE_TUNNEL, PLAIN, ETH_HLEN, 0 },
	{ "macvlan", FLOW_ROLE_TUNNEL, PLAIN, 0, 0 },
	{ "macvtap", FLOW_ROLE_TUNNEL, PLAIN, 0, 0 },
	{ "ipvlan", FLOW_ROLE_TUNNEL, PLAIN, 0, 0 },
	{ "ipvtap", FLOW_ROLE_TUNNEL, PLAIN, 0, 0 },
	{ "macsec", FLOW_ROLE_TUNNEL, OPAQUE, UNKNOWN, UNKNOWN },
	{ "ifb", FLOW_ROLE_TUNNEL, OPAQUE, UNKNOWN, UNKNOWN },

	{ "dummy", FLOW_ROLE_WIRE, PLAIN, 0, 0 },
};

static const struct kind loopback = { "", FLOW_ROLE_LOOPBACK, PLAIN, ETH_HLEN, ETH_HLEN };
/* Hardware: frames with their link header, mostly. */
static const struct kind other = { "", FLOW_ROLE_WIRE, OPAQUE, 0, 0 };

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

/*
 * A veth's packets count where they are sent, as TC sees them. But skbs from a sender without TSO to
 * a receiver with GRO count in the receiver's NAPI poll, behind eth_type_trans(): for both ends, and
 * on Linux before 5.13 not (veth_skb_is_eligible_for_gro()).
 */
static void veth_units(struct link_units *units, bool transmit, const struct link_offloads *o)
{
	bool receiver_gro = transmit ? !o->peer_seen || o->peer_gro : o->gro;
	bool sender_tso = transmit ? o->tso : o->peer_seen && o->peer_tso;

	if (!receiver_gro || sender_tso)
		return;
	units->omitted_known = false;
	units->known = transmit; /* without TSO it is always segments */
	if (o->peer_seen) {
		units->wire = true;
		units->omitted = ETH_HLEN;
	}
}

struct link_units link_units(const char *kind, uint16_t type, bool transmit,
			     const struct link_offloads *offloads)
{
	const struct kind *k = find_kind(kind, type);
	uint8_t omitted = transmit ? k->tx_omitted : k->rx_omitted;
	struct link_units units = {
		.known = k->quirk != OPAQUE,
		.omitted_known = omitted != UNKNOWN,
		.omitted = omitted != UNKNOWN ? omitted : 0,
	};

	if (transmit && !offloads->tso)
		units.wire = true; /* the kernel splits them between TC and the driver */
	if (!transmit && offloads->gro && k->quirk != PLAIN) {
		units.known = false;
		units.wire = k == &other;
	}
	if (streq(kind, "veth"))
		veth_units(&units, transmit, offloads);
	return units;
}

struct link_counter link_convert(const struct link_units *units, const struct flow_count *count)
{
	uint64_t packets = units->wire ? count->packets : count->skbs;
	uint64_t bytes = units->wire ? count->bytes_wire : count->bytes;

	return (struct link_counter){ packets, bytes - units->omitted * packets };
}
