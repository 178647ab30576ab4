/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a part of the daemon is doing; what "ebpfobsctl status" prints and doctor explains. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/accounting.h"

enum part_state {
	PART_OFF, /* not running; reason says why */
	PART_DEGRADED, /* running with something missing; reason names it */
	PART_ON,
};

#define PART_REASON_LEN 512
struct part_status {
	const char *name; /* static */
	enum part_state state;
	bool as_configured; /* off because the configuration says so: nothing to warn of */
	char rung[64]; /* hook ladder: the rungs in use, "tcx + cgroup + tp_btf"; "" if none */
	char reason[PART_REASON_LEN]; /* what, why, what to do; "" when on */
};

const char *part_state_name(enum part_state state);

/* Appends a rung (" + " between). */
void part_add_rung(struct part_status *status, const char *rung);

/* Appends a sentence to the reason ("; " between) and makes the state at most state. What no longer
 * fits is cut at a sentence. */
void part_degrade(struct part_status *status, enum part_state state, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The configuration turns it off; reason says which key. */
void part_switch_off(struct part_status *status, const char *reason);
