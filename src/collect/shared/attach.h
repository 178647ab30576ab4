/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a worker does for one interface: goes to its namespace, attaches our two programs, brackets
 * what passed before, looks who else is there, and comes back. The structure is the job's argument
 * and result; nothing else is shared with the loop. (See collect/shared/interfaces.h for the life
 * of an interface.)
 */
#pragma once

#include <stdbool.h>

#include "collect/shared/bracket.h"
#include "collect/shared/interfaces.h"
#include "collect/shared/tc.h"
#include "host/links.h"
#include "host/netns.h"

/* Who else is at an interface. */
struct neighbours {
	char before[INTERFACE_REASON_LEN]; /* what runs before our programs; "" if nothing does */
	bool tcx; /* somebody has TCX programs, which run before all filters */
};

/* What hangs in the kernel. */
struct attached {
	struct tc_attachment at[TC_DIRECTIONS]; /* mode TC_AUTO: nothing */
	bool made_clsact;
};

struct attach_task {
	struct netns_ref ns;
	struct link link;
	enum tc_mode mode;
	const char *runtime_dir;
	int programs[TC_DIRECTIONS]; /* owned; closed by attach_run() */
	int (*count)(void *userdata, struct flow_count ret[TC_DIRECTIONS]);
	void *userdata;

	struct attached attached;
	struct bracket bracket;
	struct link_units units[TC_DIRECTIONS];
	struct neighbours neighbours;
	char reason[INTERFACE_REASON_LEN]; /* why it failed; "" if it did not */
	bool vanished; /* it failed, because the interface or its namespace is gone */
	/* What our programs counted before it vanished, in the interface's units. */
	struct link_counter counted[TC_DIRECTIONS];
};

int attach_run(struct attach_task *task);

/* Detaches; gone: the interface is known to be gone, and its filters with it. */
int attach_undo(const struct netns_ref *ns, int ifindex, const char *runtime_dir,
		struct attached *attached, bool gone);

/* Looks again who else is there. */
int attach_audit(const struct netns_ref *ns, const struct attached *attached,
		 struct neighbours *ret);
