/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which way "attach: auto" goes for the next interface. A TCX program is cheaper per packet and goes
 * with us, but the kernel waits for an RCU grace period whenever one is attached or goes
 * (tcx_entry_sync()), with RTNL held: for four of some 10 ms per interface, in which nobody else can
 * make, change or remove one. A filter waits for none. So an interface now and then gets links,
 * what comes faster gets filters.
 */
#pragma once

#include <stdint.h>

#include "collect/shared/tc.h"

#define PACE_AT_ONCE 8 /* interfaces that get links however fast they come */

struct pace { /* begins as zeros */
	uint64_t full_at_ns; /* CLOCK_MONOTONIC: when PACE_AT_ONCE may come at once again */
};

/* TC_AUTO: links, if the kernel has them; TC_CLSACT: filters. */
enum tc_mode pace_next(struct pace *pace, uint64_t now_ns);
