/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A packet's headers, down to the ports. Bounded everywhere: at most two VLAN tags, eight IPv6
 * extension headers, one tunnel. Headers are copied straight from the linear part when they lie in
 * it, and with bpf_skb_load_bytes() when they do not (receive paths that pull little, frames built
 * by hand), so nothing is lost for where the bytes happen to be.
 */
#pragma once

#include "lib/kernel.h"
#include "wire/flows.h"

#define VLAN_TAGS_MAX 2
#define IPV6_EXTENSIONS_MAX 8

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define PORT_VXLAN 4789 /* RFC 7348 section 5 */
#define PORT_VXLAN_LINUX 8472 /* Linux's own default, older than the RFC */
#define PORT_GENEVE 6081 /* RFC 8926 section 3.3 */

struct packet {
	struct wire_address source, destination;
	__u16 source_port, destination_port; /* host order */
	__u16 ethertype; /* host order, of what begins at offset */
	__u8 protocol;
	__u8 tcp_flags;
	__u8 fragment; /* 1: not the first */
	__u8 inner; /* 1: the headers of a tunnel lie before these */
	__u32 offset; /* parse position; in the end the length of all headers */
};

struct vlan_tag {
	__be16 tci;
	__be16 ethertype;
};

struct ipv4_header {
	__u8 version_ihl;
	__u8 tos;
	__be16 total_length;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 protocol;
	__be16 checksum;
	__be32 source, destination;
};

struct ipv6_header {
	__be32 version_class_flow;
	__be16 payload_length;
	__u8 next_header;
	__u8 hop_limit;
	struct wire_address source, destination;
};

struct ipv6_extension {
	__u8 next, length;
	__be16 fragment;
};

struct tcp_header {
	__be16 source, destination;
	__be32 sequence, acknowledgement;
	__u8 data_offset; /* high four bits, in words of four bytes */
	__u8 flags;
	__be16 window;
};

struct ports { /* UDP and SCTP begin with them */
	__be16 source, destination;
};
#define UDP_HEADER_LENGTH 8 /* RFC 768 */
#define SCTP_HEADER_LENGTH 12 /* RFC 9260 section 3.1 */

struct icmp_header {
	__u8 type, code;
	__be16 checksum;
	__be16 id, sequence;
};

/*
 * Where the bytes come from: the program's __sk_buff; or, for a program that has the kernel's own
 * struct sk_buff and says PACKET_PROBED, the linear part of that, read through the probe helper.
 */
#ifdef PACKET_PROBED
struct packet_buffer {
	const void *head;
	__u32 end; /* of the linear part, from head */
};

static __always_inline long packet_copy(const struct packet_buffer *skb, __u32 offset, void *to,
					__u32 size)
{
	if (offset > skb->end || skb->end - offset < size)
		return -1;
	return bpf_probe_read_kernel(to, size, skb->head + offset);
}

#define packet_load(skb, packet, to) packet_copy(skb, (packet)->offset, to, sizeof(*(to)))
#else
#define packet_buffer __sk_buff
#define packet_copy bpf_skb_load_bytes

/* Beyond this the verifier cannot prove an access to the linear part; the copy helper can. */
#define DIRECT_OFFSET_MAX 0x3ff

/* Copies *to from packet->offset on. A macro for the type: assigned as such it takes word loads,
 * which the architectures that matter do at any address. */
#define packet_load(skb, packet, to)                                                            \
	({                                                                                      \
		void *data_ = (void *)(long)(skb)->data, *end_ = (void *)(long)(skb)->data_end; \
		__u32 offset_ = (packet)->offset;                                               \
		int r_ = 0;                                                                     \
                                                                                                \
		if (offset_ <= DIRECT_OFFSET_MAX && data_ + offset_ + sizeof(*(to)) <= end_)    \
			*(to) = *(const __typeof__(*(to)) *)(data_ + offset_);                  \
		else                                                                            \
			r_ = packet_copy(skb, offset_, to, sizeof(*(to)));                      \
		r_;                                                                             \
	})
#endif

static __always_inline void packet_set_v4(struct wire_address *to, __be32 address)
{
	to->words[0] = 0;
	to->words[1] = 0;
	to->words[2] = bpf_htonl(0xffff);
	to->words[3] = address;
}

/* packet->ethertype and offset are at what may be a tag. skb->protocol is the type behind a tag
 * that the device stripped, but that of the tag itself where the tag is still in the frame. */
static __always_inline int packet_skip_tags(struct packet_buffer *skb, struct packet *packet)
{
	struct vlan_tag tag;

#pragma unroll
	for (int i = 0; i < VLAN_TAGS_MAX; i++) {
		if (packet->ethertype != ETH_P_8021Q && packet->ethertype != ETH_P_8021AD)
			return 0;
		if (packet_load(skb, packet, &tag) < 0)
			return -1;
		packet->ethertype = bpf_ntohs(tag.ethertype);
		packet->offset += sizeof(tag);
	}
	return 0;
}

static __always_inline int packet_parse_v4(struct packet_buffer *skb, struct packet *packet)
{
	struct ipv4_header ip;
	__u32 length;

	if (packet_load(skb, packet, &ip) < 0)
		return -1;
	length = (ip.version_ihl & 0x0f) * 4;
	if (ip.version_ihl >> 4 != 4 || length < sizeof(ip))
		return -1;
	packet_set_v4(&packet->source, ip.source);
	packet_set_v4(&packet->destination, ip.destination);
	packet->protocol = ip.protocol;
	packet->fragment = (ip.fragment & bpf_htons(0x1fff)) != 0;
	packet->offset += length;
	return 0;
}

/*
 * Skips extension headers: hop-by-hop 0, routing 43, fragment 44, authentication 51, destination 60
 * and mobility 135 (RFC 8200 section 4, RFC 4302, RFC 6275). What follows ESP cannot be read: ESP
 * is then the protocol. Out of line: nearly no packet has one.
 */
static __noinline int packet_skip_extensions(struct packet_buffer *skb, struct packet *packet)
{
	struct ipv6_extension extension;

	if (!packet)
		return -1;
	for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
		__u8 protocol = packet->protocol;

		if (protocol != 0 && protocol != 43 && protocol != 44 && protocol != 51 &&
		    protocol != 60 && protocol != 135)
			return 0;
		if (packet_copy(skb, packet->offset, &extension, sizeof(extension)) < 0)
			return -1;
		packet->protocol = extension.next;
		if (protocol == 44) {
			packet->offset += 8;
			packet->fragment = (extension.fragment & bpf_htons(0xfff8)) != 0;
			if (packet->fragment)
				return 0;
		} else if (protocol == 51) {
			packet->offset += ((__u32)extension.length + 2) * 4;
		} else {
			packet->offset += ((__u32)extension.length + 1) * 8;
		}
	}
	return -1;
}

static __always_inline int packet_parse_v6(struct packet_buffer *skb, struct packet *packet)
{
	struct ipv6_header ip;

	if (packet_load(skb, packet, &ip) < 0)
		return -1;
	if (bpf_ntohl(ip.version_class_flow) >> 28 != 6)
		return -1;
	packet->source = ip.source;
	packet->destination = ip.destination;
	packet->fragment = 0;
	packet->protocol = ip.next_header;
	packet->offset += sizeof(ip);
	if (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP)
		return 0;
	return packet_skip_extensions(skb, packet);
}

static __always_inline int packet_parse_ip(struct packet_buffer *skb, struct packet *packet)
{
	if (packet->ethertype == ETH_P_IP)
		return packet_parse_v4(skb, packet);
	return packet_parse_v6(skb, packet);
}

/* Echo requests and replies carry an identifier; it stands for both ports, so that a request and
 * its reply are one flow. Other messages have none. */
static __always_inline int packet_parse_icmp(struct packet_buffer *skb, struct packet *packet)
{
	struct icmp_header icmp;

	if (packet_load(skb, packet, &icmp) < 0)
		return -1;
	if (packet->protocol == IPPROTO_ICMP ? icmp.type == 0 || icmp.type == 8
					     : icmp.type == 128 || icmp.type == 129) {
		packet->source_port = bpf_ntohs(icmp.id);
		packet->destination_port = packet->source_port;
	}
	packet->offset += sizeof(icmp);
	return 0;
}

static __always_inline int packet_parse_ports(struct packet_buffer *skb, struct packet *packet)
{
	struct ports ports;

	if (packet_load(skb, packet, &ports) < 0)
		return -1;
	packet->source_port = bpf_ntohs(ports.source);
	packet->destination_port = bpf_ntohs(ports.destination);
	return 0;
}

static __always_inline int packet_parse_tcp(struct packet_buffer *skb, struct packet *packet)
{
	struct tcp_header tcp;

	if (packet_load(skb, packet, &tcp) < 0)
		return -1;
	packet->source_port = bpf_ntohs(tcp.source);
	packet->destination_port = bpf_ntohs(tcp.destination);
	packet->tcp_flags = tcp.flags;
	packet->offset += (tcp.data_offset >> 4) * 4;
	return 0;
}

/* Ports and flags; a protocol without ports has 0. */
static __always_inline int packet_parse_transport(struct packet_buffer *skb, struct packet *packet)
{
	packet->source_port = packet->destination_port = 0;
	packet->tcp_flags = 0;
	if (packet->fragment)
		return 0;
	if (packet->protocol == IPPROTO_TCP)
		return packet_parse_tcp(skb, packet);
	if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6)
		return packet_parse_icmp(skb, packet);
	if (packet->protocol != IPPROTO_UDP && packet->protocol != IPPROTO_SCTP)
		return 0;
	if (packet_parse_ports(skb, packet) < 0)
		return -1;
	packet->offset += packet->protocol == IPPROTO_UDP ? UDP_HEADER_LENGTH : SCTP_HEADER_LENGTH;
	return 0;
}

/*
 * Goes from the outer headers to the first inner IP header: IPIP and 6in4 (RFC 2003, RFC 4213),
 * VXLAN (RFC 7348) and Geneve (RFC 8926) by their ports. False: there is no tunnel that we know,
 * and packet is as it was.
 */
static __noinline int packet_enter_tunnel(struct packet_buffer *skb, struct packet *packet)
{
	__u8 tunnel[8];
	__be16 ethertype;
	__u32 offset;

	if (!packet || packet->fragment)
		return 0;
	offset = packet->offset;
	if (packet->protocol == IPPROTO_IPIP || packet->protocol == IPPROTO_IPV6) {
		packet->ethertype = packet->protocol == IPPROTO_IPIP ? ETH_P_IP : ETH_P_IPV6;
		packet->inner = 1;
		return 1;
	}
	if (packet->protocol != IPPROTO_UDP)
		return 0;
	if (packet->destination_port != PORT_VXLAN &&
	    packet->destination_port != PORT_VXLAN_LINUX && packet->destination_port != PORT_GENEVE)
		return 0;
	if (packet_copy(skb, offset, tunnel, sizeof(tunnel)) < 0)
		return 0;
	offset += sizeof(tunnel);
	if (packet->destination_port == PORT_GENEVE) {
		if (tunnel[2] != (ETH_P_TEB >> 8) || tunnel[3] != (ETH_P_TEB & 0xff))
			return 0;
		offset += (tunnel[0] & 0x3f) * 4; /* options */
	}
	if (packet_copy(skb, offset + 12, &ethertype, sizeof(ethertype)) < 0)
		return 0;
	if (ethertype != bpf_htons(ETH_P_IP) && ethertype != bpf_htons(ETH_P_IPV6))
		return 0;
	packet->ethertype = bpf_ntohs(ethertype);
	packet->offset = offset + 14;
	packet->inner = 1;
	return 1;
}
