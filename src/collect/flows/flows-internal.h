/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The flows collector: what its files share. flows.c attaches and drains, emit.c makes records of what
 * came out, about.c tells about the collector itself. */
#pragma once

#include <systemd/sd-event.h>

#include "collect/collect.h"

#include "collect/flows/connections.h"
#include "collect/flows/drain.h"
#include "collect/flows/drops.h"
#include "collect/flows/interface-record.h"
#include "collect/flows/options.h"
#include "collect/flows/slots.h"
#include "collect/shared/interfaces.h"

#define FLOWS_INTERFACES_MAX 1024 /* slots; 128 bytes per CPU and epoch each */

enum slot_phase {
	PHASE_NONE,
	PHASE_COUNTING,
	PHASE_REMOVED, /* one epoch may still hold packets of it */
	PHASE_LAST, /* both epochs will be drained after the next run */
};

struct slot_note {
	uint8_t phase;
	struct before_attach before_attach;
	uint64_t removed_epoch;
};

struct collector {
	struct collect_env env;
	const struct flows_options *options;
	struct flows_bpf *skel; /* NULL: off */
	struct interfaces *interfaces;
	struct slots *slots;
	struct connections *connections; /* NULL: connection_tracking is off */
	struct drops *drops; /* NULL: not seen */
	struct flows_drain drain;
	struct slot_note notes[FLOWS_INTERFACES_MAX + 1];
	uint64_t audited_ns; /* CLOCK_MONOTONIC: the interfaces, last */
	uint64_t cap; /* flows per step that the memory limit allows; at most options->max_flows */
	bool cap_felt; /* flows found no room because of it */
	uint64_t flows_last; /* in the last drain: what the table holds at about */
	uint64_t batch; /* records that the last drain emitted */

	sd_event_source *slice; /* emits the rest of a drain */
	size_t emitted; /* of drain.flows */
	bool draining;
	bool sockets_complete; /* a system call: asked once per drain */
	void (*done)(void *userdata, int r);
	void *done_userdata;

	struct accounting account;
	uint64_t lost_table, errors;
	char off_reason[PART_REASON_LEN];
	char drops_reason[PART_REASON_LEN]; /* why drops are not seen */
	/* ebpfobs_collection_duration_seconds */
	uint64_t duration_counts[16];
	double duration_sum;
	uint64_t duration_count;
};

/* One flow of a drain to a record; now is CLOCK_MONOTONIC. */
void flows_emit_flow(struct collector *c, const struct drained_flow *drained, uint64_t now_ns);
/* All else of a drain: drops, untracked sums, interfaces, connections that failed. */
void flows_emit_rest(struct collector *c);

void flows_status(const struct collector *c, struct part_status *ret);
void flows_account(const struct collector *c, struct accounting *ret);
void flows_losses(const struct collector *c, void (*fn)(void *userdata, const struct loss *loss),
		  void *userdata);
void flows_metrics(const struct collector *c, struct metric_sink *sink);
uint64_t flows_bpf_bytes(const struct collector *c);
