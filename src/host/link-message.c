/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attributes are read raw, because libnl-route 3.7 knows neither IFLA_TARGET_NETNSID nor nsids.
 * Another namespace's links and addresses are dumped by number (IFLA_TARGET_NETNSID Linux 4.20,
 * IFA_TARGET_NETNSID 5.0), so that nobody has to go there.
 */
#include "host/link-message.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "host/rtnl.h"

/* A dump that changed under the kernel's hands (NLM_F_DUMP_INTR) is asked for again this often. */
#define DUMP_TRIES 5

/* --- reading ------------------------------------------------------------------------------- */

static void copy_string(char *to, size_t size, const struct nlattr *attribute)
{
	if (attribute)
		nla_strlcpy(to, attribute, size);
}

static uint32_t get_u32(const struct nlattr *attribute)
{
	return attribute && nla_len(attribute) >= (int)sizeof(uint32_t) ? nla_get_u32(attribute)
									: 0;
}

static void parse_counters(const struct nlattr *attribute, struct link_counter *rx,
			   struct link_counter *tx)
{
	/* Older kernels' struct is shorter, newer ones' longer; ours are its first four. */
	struct {
		uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes;
	} s;

	if (!attribute || nla_len(attribute) < (int)sizeof(s))
		return;
	memcpy(&s, nla_data(attribute), sizeof(s));
	*rx = (struct link_counter){ s.rx_packets, s.rx_bytes };
	*tx = (struct link_counter){ s.tx_packets, s.tx_bytes };
}

static void parse_kind(struct nlattr *linkinfo, char *kind)
{
	struct nlattr *info[IFLA_INFO_MAX + 1];

	if (linkinfo && nla_parse_nested(info, IFLA_INFO_MAX, linkinfo, NULL) == 0)
		copy_string(kind, LINK_KIND_LEN, info[IFLA_INFO_KIND]);
}

bool link_parse(struct nlmsghdr *message, struct link *ret)
{
	struct nlattr *a[IFLA_MAX + 1];
	const struct ifinfomsg *header = nlmsg_data(message);

	if (nlmsg_parse(message, sizeof(*header), a, IFLA_MAX, NULL) < 0 ||
	    header->ifi_family != AF_UNSPEC || !a[IFLA_IFNAME] || header->ifi_index <= 0)
		return false;
	*ret = (struct link){
		.ifindex = (uint32_t)header->ifi_index,
		.type = header->ifi_type,
		.flags = header->ifi_flags,
		.master = get_u32(a[IFLA_MASTER]),
		.lower = get_u32(a[IFLA_LINK]),
		.lower_nsid = a[IFLA_LINK_NETNSID] ? (int32_t)get_u32(a[IFLA_LINK_NETNSID])
						   : NETNS_NSID_NONE,
	};
	copy_string(ret->name, sizeof(ret->name), a[IFLA_IFNAME]);
	parse_kind(a[IFLA_LINKINFO], ret->kind);
	parse_counters(a[IFLA_STATS64], &ret->rx, &ret->tx);
	ret->role = link_role(ret->kind, ret->type);
	return true;
}

static void map_v4(struct ip_address *to, const void *from)
{
	memset(to->bytes, 0, 10);
	to->bytes[10] = to->bytes[11] = 0xff;
	memcpy(to->bytes + 12, from, 4);
}

/* *a with all bits from `bits` on set, or cleared. */
static struct ip_address fill_from(const struct ip_address *a, unsigned bits, bool set)
{
	struct ip_address filled = *a;

	for (unsigned i = bits; i < 128; i++)
		if (set)
			filled.bytes[i / 8] |= 0x80 >> i % 8;
		else
			filled.bytes[i / 8] &= ~(0x80 >> i % 8);
	return filled;
}

/* A subnet of two has no broadcast address (RFC 3021). The kernel takes the one that follows from the
 * prefix where none was set (fib_add_ifaddr()). */
static size_t parse_v4(struct nlattr *a[], struct nlattr *own, unsigned prefix,
		       struct link_address ret[static 2])
{
	struct nlattr *broadcast = a[IFA_BROADCAST];

	if (nla_len(own) != 4)
		return 0;
	ret[0].broadcast = false;
	map_v4(&ret[0].address, nla_data(own));
	if (prefix >= 31)
		return 1;
	ret[1].broadcast = true;
	if (broadcast && nla_len(broadcast) == 4)
		map_v4(&ret[1].address, nla_data(broadcast));
	else
		ret[1].address = fill_from(&ret[0].address, 96 + prefix, true);
	return 2;
}

/* Without it where there is no room for one (RFC 6164). */
static size_t parse_v6(struct nlattr *own, unsigned prefix, struct link_address ret[static 2])
{
	if (nla_len(own) != 16)
		return 0;
	ret[0].broadcast = ret[1].broadcast = false;
	memcpy(ret[0].address.bytes, nla_data(own), 16);
	if (prefix >= 127)
		return 1;
	ret[1].address = fill_from(&ret[0].address, prefix, false);
	return 2;
}

size_t address_parse(struct nlmsghdr *message,
		     struct link_address ret[static LINK_ADDRESSES_PER_MESSAGE])
{
	struct nlattr *a[IFA_MAX + 1], *own;
	const struct ifaddrmsg *header = nlmsg_data(message);

	if (nlmsg_parse(message, sizeof(*header), a, IFA_MAX, NULL) < 0)
		return 0;
	/* On a point-to-point link IFA_ADDRESS is the other end's. */
	own = a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS];
	if (!own)
		return 0;
	if (header->ifa_family == AF_INET)
		return parse_v4(a, own, header->ifa_prefixlen, ret);
	if (header->ifa_family == AF_INET6)
		return parse_v6(own, header->ifa_prefixlen, ret);
	return 0;
}

/* --- asking -------------------------------------------------------------------------------- */

/* Makes room for one more in an array of at most limit; doubles it. */
static int reserve(void **array, size_t n, size_t *size, size_t item, size_t limit)
{
	size_t bigger = *size ? *size * 2 : 16;
	void *p;

	if (n < *size)
		return 0;
	if (n >= limit)
		return -E2BIG;
	p = reallocarray(*array, bigger, item);
	if (!p)
		return -ENOMEM;
	*array = p;
	*size = bigger;
	return 0;
}

static int take_link(void *userdata, struct nlmsghdr *message)
{
	struct link_list *list = userdata;
	struct link link;
	int r;

	if (message->nlmsg_type != RTM_NEWLINK || !link_parse(message, &link))
		return 0;
	r = reserve((void **)&list->links, list->n, &list->size, sizeof(link), LINKS_MAX);
	if (r < 0)
		return r;
	list->links[list->n++] = link;
	return 0;
}

int links_dump(struct nl_sock *sock, int32_t nsid, struct link_list *ret)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	int r = -EINTR;

	for (int i = 0; r == -EINTR && i < DUMP_TRIES; i++) {
		_cleanup_(nlmsg_free_p) struct nl_msg *message =
			rtnl_message(RTM_GETLINK, NLM_F_DUMP, &header, sizeof(header));

		ret->n = 0;
		if (!message || (nsid != NETNS_NSID_NONE &&
				 nla_put_s32(message, IFLA_TARGET_NETNSID, nsid) < 0))
			return -ENOMEM;
		r = rtnl_request(sock, message, take_link, ret);
	}
	return r;
}

static int take_address(void *userdata, struct nlmsghdr *message)
{
	struct link_address found[LINK_ADDRESSES_PER_MESSAGE];
	struct address_list *list = userdata;
	size_t n;
	int r;

	if (message->nlmsg_type != RTM_NEWADDR)
		return 0;
	n = address_parse(message, found);
	for (size_t i = 0; i < n; i++) {
		r = reserve((void **)&list->addresses, list->n, &list->size, sizeof(found[i]),
			    LINKS_ADDRESSES_MAX);
		if (r < 0)
			return r;
		list->addresses[list->n++] = found[i];
	}
	return 0;
}

/* An address of one's own comes before the same one as a broadcast address. */
static int compare(const void *a, const void *b)
{
	const struct link_address *x = a, *y = b;

	return ip_compare(&x->address, &y->address) ?: x->broadcast - y->broadcast;
}

static void sort_unique(struct address_list *list)
{
	size_t n = 0;

	if (list->n == 0)
		return;
	qsort(list->addresses, list->n, sizeof(*list->addresses), compare);
	for (size_t i = 1; i < list->n; i++)
		if (ip_compare(&list->addresses[i].address, &list->addresses[n].address) != 0)
			list->addresses[++n] = list->addresses[i];
	list->n = n + 1;
}

int addresses_dump(struct nl_sock *sock, int32_t nsid, struct address_list *ret)
{
	struct ifaddrmsg header = { .ifa_family = AF_UNSPEC };
	int r = -EINTR;

	for (int i = 0; r == -EINTR && i < DUMP_TRIES; i++) {
		_cleanup_(nlmsg_free_p) struct nl_msg *message =
			rtnl_message(RTM_GETADDR, NLM_F_DUMP, &header, sizeof(header));

		ret->n = 0;
		if (!message ||
		    (nsid != NETNS_NSID_NONE && nla_put_s32(message, IFA_TARGET_NETNSID, nsid) < 0))
			return -ENOMEM;
		r = rtnl_request(sock, message, take_address, ret);
	}
	if (r == 0)
		sort_unique(ret);
	return r;
}

struct counters {
	struct link_counter rx, tx;
	bool found;
};

static int take_counters(void *userdata, struct nlmsghdr *message)
{
	struct counters *counters = userdata;
	struct nlattr *stats =
		nlmsg_find_attr(message, sizeof(struct if_stats_msg), IFLA_STATS_LINK_64);

	if (message->nlmsg_type != RTM_NEWSTATS || !stats)
		return 0;
	parse_counters(stats, &counters->rx, &counters->tx);
	counters->found = true;
	return 0;
}

int link_counters(struct nl_sock *sock, uint32_t ifindex, struct link_counter *ret_rx,
		  struct link_counter *ret_tx)
{
	struct if_stats_msg header = {
		.ifindex = ifindex,
		.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64),
	};
	_cleanup_(nlmsg_free_p) struct nl_msg *message =
		rtnl_message(RTM_GETSTATS, 0, &header, sizeof(header));
	struct counters counters = { .found = false };
	int r;

	if (!message)
		return -ENOMEM;
	r = rtnl_request(sock, message, take_counters, &counters);
	if (r < 0)
		return r;
	if (!counters.found)
		return -ENODATA;
	*ret_rx = counters.rx;
	*ret_tx = counters.tx;
	return 0;
}
