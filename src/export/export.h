/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Room 5 of the road: out. An exporter is told about every record of each step that ends, and
 * asked for its status. To add one: src/export/NAME.c that defines "const struct export_ops
 * export_NAME", and its line in EXPORTERS (doc/HOWTO-ADD-EXPORTER.md). Loop thread only.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/option.h"
#include "model/metric.h"
#include "model/record.h"
#include "model/status.h"

/* What the daemon lends to an exporter; it outlives the exporter. */
struct export_env {
	sd_event *event;
	/* Makes every part of the daemon tell its own metrics to sink. */
	void (*collect)(void *userdata, struct metric_sink *sink);
	/* True once every collector has started: /ready. reason gets why not. */
	bool (*ready)(void *userdata, char *reason, size_t size);
	void *userdata;
	bool label_addresses; /* collectors.flows.label_addresses */
};

struct exporter;

struct export_ops {
	const char *name; /* "prometheus": its name in status */
	const struct option_group *options; /* prefix "exporters.NAME", or its own: "health" */
	/* 0 also when the exporter is off for a reason that status() names (the port is taken);
	 * it then tries again by itself. */
	int (*start)(const struct export_env *env, const void *options, struct exporter **ret);
	/* A record of the ended step; then the end. Both NULL: it takes no records (health). */
	void (*record)(struct exporter *e, const struct record *record);
	void (*step_end)(struct exporter *e);
	void (*stop)(struct exporter *e); /* takes NULL */
	void (*status)(const struct exporter *e, struct part_status *ret);
	/* Tells its own numbers; may be NULL. */
	void (*metrics)(const struct exporter *e, struct metric_sink *sink);
	void (*losses)(const struct exporter *e,
		       void (*fn)(void *userdata, const struct loss *loss), void *userdata);
};

extern const struct export_ops *const export_registry[]; /* NULL-terminated; generated */
