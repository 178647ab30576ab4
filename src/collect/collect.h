/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Room 1 of the road: a collector loads and attaches its BPF programs, drains them, and hands
 * records on. To add one: src/collect/NAME.c that defines "const struct collect_ops collect_NAME",
 * and its line in COLLECTORS (doc/HOWTO-ADD-COLLECTOR.md).
 *
 * All functions run on the loop thread and must not block it; what blocks goes to base/work.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/option.h"
#include "model/metric.h"
#include "model/record.h"
#include "model/status.h"

struct bpf_env;
struct disk_cache;
struct host_roots;
struct inventory;
struct scope;
struct sockets;
struct work;

/* What the daemon lends to a collector; all of it outlives the collector. */
struct collect_env {
	sd_event *event;
	struct work *work; /* for what can block */
	struct disk_cache
		*cache; /* of what was made of binaries: for jobs of WORK_LANE_CHILD alone */
	struct inventory *inventory; /* who runs here (src/host) */
	const struct host_roots *roots; /* where /proc is (host/roots.h) */
	struct bpf_env *bpf; /* what the skeletons share (collect/shared/bpf.h) */
	struct sockets *sockets; /* who made which socket (collect/shared/sockets.h) */
	const struct scope *scope; /* what the user wants to see */
	uint64_t
		budget; /* bytes for its tables, as in collect_ops.budget: sizes what cannot change */
	const char *hooks; /* "auto" or the rung that the user forces */
	const char *state_dir; /* absolute; exists */
	const char *runtime_dir; /* for what must be found again after a crash; exists */
	/* Takes a record; borrowed, may be changed, never kept. */
	void (*emit)(void *userdata, struct record *record);
	void *userdata;
};

struct collector;

struct collect_ops {
	const char *name; /* "flows": key in the configuration, in status and accounting */
	bool opt_in; /* off, unless the configuration turns it on */

	/* The keys below collectors.NAME; env->options points to a parsed struct of this group. */
	const struct option_group *options;

	/*
	 * Starts collecting. options is the parsed struct of the group above, valid until stop().
	 * 0 also when degraded or off for want of a hook: status() then says why. A negative errno
	 * is for what the daemon cannot live with (no memory).
	 */
	int (*start)(const struct collect_env *env, const void *options, struct collector **ret);

	/*
	 * Emits what was gathered since the last call, then calls done(userdata), perhaps later
	 * from the loop; r is 0 or what failed. One at a time: the pipeline waits for done.
	 */
	void (*drain)(struct collector *c, void (*done)(void *userdata, int r), void *userdata);

	/* Detaches and releases everything; leaves nothing behind in the kernel. Takes NULL. */
	void (*stop)(struct collector *c);

	void (*status)(const struct collector *c, struct part_status *ret);
	void (*account)(const struct collector *c, struct accounting *ret);
	/* Calls fn once per place that can lose, also where the count is 0. */
	void (*losses)(const struct collector *c,
		       void (*fn)(void *userdata, const struct loss *loss), void *userdata);
	void (*metrics)(const struct collector *c, struct metric_sink *sink);
	/* Bytes that its maps, rings and programs hold in the kernel, from our own sizes. */
	uint64_t (*bpf_bytes)(const struct collector *c);
	/* The bytes that the collector's tables may take, in the kernel and here together (a share of
	 * memory.limit): it caps them, counts what then finds no room, and names the cap in status()
	 * once it was felt. Called at the start and whenever the share changes. */
	void (*budget)(struct collector *c, uint64_t bytes);

	/* A process forked or executed in the network namespace (inode). May be NULL. */
	void (*on_process)(struct collector *c, pid_t pid, uint64_t netns);

	/* Removes from the kernel what an earlier run left behind (ebpfobsd --cleanup and the next
	 * start); runtime_dir says what that was. May be NULL. */
	int (*cleanup)(const char *runtime_dir);
};

extern const struct collect_ops *const collect_registry[]; /* NULL-terminated; generated */
