/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stands in for the daemon and its store where the control room is tested: operations with fixed
 * answers, and a store that makes up flows.
 */
#pragma once

#include "control/control.h"

struct fake {
	sd_event *event;
	sd_event_source *source; /* one-shot: the next piece of the answer */
	size_t rows, interfaces; /* of each answer */
	size_t next;
	bool paused;
	struct store_query query; /* the last one, without its filter */
	struct filter filter;
	store_record_fn row;
	void (*end)(void *userdata, int r, const struct store_summary *summary);
	void *userdata; /* of row and end; NULL: no question */
	int cancelled, flushed;
	const char *reload_error; /* NULL: it works */
	bool hold_reload, hold_flush; /* the test calls done itself */
	void (*reload_done)(void *cookie, int r, const char *error);
	void (*flush_done)(void *cookie, int r);
	void *reload_cookie, *flush_cookie;
	pid_t doctor_pid;
	bool doctor_maps;
};

extern const struct control_ops fake_ops;

/* store_query() and its kin answer from this one. */
void fake_init(struct fake *fake, sd_event *event);
void fake_done(struct fake *fake);

/* The flow that the store has as its row i. */
void fake_flow(size_t i, struct flow *ret);
