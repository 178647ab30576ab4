/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The road as code: collect -> enrich -> store -> export. A timer ends a step every interval; a
 * question from control drains in between, so that answers hold what happened up to now.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "collect/collect.h"
#include "enrich/enrich.h"
#include "store/store.h"

struct pipeline;

/* A collector that runs; the manager owns it. */
struct pipeline_collector {
	const struct collect_ops *ops;
	struct collector *collector;
};

/* interval in ns. before_round is called on the loop before each round of draining, a step's and a
 * question's: what will be asked of the inventory has to be there; then house-keeping. */
int pipeline_new(sd_event *event, uint64_t interval, struct store *store,
		 void (*before_round)(void *userdata, bool ends_step), void *userdata,
		 struct pipeline **ret);
struct pipeline *pipeline_free(struct pipeline *pipeline); /* takes NULL */

/* The stations of the road; NULL and 0 while the manager rebuilds them. A round of draining that is
 * under way is given up: who waits for it waits for the next one. */
void pipeline_set(struct pipeline *pipeline, const struct pipeline_collector *collectors, size_t n,
		  struct enrich *enrich);
void pipeline_set_interval(struct pipeline *pipeline, uint64_t interval);

/* collect_env.emit with the pipeline as userdata. */
void pipeline_emit(void *pipeline, struct record *record);

/* Drains all collectors, then calls done; at once if they were drained a moment ago. */
int pipeline_flush(struct pipeline *pipeline, void (*done)(void *cookie, int r), void *cookie);
uint64_t pipeline_records(const struct pipeline *pipeline); /* emitted since the start */
