/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What passed an interface before our programs counted. The interface's counters are read between
 * two readings of the programs' counts; if those are equal, nothing passed meanwhile, and the
 * difference is what was there before. A packet may be under way between the program and the
 * interface's counter, so the same difference has to be seen several times, some time apart.
 */
#pragma once

#include <stdbool.h>

#include "collect/shared/tc.h"
#include "host/link-kind.h"

struct bracket_source {
	int (*programs)(void *userdata, struct flow_count ret[TC_DIRECTIONS]);
	int (*interface)(void *userdata, struct link_counter ret[TC_DIRECTIONS]);
	void (*pause)(void *userdata, unsigned reading);
	void *userdata;
	struct link_units units[TC_DIRECTIONS];
};

#define BRACKET_READINGS_MAX 24

struct bracket {
	/* In the interface's own units. Not exact: the true value is before, or less by at most
	 * slack. */
	struct link_counter before[TC_DIRECTIONS], slack[TC_DIRECTIONS];
	bool exact;
};

int bracket_take(const struct bracket_source *source, struct bracket *ret);
