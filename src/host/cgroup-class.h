/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the path of a cgroup says about who lives in it: pure text, no file is read. */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "model/workload.h"

#define CGROUP_NAME_LEN (NAME_MAX + 1)

struct cgroup_class {
	enum workload_kind kind; /* WORKLOAD_NONE: nothing; each process stands for itself */
	char id[2 * CGROUP_NAME_LEN]; /* key of the workload, see model/workload.h */
	char name[CGROUP_NAME_LEN]; /* to be shown until the runtime tells a better one */
	char namespace_[CGROUP_NAME_LEN]; /* of a user's unit: "user@UID.service"; else "" */
	char container[CGROUP_NAME_LEN]; /* 64 hex digits that a runtime may know; "" if none */
	uid_t owner; /* the user whose service manager has this cgroup; (uid_t)-1: the system's */
};

/* path as in /proc/PID/cgroup: "/system.slice/nginx.service". */
void cgroup_classify(const char *path, struct cgroup_class *ret);
