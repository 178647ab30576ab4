/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The network interfaces and addresses of the watched namespaces, kept up to date by one rtnetlink
 * socket in our own namespace (see host/netns.h). Dumps run on a worker, because they wait for the
 * kernel's RTNL lock; a notification that overtakes a dump wins. When the socket overflows
 * (ENOBUFS) everything is dumped again.
 *
 * Loop thread only.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "host/link-kind.h"
#include "host/netns.h"
#include "model/address.h"
#include "model/flow.h"

struct links;
struct work;

#define LINKS_MAX 65536 /* interfaces known at once, all namespaces together */
#define LINKS_ADDRESSES_MAX 262144

struct link_key {
	uint64_t netns; /* inode */
	uint64_t ifindex;
};

struct link {
	uint64_t netns;
	uint32_t ifindex;
	char name[IFNAMSIZ];
	char kind[LINK_KIND_LEN]; /* "veth", "bridge"; "" for most hardware */
	uint16_t type; /* ARPHRD_* */
	uint32_t flags; /* IFF_* */
	uint32_t master; /* ifindex; 0 = none */
	uint32_t lower; /* IFLA_LINK: the device below, or a veth's peer; 0 = none */
	int32_t lower_nsid; /* where lower is, as the link's own namespace numbers it; -1 = there */
	enum flow_role role;
	/* As of the last message. In the removal's message the final ones, but a veth's hold only
	 * what this end counted itself: rx lacks what the peer sent (the kernel has parted them). */
	struct link_counter rx, tx;
};

enum link_change {
	LINK_ADDED,
	LINK_CHANGED, /* name, flags or master */
	LINK_REMOVED, /* rx and tx are final, unless the namespace went with it */
};

struct links_handler {
	/* Says whether the links of this namespace are to be watched; asked again when its name
	 * changes. */
	bool (*wants)(void *userdata, const struct netns_ref *ns);
	/* A namespace is gone: another may get its inode number. */
	void (*netns_gone)(void *userdata, uint64_t inode);
	/* last_known: rx and tx come from the kernel's removal message, not from an earlier one. */
	void (*changed)(void *userdata, const struct link *link, enum link_change change,
			bool last_known);
	void *userdata;
};

/* foreign: namespaces other than our own are looked for. Without CAP_NET_BROADCAST in the user
 * namespace that ours belongs to they are not: see links_stats.foreign_refused. */
int links_new(sd_event *event, struct work *work, bool foreign, const struct links_handler *handler,
	      struct links **ret);
struct links *links_free(struct links *links); /* takes NULL, returns NULL */

struct netns_table *links_netns(const struct links *links); /* borrowed */
const struct link *links_get(const struct links *links, uint64_t netns, uint32_t ifindex);
/* Goes through all links: start with *pos = 0; NULL at the end. */
const struct link *links_next(const struct links *links, size_t *pos);
/* True if the address belongs to an interface of the namespace (or is a loopback address). */
bool links_is_local(const struct links *links, uint64_t netns, const struct ip_address *address);
/* True for multicast, and for the broadcast addresses of the namespace's subnets. */
bool links_is_group(const struct links *links, uint64_t netns, const struct ip_address *address);
/* True if it belongs to an interface of any watched namespace. */
bool links_is_known(const struct links *links, const struct ip_address *address);

struct links_stats {
	uint64_t overflows; /* the socket overflowed; all was dumped again */
	uint64_t links_lost, addresses_lost; /* not known because of the limits above */
	uint64_t dumps_failed;
	bool foreign_refused; /* we may not hear of other namespaces */
};
struct links_stats links_stats(const struct links *links);
size_t links_bytes(const struct links *links);

static inline void links_free_p(struct links **links)
{
	links_free(*links);
}
