/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What goes off, is degraded or comes back while nobody looks at "ebpfobsctl status" is said once in
 * the log: a disk that fills up, a port that is taken, an interface that refuses a filter. The rooms
 * below do not log it; they keep it in their status.
 */
#include "base/log.h"
#include "daemon/manager-internal.h"

static void say(const char *what, const struct part_status *status)
{
	if (status->as_configured)
		log_info("%s %s: off: %s", what, status->name, status->reason);
	else if (status->state != PART_ON)
		log_warning("%s %s: %s: %s", what, status->name, part_state_name(status->state),
			    status->reason);
	else
		log_info("%s %s: on%s%s%s", what, status->name, status->rung[0] ? " (" : "",
			 status->rung, status->rung[0] ? ")" : "");
}

/* said is what was said of the part last, and becomes what it is now. */
static void compare(const char *what, const struct part_status *status, enum part_state *said)
{
	if (status->state != *said)
		say(what, status);
	*said = status->state;
}

void changes_start(struct manager *m)
{
	struct part_status status;

	m->store_said = PART_ON;
	for (size_t i = 0; i < m->n_collectors; i++) {
		manager_collector_status(m, i, &status);
		say("collector", &status);
		m->collectors_said[i] = status.state;
	}
	for (size_t i = 0; i < m->n_exporters; i++)
		m->exporters[i].said = PART_ON;
	changes_say(m);
}

void changes_say(struct manager *m)
{
	struct part_status status;

	for (size_t i = 0; i < m->n_collectors; i++) {
		manager_collector_status(m, i, &status);
		compare("collector", &status, &m->collectors_said[i]);
	}
	for (size_t i = 0; i < m->n_exporters; i++) {
		m->exporters[i].ops->status(m->exporters[i].exporter, &status);
		compare("exporter", &status, &m->exporters[i].said);
	}
	store_status(m->store, &status);
	compare("the", &status, &m->store_said);
}
