/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which network namespaces exist on this host. The key is the inode of the namespace's nsfs file
 * (what "readlink /proc/PID/ns/net" prints). They are found through the mount table (ip netns,
 * docker, CNI), through /proc/PID/ns/net, and through hints of the process tracepoints.
 *
 * No foreign namespace is held: no descriptor and no socket stays in one. Instead each gets a number
 * (nsid) in our own namespace, under which the kernel lets one rtnetlink socket see all of them and
 * tells us when one is gone (rtnetlink(7), ip-netns(8) "list-id"). The number goes with the namespace.
 *
 * Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct netns_table;
struct work;

#define NETNS_MAX 16384 /* namespaces known at once */
#define NETNS_PATH_LEN 256
#define NETNS_NSID_NONE (-1)

/* Where a worker finds a namespace. A value: holds nothing, may point to what is gone by now. */
struct netns_ref {
	uint64_t inode;
	int32_t nsid; /* in our own namespace; NETNS_NSID_NONE: it has none, our own mostly has not */
	pid_t pid; /* a process in it when we last looked; 0 = none known */
	char path[NETNS_PATH_LEN]; /* where it is mounted; "" = nowhere that we see */
};

enum netns_change {
	NETNS_ADDED,
	NETNS_NAMED, /* its name appeared or went */
	NETNS_REMOVED,
};

struct netns_handler {
	void (*changed)(void *userdata, const struct netns_ref *ns, enum netns_change change);
	void *userdata;
};

/*
 * Our own namespace is known at once and never announced. With foreign, all others that there are
 * and will be are announced, later, from the loop.
 */
int netns_new(sd_event *event, struct work *work, bool foreign, const struct netns_handler *handler,
	      struct netns_table **ret);
struct netns_table *netns_free(struct netns_table *table); /* takes NULL, returns NULL */

/* A process was seen in the namespace inode. Cheap when that is known already. */
void netns_hint(struct netns_table *table, pid_t pid, uint64_t inode);
/* The kernel removed, or gave, this number (RTM_DELNSID, RTM_NEWNSID in our own namespace). */
void netns_on_nsid(struct netns_table *table, int32_t nsid, bool gone);
/* Something happened that we may have missed: look at the mount table and /proc again, soon. */
void netns_rescan(struct netns_table *table);

uint64_t netns_own(const struct netns_table *table); /* inode of our own namespace */
const struct netns_ref *netns_get(const struct netns_table *table, uint64_t inode); /* or NULL */
const struct netns_ref *netns_by_nsid(const struct netns_table *table, int32_t nsid); /* or NULL */
/* The file name under which it is mounted ("blue" for /run/netns/blue), or "". */
const char *netns_name(const struct netns_ref *ns);
/* True if text, as a user writes it, means this namespace: "default" (our own), "all", a name, a
 * path (mount or /proc/PID/ns/net) or an inode number. */
bool netns_matches(const struct netns_ref *ns, const char *text);

struct netns_stats {
	uint64_t lost; /* not known because of NETNS_MAX */
	uint64_t unreachable; /* seen, but gone, or nothing that we may open led to them */
	uint64_t refused; /* of the unreachable: we may not give them a number, or open them */
	uint64_t denied; /* processes in the last scan whose namespace we may not read */
};
struct netns_stats netns_stats(const struct netns_table *table);

static inline void netns_free_p(struct netns_table **table)
{
	netns_free(*table);
}
