/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rtnetlink(7) messages about links and addresses: reading them, and asking for them in another
 * namespace by its number. What does not parse is passed over: the kernel is trusted, but a newer
 * one may say more than we know.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "host/links.h"

struct nl_sock;
struct nlmsghdr;

/*
 * Reads an RTM_NEWLINK or RTM_DELLINK message (link->netns stays 0). false: it is not about an
 * interface as such: a bridge port (AF_BRIDGE) or a wireless event, which use the same type.
 */
bool link_parse(struct nlmsghdr *message, struct link *ret);

struct link_address {
	struct ip_address address;
	bool broadcast; /* of an IPv4 subnet: packets to it are for all who are in it */
};
#define LINK_ADDRESSES_PER_MESSAGE 2

/* Reads an RTM_NEWADDR message; returns how many addresses packets for us may have because of it: none,
 * if it is about neither IPv4 nor IPv6, the address, and the broadcast address (IPv4) or the routers'
 * anycast address (IPv6, RFC 4291 2.6.1) of its subnet. */
size_t address_parse(struct nlmsghdr *message,
		     struct link_address ret[static LINK_ADDRESSES_PER_MESSAGE]);

struct link_list {
	size_t n, size;
	struct link *links;
};

struct address_list {
	size_t n, size;
	struct link_address *addresses; /* sorted by ip_compare(), without doubles */
};

/* Blocking: all links, and all addresses, of the namespace that sock's namespace numbers nsid
 * (NETNS_NSID_NONE: sock's own). The arrays are the caller's, also after an error. */
int links_dump(struct nl_sock *sock, int32_t nsid, struct link_list *ret);
int addresses_dump(struct nl_sock *sock, int32_t nsid, struct address_list *ret);

/* Blocking: the present counters of an interface of sock's own namespace. */
int link_counters(struct nl_sock *sock, uint32_t ifindex, struct link_counter *ret_rx,
		  struct link_counter *ret_tx);
