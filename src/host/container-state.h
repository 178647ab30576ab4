/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the container runtimes wrote down of a container: its name, its image, its pod. Read from
 * their own files, so it needs neither their sockets nor Kubernetes. Blocks: for a worker.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "host/roots.h"

#define CONTAINER_STATE_FILE_MAX (1024 * 1024) /* bytes of a file that we read */
#define CONTAINER_TEXT_MAX 512 /* bytes of a name that we keep */

struct json_object;

/* Strings from malloc(), NULL where nothing is known: bytes that strangers chose. */
struct container_state {
	char *name, *image;
	char *pod_name, *pod_namespace;
};

/*
 * id: 64 hex digits. owner: the user whose container it is, (uid_t)-1 for the system's: the files of
 * a user are asked for his own containers only. -ENOENT: no runtime knows it. -E2BIG: a file that
 * might have known is over CONTAINER_STATE_FILE_MAX.
 */
int container_state_read(const struct host_roots *roots, const char *id, uid_t owner,
			 struct container_state *ret);
void container_state_done(struct container_state *state);

/* One file's content, as read by container_state_read(); for the fuzzer, too. -ENOENT: it does not
 * know the container; -EINVAL: not what that runtime writes; -E2BIG. */
enum container_format {
	CONTAINER_FORMAT_DOCKER, /* config.v2.json */
	CONTAINER_FORMAT_OCI, /* config.json with annotations: containerd, CRI-O */
	CONTAINER_FORMAT_STORAGE, /* containers.json of containers/storage: podman */
	CONTAINER_FORMAT_MAX_,
};
int container_state_parse(enum container_format format, const char *text, size_t size,
			  const char *id, struct container_state *ret);

#define _cleanup_container_state_ _cleanup_(container_state_done)
