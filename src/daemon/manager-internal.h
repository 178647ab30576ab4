/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manager's insides, for the files of this room that act on all of it. */
#pragma once

#include <systemd/sd-event.h>

#include "base/disk-cache.h"
#include "collect/collect.h"
#include "collect/shared/bpf.h"
#include "collect/shared/processes.h"
#include "collect/shared/sockets.h"
#include "control/control.h"
#include "daemon/config.h"
#include "daemon/manager.h"
#include "daemon/meter.h"
#include "daemon/options.h"
#include "daemon/pipeline.h"
#include "enrich/enrich.h"
#include "export/export.h"
#include "host/inventory.h"
#include "host/scope.h"
#include "store/store.h"

#define COLLECTORS_MAX 16
#define EXPORTERS_MAX 16

struct running_exporter {
	const struct export_ops *ops;
	struct exporter *exporter;
	enum part_state said; /* in the log */
};

struct manager {
	struct manager_arguments arguments;
	struct option_registry *registry;
	struct config *config;
	uint64_t started_ns; /* CLOCK_MONOTONIC */

	sd_event *event;
	struct work *work;
	struct disk_cache *cache; /* of the jobs of WORK_LANE_CHILD */
	struct inventory *inventory;
	struct store *store;
	enum part_state store_said; /* in the log */
	struct pipeline *pipeline;
	struct control *control;

	/* Rebuilt by a reload. */
	struct scope *scope;
	unsigned scope_generation; /* that the kernel side knows */
	struct bpf_env *bpf;
	struct sockets *sockets;
	struct processes_feed *processes;
	struct enrich *enrich;
	struct pipeline_collector collectors[COLLECTORS_MAX];
	enum part_state collectors_said[COLLECTORS_MAX]; /* in the log */
	size_t n_collectors;
	struct export_env export_env;
	struct running_exporter exporters[EXPORTERS_MAX];
	size_t n_exporters;

	struct meter meter;
	uint64_t base_bytes; /* of the meter, after the start; 0: not measured yet */
	uint64_t budget; /* bytes that the tables may take together */
	uint64_t turn_began_ns; /* of the event loop; 0: it waits */
};

/* --- parts.c: what a reload rebuilds --- */
/* What config wants to see is there: else a sentence in error. */
int parts_check(const struct config *config, char *error, size_t error_size);
int parts_start(struct manager *m, char *error, size_t error_size);
void parts_stop(struct manager *m);

/* --- budget.c: memory.limit --- */
uint64_t budget_per_collector(const struct manager *m); /* at the start */
void budget_start(struct manager *m);
void budget_step(struct manager *m); /* once per step */
void budget_measure(struct manager *m); /* fills m->meter */

/* --- changes.c: what the log says of the parts --- */
void changes_start(struct manager *m); /* the parts were started: how they are */
void changes_say(struct manager *m); /* once per step: what is otherwise than was said */

/* --- status.c, doctor.c: what control asks --- */
extern const struct control_ops manager_control_ops;
int manager_status(struct manager *m, struct json_object **ret);
void manager_collector_status(const struct manager *m, size_t i, struct part_status *ret);
int manager_doctor(struct manager *m, pid_t pid, bool maps, struct json_object **ret);
void manager_losses(struct manager *m, void (*fn)(void *cookie, const struct loss *loss),
		    void *cookie);
void manager_metrics(struct manager *m, struct metric_sink *sink);
bool manager_ready(struct manager *m, char *reason, size_t size);

/* --- reload.c --- */
int manager_load_config(const struct manager_arguments *arguments,
			const struct option_registry *registry, struct config **ret,
			struct config_errors *errors);
/* done is called from the loop later; it may be NULL. */
int manager_reload(struct manager *m, void (*done)(void *cookie, int r, const char *error),
		   void *cookie);

const void *manager_options(const struct manager *m, const struct option_group *group);
