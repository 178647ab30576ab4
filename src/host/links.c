/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One socket, subscribed before the first dump, tells of all namespaces: the kernel adds the
 * sender's number (nsid) to each message (NETLINK_LISTEN_ALL_NSID). A dump is a snapshot of some
 * moment between its start and its end, so each link remembers when it was last heard of: what was
 * heard after a dump had started stands against the dump, also that a link is gone (tombstones).
 *
 * Addresses are only ever replaced by a new dump; a message about one asks for it.
 */
#include "host/links.h"

#include <errno.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/hashmap.h"
#include "base/util.h"
#include "base/work.h"
#include "host/link-message.h"
#include "host/rtnl.h"

#define MESSAGE_MAX (64 * 1024) /* a link with many virtual functions */
#define RECEIVE_BUFFER (4 * 1024 * 1024)
#define MESSAGES_PER_TURN 256 /* then the loop may do something else */
#define TOMBSTONES_MAX LINKS_MAX

struct heard { /* a link in the table */
	struct link link;
	uint64_t when; /* see links.clock */
};

struct watched { /* a namespace whose links we keep */
	uint64_t dumping; /* the tick at which the dump under way was started; 0 = none is */
	bool dump_again;
	struct address_list addresses;
};

struct links {
	sd_event *event;
	struct work *work;
	struct links_handler handler;
	struct netns_table *netns;
	struct nl_sock *sock;
	sd_event_source *source;
	uint64_t clock; /* ticks with every message and every dump started */
	struct hashmap *links; /* struct link_key to struct heard */
	struct hashmap *gone; /* struct link_key to the tick of the removal, while dumps run */
	struct hashmap *watched; /* inode to struct watched */
	unsigned dumps_running;
	struct links_stats stats;
	unsigned references; /* the owner and each job under way */
	bool closed;
	_Alignas(struct nlmsghdr) unsigned char buffer[MESSAGE_MAX];
};

static void request_dump(struct links *links, const struct netns_ref *ns);
static void read_messages(struct links *links);
static struct links *links_unref(struct links *links);

/* --- the table of links -------------------------------------------------------------------- */

static struct link_key key_of(const struct link *link)
{
	return (struct link_key){ .netns = link->netns, .ifindex = link->ifindex };
}

static void tell(struct links *links, const struct link *link, enum link_change change,
		 bool last_known)
{
	struct link copy = *link; /* the table may move while the handler runs */

	links->handler.changed(links->handler.userdata, &copy, change, last_known);
}

static bool differs(const struct link *a, const struct link *b)
{
	return !streq(a->name, b->name) || a->flags != b->flags || a->master != b->master;
}

static void put_link(struct links *links, const struct link *link)
{
	struct link_key key = key_of(link);
	struct heard *heard;
	bool is_new, changed;

	heard = hashmap_put(links->links, &key, &is_new);
	if (!heard) {
		links->stats.links_lost++;
		return;
	}
	changed = !is_new && differs(&heard->link, link);
	heard->link = *link;
	heard->when = links->clock;
	hashmap_remove(links->gone, &key);
	if (is_new || changed)
		tell(links, link, is_new ? LINK_ADDED : LINK_CHANGED, false);
}

static void remove_link(struct links *links, const struct link *last, bool last_known)
{
	struct link_key key = key_of(last);
	struct link link = *last;
	uint64_t *when;

	if (links->dumps_running > 0) {
		when = hashmap_put(links->gone, &key, NULL);
		if (when)
			*when = links->clock;
	}
	if (hashmap_remove(links->links, &key))
		tell(links, &link, LINK_REMOVED, last_known);
}

/* Removes the links of a namespace that were last heard of before a tick. */
static void remove_older(struct links *links, uint64_t netns, uint64_t when)
{
	const struct link_key *key;
	struct heard *heard;

	HASHMAP_FOREACH(links->links, pos, key, heard) {
		struct link link = heard->link;

		if (key->netns != netns || heard->when >= when)
			continue;
		hashmap_remove_at(links->links, &pos);
		tell(links, &link, LINK_REMOVED, false);
	}
}

/* --- dumps --------------------------------------------------------------------------------- */

struct dump_job {
	struct links *links;
	uint64_t netns;
	int32_t nsid; /* NETNS_NSID_NONE: our own */
	uint64_t started; /* tick */
	struct link_list found;
	struct address_list addresses;
	int result;
};

static void dump_run(void *arg)
{
	struct dump_job *job = arg;
	_cleanup_(rtnl_close_p) struct nl_sock *sock = NULL;

	job->result = rtnl_open(&sock);
	if (job->result == 0)
		job->result = links_dump(sock, job->nsid, &job->found);
	if (job->result == 0)
		job->result = addresses_dump(sock, job->nsid, &job->addresses);
}

static void take_dumped(struct links *links, const struct dump_job *job, struct link *link)
{
	const struct heard *heard;
	const uint64_t *gone;
	struct link_key key;

	link->netns = job->netns;
	key = key_of(link);
	heard = hashmap_get(links->links, &key);
	gone = hashmap_get(links->gone, &key);
	if ((heard && heard->when > job->started) || (gone && *gone > job->started))
		return;
	put_link(links, link);
}

static void take_dump(struct links *links, struct dump_job *job)
{
	struct watched *watched = hashmap_get(links->watched, &job->netns);

	links->clock++;
	for (size_t i = 0; i < job->found.n; i++)
		take_dumped(links, job, &job->found.links[i]);
	remove_older(links, job->netns, job->started);
	free(watched->addresses.addresses);
	watched->addresses = job->addresses;
	job->addresses = (struct address_list){ .n = 0 };
}

/* The namespace may be gone by now, and another have its inode: then the job is nobody's. */
static struct watched *watched_by(struct links *links, const struct dump_job *job)
{
	struct watched *watched = hashmap_get(links->watched, &job->netns);

	return watched && watched->dumping == job->started ? watched : NULL;
}

static void end_dump(struct links *links, struct dump_job *job)
{
	struct watched *watched = watched_by(links, job);
	const struct netns_ref *ns;

	if (--links->dumps_running == 0)
		hashmap_clear(links->gone);
	if (!watched)
		return;
	watched->dumping = 0;
	if (!watched->dump_again)
		return;
	watched->dump_again = false;
	ns = netns_get(links->netns, job->netns);
	if (ns)
		request_dump(links, ns);
}

static void dump_done(void *arg)
{
	struct dump_job *job = arg;
	struct links *links = job->links;

	if (!links->closed) {
		/* What is not in the dump because it went has left its last word here, before. */
		read_messages(links);
		if (job->result < 0)
			links->stats.dumps_failed++;
		else if (watched_by(links, job))
			take_dump(links, job);
		end_dump(links, job);
		/* The number is nobody's: the namespace went before we heard of it. */
		if (job->result == -EINVAL && job->nsid != NETNS_NSID_NONE)
			netns_on_nsid(links->netns, job->nsid, true);
	}
	free(job->found.links);
	free(job->addresses.addresses);
	links_unref(links);
	free(job);
}

static void request_dump(struct links *links, const struct netns_ref *ns)
{
	struct watched *watched = hashmap_get(links->watched, &ns->inode);
	bool own = ns->inode == netns_own(links->netns);
	struct dump_job *job;

	if (watched->dumping) {
		watched->dump_again = true;
		return;
	}
	job = calloc(1, sizeof(*job));
	if (!job)
		return;
	*job = (struct dump_job){ .links = links,
				  .netns = ns->inode,
				  .nsid = own ? NETNS_NSID_NONE : ns->nsid,
				  .started = ++links->clock };
	if (work_run(links->work, WORK_LANE_FILES, dump_run, dump_done, job) < 0) {
		links->stats.dumps_failed++;
		free(job);
		return;
	}
	watched->dumping = job->started;
	links->dumps_running++;
	links->references++;
}

static void dump_everything(struct links *links)
{
	const struct netns_ref *ns;
	const uint64_t *inode;
	const struct watched *watched;

	HASHMAP_FOREACH(links->watched, pos, inode, watched) {
		ns = netns_get(links->netns, *inode);
		if (ns)
			request_dump(links, ns);
	}
	netns_rescan(links->netns);
}

/* --- namespaces ---------------------------------------------------------------------------- */

static void unwatch(struct links *links, uint64_t inode)
{
	struct watched *watched = hashmap_get(links->watched, &inode);

	if (!watched)
		return;
	free(watched->addresses.addresses);
	hashmap_remove(links->watched, &inode);
	remove_older(links, inode, UINT64_MAX);
}

static void consider(struct links *links, const struct netns_ref *ns)
{
	bool wanted = links->handler.wants(links->handler.userdata, ns);
	bool is_new;

	if (!wanted) {
		unwatch(links, ns->inode);
		return;
	}
	if (hashmap_put(links->watched, &ns->inode, &is_new) && is_new)
		request_dump(links, ns);
}

static void on_netns(void *userdata, const struct netns_ref *ns, enum netns_change change)
{
	struct links *links = userdata;

	if (change != NETNS_REMOVED) {
		consider(links, ns);
		return;
	}
	unwatch(links, ns->inode);
	links->handler.netns_gone(links->handler.userdata, ns->inode);
}

/* --- the socket ---------------------------------------------------------------------------- */

/* The namespace that a message speaks of; 0: none that we watch. */
static uint64_t sender_of(struct links *links, bool has_nsid, int32_t nsid)
{
	const struct netns_ref *ns;

	if (!has_nsid)
		return netns_own(links->netns);
	ns = netns_by_nsid(links->netns, nsid);
	return ns ? ns->inode : 0;
}

static void on_nsid_message(struct links *links, struct nlmsghdr *h)
{
	struct nlattr *nsid = nlmsg_find_attr(h, NLMSG_ALIGN(sizeof(struct rtgenmsg)), NETNSA_NSID);

	if (nsid && nla_len(nsid) == sizeof(int32_t))
		netns_on_nsid(links->netns, nla_get_s32(nsid), h->nlmsg_type == RTM_DELNSID);
}

static void on_link_message(struct links *links, struct nlmsghdr *h, uint64_t netns)
{
	struct link link;

	if (!link_parse(h, &link))
		return;
	link.netns = netns;
	if (h->nlmsg_type == RTM_NEWLINK)
		put_link(links, &link);
	else
		remove_link(links, &link, true);
}

static void on_message(struct links *links, struct nlmsghdr *h, bool has_nsid, int32_t nsid)
{
	uint64_t netns = sender_of(links, has_nsid, nsid);
	const struct netns_ref *ns;

	links->clock++;
	if ((h->nlmsg_type == RTM_NEWNSID || h->nlmsg_type == RTM_DELNSID) &&
	    netns == netns_own(links->netns)) {
		on_nsid_message(links, h);
		return;
	}
	if (!hashmap_get(links->watched, &netns))
		return;
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		on_link_message(links, h, netns);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		ns = netns_get(links->netns, netns);
		if (ns)
			request_dump(links, ns);
		break;
	}
}

static bool read_nsid(struct msghdr *m, int32_t *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_NETLINK && c->cmsg_type == NETLINK_LISTEN_ALL_NSID) {
			memcpy(ret, CMSG_DATA(c), sizeof(*ret));
			return true;
		}
	return false;
}

/* 1: something was read; 0: nothing more; -errno. */
static int receive(struct links *links)
{
	struct sockaddr_nl from = { .nl_pid = 1 };
	char control[256];
	struct iovec iov = { links->buffer, sizeof(links->buffer) };
	struct msghdr m = { .msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int32_t nsid = NETNS_NSID_NONE;
	struct nlmsghdr *h;
	bool has_nsid;
	int n;

	n = (int)recvmsg(nl_socket_get_fd(links->sock), &m, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (m.msg_flags & MSG_TRUNC)
		return -ENOBUFS;
	if (from.nl_pid != 0) /* from a process, not from the kernel: netlink(7) */
		return 1;
	has_nsid = read_nsid(&m, &nsid);
	for (h = (struct nlmsghdr *)links->buffer; nlmsg_ok(h, n); h = nlmsg_next(h, &n))
		on_message(links, h, has_nsid, nsid);
	return 1;
}

static void read_messages(struct links *links)
{
	int r = 1;

	for (int i = 0; r > 0 && i < MESSAGES_PER_TURN; i++)
		r = receive(links);
	if (r < 0) { /* ENOBUFS: messages are missing */
		links->stats.overflows++;
		dump_everything(links);
	}
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	read_messages(userdata);
	return 0;
}

/* *foreign becomes false where the kernel does not let us hear of other namespaces. */
static int open_socket(struct links *links, bool *foreign)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				      RTNLGRP_NSID };
	int one = 1, size = RECEIVE_BUFFER, r, fd;

	r = rtnl_open(&links->sock);
	if (r < 0)
		return r;
	fd = nl_socket_get_fd(links->sock);
	/* Without CAP_NET_ADMIN the buffer is what net.core.rmem_max allows. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (*foreign &&
	    setsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &one, sizeof(one)) < 0) {
		links->stats.foreign_refused = true;
		*foreign = false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			       sizeof(groups[i])) < 0)
			return -errno;
	return sd_event_add_io(links->event, &links->source, fd, EPOLLIN, on_readable, links);
}

/* --- life and questions -------------------------------------------------------------------- */

static int make_tables(struct links *links)
{
	int r;

	r = hashmap_new(sizeof(struct link_key), sizeof(struct heard), LINKS_MAX, &links->links);
	if (r < 0)
		return r;
	r = hashmap_new(sizeof(struct link_key), sizeof(uint64_t), TOMBSTONES_MAX, &links->gone);
	if (r < 0)
		return r;
	return hashmap_new(sizeof(uint64_t), sizeof(struct watched), NETNS_MAX, &links->watched);
}

int links_new(sd_event *event, struct work *work, bool foreign, const struct links_handler *handler,
	      struct links **ret)
{
	_cleanup_(links_free_p) struct links *links = calloc(1, sizeof(*links));
	struct netns_handler on_change = { on_netns, links };
	int r;

	if (!links)
		return -ENOMEM;
	links->event = event;
	links->work = work;
	links->handler = *handler;
	links->references = 1;
	r = make_tables(links);
	if (r < 0)
		return r;
	r = open_socket(links, &foreign);
	if (r < 0)
		return r;
	r = netns_new(event, work, foreign, &on_change, &links->netns);
	if (r < 0)
		return r;
	consider(links, netns_get(links->netns, netns_own(links->netns)));
	*ret = TAKE(links);
	return 0;
}

static struct links *links_unref(struct links *links)
{
	const uint64_t *inode;
	struct watched *watched;

	if (--links->references > 0)
		return NULL;
	if (links->watched)
		HASHMAP_FOREACH(links->watched, pos, inode, watched)
			free(watched->addresses.addresses);
	hashmap_free(links->watched);
	hashmap_free(links->links);
	hashmap_free(links->gone);
	free(links);
	return NULL;
}

struct links *links_free(struct links *links)
{
	if (!links)
		return NULL;
	links->closed = true;
	links->source = sd_event_source_disable_unref(links->source);
	links->sock = rtnl_close(links->sock);
	links->netns = netns_free(links->netns);
	return links_unref(links);
}

struct netns_table *links_netns(const struct links *links)
{
	return links->netns;
}

const struct link *links_get(const struct links *links, uint64_t netns, uint32_t ifindex)
{
	struct link_key key = { .netns = netns, .ifindex = ifindex };
	const struct heard *heard = hashmap_get(links->links, &key);

	return heard ? &heard->link : NULL;
}

const struct link *links_next(const struct links *links, size_t *pos)
{
	const struct heard *heard = hashmap_next(links->links, pos, NULL);

	return heard ? &heard->link : NULL;
}

static int compare_address(const void *address, const void *known)
{
	return ip_compare(address, &((const struct link_address *)known)->address);
}

static bool has_address(const struct watched *watched, const struct ip_address *address,
			bool broadcast)
{
	const struct address_list *list = &watched->addresses;
	const struct link_address *known;

	if (list->n == 0)
		return false;
	known = bsearch(address, list->addresses, list->n, sizeof(*known), compare_address);
	return known && known->broadcast == broadcast;
}

bool links_is_local(const struct links *links, uint64_t netns, const struct ip_address *address)
{
	const struct watched *watched = hashmap_get(links->watched, &netns);

	return ip_is_loopback(address) || (watched && has_address(watched, address, false));
}

bool links_is_group(const struct links *links, uint64_t netns, const struct ip_address *address)
{
	const struct watched *watched = hashmap_get(links->watched, &netns);

	return ip_is_multicast(address) || (watched && has_address(watched, address, true));
}

bool links_is_known(const struct links *links, const struct ip_address *address)
{
	const struct watched *watched;
	const uint64_t *inode;

	HASHMAP_FOREACH(links->watched, pos, inode, watched)
		if (has_address(watched, address, false))
			return true;
	return false;
}

struct links_stats links_stats(const struct links *links)
{
	return links->stats;
}

size_t links_bytes(const struct links *links)
{
	const uint64_t *inode;
	const struct watched *watched;
	size_t bytes = sizeof(*links) + hashmap_bytes(links->links) + hashmap_bytes(links->gone) +
		       hashmap_bytes(links->watched);

	HASHMAP_FOREACH(links->watched, pos, inode, watched)
		bytes += watched->addresses.size * sizeof(struct link_address);
	return bytes;
}
