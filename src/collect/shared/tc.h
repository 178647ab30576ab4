/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attaches one SCHED_CLS program to one direction of one interface: as a TCX link (Linux 6.6), or
 * as a direct-action filter of the clsact qdisc (through libnl). Ours comes first and says "next",
 * so nobody's chain ends with us. What others have there is never changed: a filter goes only if
 * name, handle and program id are ours, the qdisc only if we made it and it is empty.
 *
 * All functions act in the calling thread's namespace and may block: worker only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tc_direction {
	TC_INGRESS,
	TC_EGRESS,
	TC_DIRECTIONS,
};

/* the choices of flows.attach, in this order */
enum tc_mode {
	TC_AUTO, /* tcx if the kernel has it, else clsact */
	TC_TCX,
	TC_CLSACT,
};

/* One program at its place. A TCX link lives as long as link_fd. */
struct tc_attachment {
	enum tc_mode mode; /* TC_TCX or TC_CLSACT; TC_AUTO: nothing is attached */
	enum tc_direction direction;
	int ifindex;
	uint32_t program; /* id */
	int link_fd; /* TC_TCX */
	uint16_t priority; /* TC_CLSACT */
	uint32_t handle; /* TC_CLSACT */
};

/* 1 if this kernel has TCX, 0 if not, -errno. prog_fd is any loaded SCHED_CLS program. */
int tc_probe_tcx(int prog_fd);

int tc_has_clsact(int ifindex, bool *ret);
/* Makes sure that ifindex has a clsact qdisc. *ret_made: it had none before. -EEXIST: it has an
 * ingress qdisc of someone else's instead, which has no egress side. */
int tc_make_clsact(int ifindex, bool *ret_made);
/* Removes the clsact qdisc if it has no filter left. For one that we made. */
int tc_drop_clsact(int ifindex);

/* mode is TC_TCX or TC_CLSACT (after tc_make_clsact()). */
int tc_attach(enum tc_mode mode, int ifindex, enum tc_direction direction, int prog_fd,
	      struct tc_attachment *ret);
/* Forgets the attachment, which may be gone already (that is not an error). */
int tc_detach(struct tc_attachment *attachment);

/*
 * Looks for what runs before our program and may keep packets from it. Writes a sentence part ("a
 * flower filter with priority 1 before ours") and returns 1, or 0 if there is nothing. *tcx becomes
 * true if somebody has TCX programs there, before ours or behind.
 */
int tc_find_foreign(const struct tc_attachment *attachment, char *text, size_t size, bool *tcx);
