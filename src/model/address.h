/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An IP address. IPv4 is kept as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so that one table can
 * hold both; ip_format() prints it the way people write it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ip_address {
	uint8_t bytes[16]; /* network order */
};

#define IP_ADDRESS_STRLEN 46 /* INET6_ADDRSTRLEN */

struct ip_prefix {
	struct ip_address address;
	uint8_t bits; /* of 128; an IPv4 /8 is 104 */
};

bool ip_is_v4(const struct ip_address *a);
bool ip_is_loopback(const struct ip_address *a);
bool ip_is_link_local(const struct ip_address *a); /* RFC 3927, fe80::/10 */
bool ip_is_multicast(const struct ip_address *a); /* also 255.255.255.255 */
int ip_compare(const struct ip_address *a, const struct ip_address *b);

/* Writes a into buf and returns buf. */
const char *ip_format(const struct ip_address *a, char buf[static IP_ADDRESS_STRLEN]);

/* "10.1.2.3", "fe80::1"; -EINVAL for anything else. */
int ip_parse(const char *text, struct ip_address *ret);

/* "10.0.0.0/8", "fc00::/7", or an address alone (its full length). */
int ip_prefix_parse(const char *text, struct ip_prefix *ret);
bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *a);

/* The ranges that do not leave the site: RFC 1918, 6598, 3927, 4193, loopback, link-local,
 * multicast. */
bool ip_is_private(const struct ip_address *a);
