/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All comparisons are on the 16-byte form, so an IPv4 range is just a prefix of 96 bits more.
 */
#include "model/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

#define V4_MAPPED_BITS 96
#define V4_MAPPED 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *a)
{
	unsigned whole = prefix->bits / 8, rest = prefix->bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	if (memcmp(prefix->address.bytes, a->bytes, whole) != 0)
		return false;
	return rest == 0 || ((prefix->address.bytes[whole] ^ a->bytes[whole]) & mask) == 0;
}

static bool in_any(const struct ip_address *a, const struct ip_prefix *prefixes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ip_prefix_contains(&prefixes[i], a))
			return true;
	return false;
}

bool ip_is_v4(const struct ip_address *a)
{
	static const struct ip_prefix mapped = { { { V4_MAPPED } }, V4_MAPPED_BITS };

	return ip_prefix_contains(&mapped, a);
}

static const struct ip_prefix loopback[] = {
	{ { { V4_MAPPED, 127 } }, V4_MAPPED_BITS + 8 },
	{ { { [15] = 1 } }, 128 },
};

static const struct ip_prefix multicast[] = {
	{ { { V4_MAPPED, 224 } }, V4_MAPPED_BITS + 4 },
	{ { { V4_MAPPED, 255, 255, 255, 255 } }, 128 },
	{ { { 0xff } }, 8 },
};

static const struct ip_prefix link_local[] = {
	{ { { V4_MAPPED, 169, 254 } }, V4_MAPPED_BITS + 16 }, /* RFC 3927 */
	{ { { 0xfe, 0x80 } }, 10 }, /* RFC 4291 2.5.6 */
};

static const struct ip_prefix private_ranges[] = {
	{ { { V4_MAPPED, 10 } }, V4_MAPPED_BITS + 8 }, /* RFC 1918 */
	{ { { V4_MAPPED, 172, 16 } }, V4_MAPPED_BITS + 12 },
	{ { { V4_MAPPED, 192, 168 } }, V4_MAPPED_BITS + 16 },
	{ { { V4_MAPPED, 100, 64 } }, V4_MAPPED_BITS + 10 }, /* RFC 6598 */
	{ { { V4_MAPPED, 0 } }, V4_MAPPED_BITS + 8 }, /* "this host", RFC 1122 3.2.1.3: DHCP */
	{ { { 0xfc } }, 7 }, /* RFC 4193 */
	{ { { 0 } }, 128 }, /* the unspecified address */
};

bool ip_is_loopback(const struct ip_address *a)
{
	return in_any(a, loopback, ARRAY_SIZE(loopback));
}

bool ip_is_link_local(const struct ip_address *a)
{
	return in_any(a, link_local, ARRAY_SIZE(link_local));
}

bool ip_is_multicast(const struct ip_address *a)
{
	return in_any(a, multicast, ARRAY_SIZE(multicast));
}

bool ip_is_private(const struct ip_address *a)
{
	return ip_is_loopback(a) || ip_is_link_local(a) || ip_is_multicast(a) ||
	       in_any(a, private_ranges, ARRAY_SIZE(private_ranges));
}

int ip_compare(const struct ip_address *a, const struct ip_address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

const char *ip_format(const struct ip_address *a, char buf[static IP_ADDRESS_STRLEN])
{
	/* Cannot fail: the family is known and the buffer large enough. */
	if (ip_is_v4(a))
		inet_ntop(AF_INET, a->bytes + V4_MAPPED_BITS / 8, buf, IP_ADDRESS_STRLEN);
	else
		inet_ntop(AF_INET6, a->bytes, buf, IP_ADDRESS_STRLEN);
	return buf;
}

int ip_parse(const char *text, struct ip_address *ret)
{
	struct ip_address a = { { V4_MAPPED } };

	if (inet_pton(AF_INET, text, a.bytes + V4_MAPPED_BITS / 8) != 1 &&
	    inet_pton(AF_INET6, text, a.bytes) != 1)
		return -EINVAL;
	*ret = a;
	return 0;
}

int ip_prefix_parse(const char *text, struct ip_prefix *ret)
{
	const char *slash = strchr(text, '/');
	char address[IP_ADDRESS_STRLEN];
	struct ip_prefix prefix = { .bits = 128 };
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	uint64_t bits;
	unsigned base;
	int r;

	if (n >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, n);
	address[n] = '\0';
	r = ip_parse(address, &prefix.address);
	if (r < 0)
		return r;
	if (slash) {
		/* "::ffff:10.0.0.0/104" is written, and counted, as IPv6. */
		base = strchr(address, ':') ? 0 : V4_MAPPED_BITS;
		if (text_parse_u64(slash + 1, &bits) < 0 || bits > 128 - base)
			return -EINVAL;
		prefix.bits = (uint8_t)(base + bits);
	}
	*ret = prefix;
	return 0;
}
