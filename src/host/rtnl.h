/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One question to rtnetlink and its answers, blocking: for workers. libnl-3 carries the bytes; the
 * attributes are raw, since libnl-route 3.7 knows neither nsids nor the BPF classifier.
 */
#pragma once

#include <linux/netlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

/* Opens a socket in the calling thread's namespace, with strict checking, which the kernel wants
 * before it dumps another namespace's addresses (5.0). The caller frees it with rtnl_close(). */
int rtnl_open(struct nl_sock **ret);
struct nl_sock *rtnl_close(struct nl_sock *sock); /* takes NULL, returns NULL */

/* A message of this type and flags (NLM_F_REQUEST is implied) with its fixed header. NULL: no
 * memory. Attributes are added with nla_put_*(). */
struct nl_msg *rtnl_message(int type, int flags, const void *header, size_t size);

/*
 * Sends message and calls each (may be NULL) for every answer until the kernel has acknowledged.
 * Returns what the kernel said, 0 or -errno; -EINTR: a dump that is inconsistent, ask again; what
 * each() returns when negative ends the reading.
 */
int rtnl_request(struct nl_sock *sock, struct nl_msg *message,
		 int (*each)(void *userdata, struct nlmsghdr *answer), void *userdata);

static inline void rtnl_close_p(struct nl_sock **sock)
{
	rtnl_close(*sock);
}

static inline void nlmsg_free_p(struct nl_msg **message)
{
	nlmsg_free(*message);
}
