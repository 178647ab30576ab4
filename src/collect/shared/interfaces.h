/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which interfaces are observed, and the life of each: chosen, programs made, attached, bracketed,
 * removed, drained, released. The owner (the flows collector) makes the programs and keeps the
 * kernel's maps; this file knows when.
 *
 *	link appears -> slot -> ops->prepare() -> attach and bracket on the worker -> ops->changed()
 *	link goes    -> ops->changed(), state INTERFACE_REMOVED -> owner drains the slot's maps
 *	             -> interfaces_release() -> the slot may be given out again
 *
 * Loop thread only, but for ops->count().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/option.h"
#include "collect/shared/tc.h"
#include "host/links.h"
#include "host/scope.h"
#include "model/flow.h"
#include "model/status.h"

struct interfaces;

#define INTERFACES_MAX 4096 /* slots, 1..INTERFACES_MAX */
#define INTERFACE_REASON_LEN 160

enum interface_state {
	INTERFACE_PENDING, /* being attached */
	INTERFACE_ATTACHED,
	INTERFACE_FAILED, /* reason says why; not counted */
	INTERFACE_REMOVED, /* waits for interfaces_release() */
};

struct interface {
	uint16_t slot;
	enum interface_state state;
	enum tc_mode mode; /* TC_TCX or TC_CLSACT once attached */
	struct link link; /* as last seen; its rx and tx are final when last_known */
	bool l3; /* packets start with the IP header */
	struct link_units units[TC_DIRECTIONS];
	/*
	 * What passed before our programs counted, in the interface's own units. exact: bracketed
	 * by equal program counts (or the interface was down); else the true value is below it by at
	 * most slack.
	 */
	struct link_counter before[TC_DIRECTIONS], slack[TC_DIRECTIONS];
	bool exact;
	bool last_known; /* removed, and the kernel told the final counters */
	char reason[INTERFACE_REASON_LEN]; /* failed: what the kernel said */
	char foreign[INTERFACE_REASON_LEN]; /* what runs before us: "we miss a share"; or "" */
};

struct interfaces_ops {
	/*
	 * Makes the two programs for interface->slot and fills the slot's configuration in the maps.
	 * The descriptors become the callee's; a negative errno makes the interface FAILED.
	 */
	int (*prepare)(void *userdata, const struct interface *interface,
		       int ret_programs[TC_DIRECTIONS]);
	/* Worker thread: reads what the slot's program of this direction has counted so far, all of
	 * it (counted and duplicate). Not called any more once interfaces_free() has returned. */
	int (*count)(void *userdata, uint16_t slot, enum tc_direction direction,
		     struct flow_count *ret);
	/* state, link, exact, foreign: something is new. */
	void (*changed)(void *userdata, const struct interface *interface);
};

struct interfaces_config { /* borrowed for the life of the interfaces */
	const struct option_list *names; /* globs, fnmatch(3); "!GLOB" excludes; empty = all */
	/* See netns_matches(). Empty: the namespaces of scope, or "default" if it has none. */
	const struct option_list *netns;
	const struct scope *scope; /* if it has namespaces, no others are observed; may be NULL */
	enum tc_mode attach;
	const char *runtime_dir;
	unsigned max; /* at most INTERFACES_MAX */
};

int interfaces_new(sd_event *event, struct work *work, const struct interfaces_config *config,
		   const struct interfaces_ops *ops, void *userdata, struct interfaces **ret);
/* Detaches everything; what needs the worker is done when work_free() is, at the latest. */
struct interfaces *interfaces_free(struct interfaces *interfaces); /* takes NULL */

struct links *interfaces_links(const struct interfaces *interfaces); /* borrowed */
/* The interface of a slot, or NULL. */
const struct interface *interfaces_get(const struct interfaces *interfaces, uint16_t slot);
/* All that have a slot, also the removed: start with *pos = 0; NULL at the end. */
const struct interface *interfaces_next(const struct interfaces *interfaces, size_t *pos);
/* The slot's maps are clean: it may be used again. Only for INTERFACE_REMOVED. */
void interfaces_release(struct interfaces *interfaces, uint16_t slot);
/* Looks again, on the worker, for what runs before our programs. Once a minute is enough. */
void interfaces_audit(struct interfaces *interfaces);

/* Degrades status by what failed, what is missed and what did not fit; writes the rung. */
void interfaces_status(const struct interfaces *interfaces, struct part_status *status);
uint64_t interfaces_lost(const struct interfaces *interfaces); /* not observed: no slot left */

/* Removes what an earlier run left in the kernel; blocks. Before interfaces_new(), or --cleanup. */
int interfaces_cleanup(const char *runtime_dir);

static inline void interfaces_free_p(struct interfaces **interfaces)
{
	interfaces_free(*interfaces);
}
