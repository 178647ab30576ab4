/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the user wants to see, for the kernel side. */
#pragma once

#include "types.h"

#define WIRE_SCOPE_MAX 256 /* cgroups, namespaces and pids that the kernel can be told */

struct wire_scope { /* 1: must be in the map of that name */
	__u32 cgroup, netns, pid;
	/* Where only a namespace's cookie can be asked for: 0 also if user space cannot learn the
	 * cookies (SO_NETNS_COOKIE, Linux 5.14). A socket is then written down wherever it is, which
	 * nobody reads: packets are only looked at on interfaces in scope. */
	__u32 netns_cookie;
};
