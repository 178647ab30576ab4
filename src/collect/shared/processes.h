/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's account of forks, execs and exits (bpf/process.bpf.c), handed to the inventory. A
 * lost event makes the inventory scan /proc again. Loop thread only.
 */
#pragma once

#include <systemd/sd-event.h>

#include "collect/shared/bpf.h"
#include "host/inventory.h"
#include "host/scope.h"
#include "model/status.h"

struct processes_feed;

struct processes_config { /* borrowed */
	sd_event *event;
	struct bpf_env *bpf;
	struct inventory *inventory;
	const struct scope *scope;
	/* A process is in a namespace (inode): may be NULL. */
	void (*netns_hint)(void *userdata, pid_t pid, uint64_t netns);
	void *userdata;
};

/* 0 also when the programs were refused: processes_status() says so. */
int processes_feed_new(const struct processes_config *config, struct processes_feed **ret);
struct processes_feed *processes_feed_free(struct processes_feed *feed); /* takes NULL */

/* Reads what is in the ring; also done by a timer. */
void processes_feed_drain(struct processes_feed *feed);
void processes_feed_status(const struct processes_feed *feed, struct part_status *status);
void processes_feed_losses(const struct processes_feed *feed,
			   void (*fn)(void *userdata, const struct loss *loss), void *userdata);
uint64_t processes_feed_bpf_bytes(const struct processes_feed *feed);
