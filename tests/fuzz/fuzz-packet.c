/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel side's packet parser (bpf/lib/packet.h), compiled for user space. The verifier proves
 * its bounds for the kernel; this looks for wrong answers. Input:
 *
 *	kind of device and ethertype, length of the linear part, where to cut, then the packet
 *
 * What is parsed must not depend on how much of the packet is linear, nor on what lies behind the
 * headers, nor on what was in the result before.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PREFIX 4 /* bytes of the input before the packet */
#define TAG_LENGTH 4
#define EXTENSION_LENGTH_MAX 2048 /* RFC 8200 section 4.3: (255 + 1) * 8 */
#define TCP_HEADER_MAX 60
#define GENEVE_MAX (8 + 63 * 4)
#define IP_MAX (sizeof(struct ipv6_header) + IPV6_EXTENSIONS_MAX * EXTENSION_LENGTH_MAX)
#define OUTER_MAX (ETH_HLEN + VLAN_TAGS_MAX * TAG_LENGTH + IP_MAX + TCP_HEADER_MAX)
#define ALL_MAX (OUTER_MAX + GENEVE_MAX + ETH_HLEN + IP_MAX + TCP_HEADER_MAX)

struct input {
	const uint8_t *bytes;
	size_t size;
	uint16_t ethertype;
	uint32_t link_header;
};

struct outcome {
	int outer, inner; /* 0: parsed; inner 1: there is no tunnel */
	struct packet packet, inside;
};

/* A layer 3 device says what its packets are, an Ethernet device reads it in the frame. */
static struct input input_of(const uint8_t *data, size_t size)
{
	static const uint16_t ethertypes[] = { ETH_P_IP, ETH_P_IPV6, ETH_P_8021Q, ETH_P_ARP };
	struct input in = { .bytes = data + PREFIX, .size = size - PREFIX };

	if (data[0] & 0x80 || in.size < ETH_HLEN) {
		in.ethertype = ethertypes[data[0] & 3];
		return in;
	}
	in.ethertype = in.bytes[12] << 8 | in.bytes[13];
	in.link_header = ETH_HLEN;
	return in;
}

static int parse_ip_and_transport(struct __sk_buff *skb, struct packet *packet)
{
	if (packet_parse_ip(skb, packet) < 0 || packet_parse_transport(skb, packet) < 0)
		return -1;
	return 0;
}

static int parse_outer(struct __sk_buff *skb, const struct input *in, struct packet *packet)
{
	packet->offset = in->link_header;
	packet->ethertype = in->ethertype;
	packet->inner = 0;
	packet->protocol = 0;
	packet->fragment = 0;
	if (packet_skip_tags(skb, packet) < 0)
		return -1;
	if (packet->ethertype != ETH_P_IP && packet->ethertype != ETH_P_IPV6)
		return -1;
	return parse_ip_and_transport(skb, packet);
}

/* Parses the first size bytes, of which linear are linear; garbage is what the results hold before.
 * The order is that of bpf/flows.bpf.c. */
static struct outcome parse(const struct input *in, size_t size, size_t linear, int garbage)
{
	/* A block of its own each, so that a byte too far is found. */
	uint8_t *all = malloc(size), *head = malloc(linear);
	struct __sk_buff skb = { .data = (unsigned long)head,
				 .data_end = (unsigned long)head + linear,
				 .bytes = all,
				 .len = size };
	struct outcome o = { .outer = -1, .inner = 1 };

	assert((all || !size) && (head || !linear));
	if (size)
		memcpy(all, in->bytes, size);
	if (linear)
		memcpy(head, in->bytes, linear);
	memset(&o.packet, garbage, sizeof(o.packet));
	memset(&o.inside, garbage, sizeof(o.inside));
	o.outer = parse_outer(&skb, in, &o.packet);
	if (o.outer == 0) {
		o.inside = o.packet;
		if (packet_enter_tunnel(&skb, &o.inside))
			o.inner = parse_ip_and_transport(&skb, &o.inside);
		else
			assert(memcmp(&o.inside, &o.packet, sizeof(o.packet)) == 0);
	}
	free(head);
	free(all);
	return o;
}

static int has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

static int is_mapped(const struct wire_address *a)
{
	return !a->words[0] && !a->words[1] && a->words[2] == bpf_htonl(0xffff);
}

static void check_packet(const struct packet *p, uint32_t offset_max)
{
	assert(p->offset <= offset_max);
	assert(p->fragment <= 1 && p->inner <= 1);
	if (p->fragment || !has_ports(p->protocol))
		assert(!p->source_port && !p->destination_port);
	if (p->fragment || p->protocol != IPPROTO_TCP)
		assert(!p->tcp_flags);
	if (p->ethertype == ETH_P_IP)
		assert(is_mapped(&p->source) && is_mapped(&p->destination));
}

static int same_packet(const struct packet *a, const struct packet *b)
{
	return memcmp(&a->source, &b->source, sizeof(a->source)) == 0 &&
	       memcmp(&a->destination, &b->destination, sizeof(a->destination)) == 0 &&
	       a->source_port == b->source_port && a->destination_port == b->destination_port &&
	       a->ethertype == b->ethertype && a->protocol == b->protocol &&
	       a->tcp_flags == b->tcp_flags && a->fragment == b->fragment && a->inner == b->inner &&
	       a->offset == b->offset;
}

static void check_same(const struct outcome *a, const struct outcome *b)
{
	assert(a->outer == b->outer && a->inner == b->inner);
	if (a->outer == 0)
		assert(same_packet(&a->packet, &b->packet));
	if (a->inner == 0)
		assert(same_packet(&a->inside, &b->inside));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome copied, direct, mixed, cut;
	struct input in;

	if (size < PREFIX)
		return 0;
	in = input_of(data, size);
	copied = parse(&in, in.size, 0, 0x00);
	direct = parse(&in, in.size, in.size, 0xff);
	mixed = parse(&in, in.size, data[1] % (in.size + 1), 0x55);
	check_same(&copied, &direct);
	check_same(&copied, &mixed);
	if (copied.outer == 0)
		check_packet(&copied.packet, OUTER_MAX);
	if (copied.inner == 0)
		check_packet(&copied.inside, ALL_MAX);
	/* What the first bytes were enough for, the others do not change. */
	cut = parse(&in, (data[2] | data[3] << 8) % (in.size + 1), 0, 0xaa);
	if (cut.outer == 0)
		assert(copied.outer == 0 && same_packet(&cut.packet, &copied.packet));
	return 0;
}
