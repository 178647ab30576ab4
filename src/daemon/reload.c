/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loading the configuration, at the start and again. A reload is all or nothing: a configuration
 * that does not load, or whose scope names what is not there, changes nothing; one that cannot be
 * started all the same is taken back. What was counted up to now goes to the store first, because the
 * collectors' tables go with them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/util.h"
#include "collect/flows/options.h"
#include "daemon/manager-internal.h"

int manager_load_config(const struct manager_arguments *arguments,
			const struct option_registry *registry, struct config **ret,
			struct config_errors *errors)
{
	const struct config_source source = {
		.groups = registry->groups,
		.path = arguments->config_path ?: SYSCONFDIR "/ebpfobs/ebpfobsd.yaml",
		.path_required = arguments->config_path != NULL,
		.environment = (const char *const *)environ,
	};

	return config_load(&source, errors, ret);
}

/* What can change while everything runs. */
static void apply_daemon_options(struct manager *m)
{
	const struct flows_options *flows = manager_options(m, &flows_options_group);
	const struct log_options *log = manager_options(m, &log_options);

	log_init(log->format, log_options_level(log));
	pipeline_set_interval(m->pipeline, flows->interval);
}

static void say_errors(const struct config_errors *errors, char *error, size_t size)
{
	size_t n = 0;

	error[0] = 0;
	for (size_t i = 0; i < errors->n && n < size; i++)
		n += snprintf(error + n, size - n, "%s%s", i ? "\n" : "", errors->text[i]);
	if (errors->more && n < size)
		snprintf(error + n, size - n, "\nand %zu more", errors->more);
}

static int reload_now(struct manager *m, char *error, size_t error_size)
{
	_cleanup_free_ struct config_errors *errors = calloc(1, sizeof(*errors));
	struct config *fresh, *old = m->config;
	char again[512];
	int r;

	if (!errors)
		return -ENOMEM;
	r = manager_load_config(&m->arguments, m->registry, &fresh, errors);
	if (r < 0) {
		say_errors(errors, error, error_size);
		return r;
	}
	r = parts_check(fresh, error, error_size);
	if (r < 0) {
		config_free(fresh);
		return r;
	}
	parts_stop(m);
	m->config = fresh;
	r = parts_start(m, error, error_size);
	if (r < 0) {
		parts_stop(m);
		m->config = old;
		config_free(fresh);
		if (parts_start(m, again, sizeof(again)) < 0) {
			log_error("the old configuration does not start any more either: %s; "
				  "stopping",
				  again);
			sd_event_exit(m->event, EXIT_FAILURE);
		}
		return r;
	}
	config_free(old);
	apply_daemon_options(m);
	log_info("configuration reloaded");
	return 0;
}

struct reload {
	struct manager *m;
	void (*done)(void *cookie, int r, const char *error);
	void *cookie;
};

static void on_flushed(void *userdata, int r)
{
	struct reload *reload = userdata;
	char error[4096] = "the daemon is stopping";

	/* What could not be drained is no reason to stay. */
	if (r != -ECANCELED)
		r = reload_now(reload->m, error, sizeof(error));
	sd_notify(false, "READY=1");
	if (r < 0)
		log_warning("the configuration was not reloaded, the old one stays: %s", error);
	if (reload->done)
		reload->done(reload->cookie, r, error);
	free(reload);
}

int manager_reload(struct manager *m, void (*done)(void *cookie, int r, const char *error),
		   void *cookie)
{
	struct reload *reload = calloc(1, sizeof(*reload));
	int r;

	if (!reload)
		return -ENOMEM;
	*reload = (struct reload){ m, done, cookie };
	sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)(now_ns(CLOCK_MONOTONIC) / NSEC_PER_USEC));
	r = pipeline_flush(m->pipeline, on_flushed, reload);
	if (r < 0) {
		sd_notify(false, "READY=1"); /* as we were */
		free(reload);
	}
	return r;
}
