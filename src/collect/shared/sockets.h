/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who made which socket (bpf/sockets.bpf.c): loads and attaches the programs that write it down, and
 * goes over the sockets that were there before. What they write is read in the kernel, through the
 * shared maps "sockets" and "claims". Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/work.h"
#include "collect/shared/bpf.h"
#include "host/netns.h"
#include "host/roots.h"
#include "host/scope.h"
#include "model/status.h"

struct sockets;

struct sockets_config { /* borrowed for the life of the sockets */
	struct bpf_env *bpf;
	struct work *work;
	const struct host_roots *roots;
	const struct scope *scope; /* may be NULL */
	const char *hooks; /* "auto", "fentry", "kprobe" or "syscall": who accepted a connection */
};

/* 0 also when nothing could be attached: sockets_status() says so. */
int sockets_new(const struct sockets_config *config, struct sockets **ret);
struct sockets *sockets_free(struct sockets *sockets); /* takes NULL; after work_free() */

/* Scope has namespaces: their sockets are told apart by a cookie, which is asked for inside. Called
 * for each namespace in scope when it appears. */
void sockets_on_netns(struct sockets *sockets, const struct netns_ref *ns);

/* The cgroups in scope are other ones (a unit was restarted): tells the kernel side. */
int sockets_on_scope(struct sockets *sockets);

/* Why the rung that hooks: forces cannot be had: whoever names sockets is off with this reason. NULL:
 * it is had, or none is forced. */
const char *sockets_refusal(const struct sockets *sockets);
/* True if every socket of every process is known, so that one without an entry is the kernel's
 * own. */
bool sockets_complete(const struct sockets *sockets);
/* Degrades status by what is missing, and adds the rungs. */
void sockets_status(const struct sockets *sockets, struct part_status *status);
void sockets_losses(const struct sockets *sockets,
		    void (*fn)(void *userdata, const struct loss *loss), void *userdata);
uint64_t sockets_bpf_bytes(const struct sockets *sockets);
