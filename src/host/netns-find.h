/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The blocking half of host/netns.h: looks for namespaces in the mount table and in /proc, opens
 * them, and moves a thread into one. Worker threads only (or before the loop runs).
 */
#pragma once

#include <stdint.h>

#include "host/netns.h"

struct hashmap;
struct nl_sock;

/* Opens the namespace: by its path, its process, else by looking everywhere. -ESTALE: it is gone
 * (normal), or nothing that we may open leads to it. The caller closes it soon: it is held. */
int netns_open(const struct netns_ref *ns);
/* The same without looking everywhere, which takes as long as there are processes. */
int netns_open_known(const struct netns_ref *ns);

/*
 * Moves the calling thread into the namespace. *ret_back goes to netns_leave() on the same thread.
 * Errors as netns_open(); -EPERM without CAP_SYS_ADMIN, unless it is the thread's own.
 */
int netns_enter(const struct netns_ref *ns, int *ret_back);
void netns_leave(int back);

/* All that can be seen: inode (uint64_t) to struct netns_ref without nsid, at most NETNS_MAX; without
 * processes only what is mounted. *ret_denied: processes whose namespace we may not read. */
int netns_scan(bool processes, struct hashmap **ret, uint64_t *ret_denied);

/* The inode of our own namespace. */
int netns_own_inode(uint64_t *ret);

/* The number of the namespace that fd is, in the namespace of sock; -ENOENT: it has none. */
int netns_nsid(struct nl_sock *sock, int fd, int32_t *ret);
/* Gives it one if it has none. */
int netns_assign_nsid(struct nl_sock *sock, int fd, int32_t *ret);
