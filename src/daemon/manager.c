/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's life: event loop, signals, service manager, and the parts that a reload leaves alone.
 * The loop's turns are timed, because everything promises not to block it.
 */
#include "daemon/manager.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/util.h"
#include "base/work.h"
#include "collect/flows/options.h"
#include "daemon/manager-internal.h"
#include "enrich/symbolize.h"

#define CACHE_BYTES_MAX (UINT64_C(256) << 20) /* of unwind tables and symbols */

/* --- what control asks ----------------------------------------------------------------------- */

static int control_status(void *userdata, struct json_object **ret)
{
	return manager_status(userdata, ret);
}

static int control_config(void *userdata, struct json_object **ret)
{
	struct manager *m = userdata;

	return config_to_json(m->config, ret);
}

static int control_reload(void *userdata, void (*done)(void *cookie, int r, const char *error),
			  void *cookie)
{
	return manager_reload(userdata, done, cookie);
}

static int control_doctor(void *userdata, pid_t pid, bool maps, struct json_object **ret)
{
	return manager_doctor(userdata, pid, maps, ret);
}

static int control_flush(void *userdata, void (*done)(void *cookie, int r), void *cookie)
{
	struct manager *m = userdata;

	return pipeline_flush(m->pipeline, done, cookie);
}

static int control_symbolize(void *userdata, struct naming *naming, void (*done)(void *cookie),
			     void *cookie)
{
	struct manager *m = userdata;

	return symbolize(m->work, m->cache, naming, done, cookie);
}

static void control_losses_of(void *userdata, void (*fn)(void *cookie, const struct loss *loss),
			      void *cookie)
{
	manager_losses(userdata, fn, cookie);
}

const struct control_ops manager_control_ops = {
	.status = control_status,
	.config = control_config,
	.reload = control_reload,
	.doctor = control_doctor,
	.flush = control_flush,
	.symbolize = control_symbolize,
	.losses = control_losses_of,
};

/* --- the loop -------------------------------------------------------------------------------- */

static void on_flushed(void *cookie, int r)
{
	struct manager *m = cookie;

	sd_event_exit(m->event, 0);
}

/* What was counted up to now goes to the store before we leave. */
static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	struct manager *m = userdata;

	sd_notify(false, "STOPPING=1");
	log_info("stopping (%s)", strsignal(si->ssi_signo));
	if (pipeline_flush(m->pipeline, on_flushed, m) < 0)
		sd_event_exit(m->event, 0);
	return 0;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	if (manager_reload(userdata, NULL, NULL) < 0)
		log_warning("no memory for reading the configuration again; the old one stays");
	return 0;
}

static int add_signals(struct manager *m)
{
	static const struct {
		int signal;
		sd_event_signal_handler_t handler;
	} signals[] = { { SIGTERM, on_signal }, { SIGINT, on_signal }, { SIGHUP, on_hangup } };
	sigset_t set;
	int r = 0;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i].signal);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++)
		r = sd_event_add_signal(m->event, NULL, signals[i].signal, signals[i].handler, m);
	return r;
}

static void forward_step(void *userdata, const struct record *record)
{
	struct manager *m = userdata;

	for (size_t i = 0; i < m->n_exporters; i++)
		if (m->exporters[i].ops->record)
			m->exporters[i].ops->record(m->exporters[i].exporter, record);
}

static void forward_step_end(void *userdata)
{
	struct manager *m = userdata;

	for (size_t i = 0; i < m->n_exporters; i++)
		if (m->exporters[i].ops->step_end)
			m->exporters[i].ops->step_end(m->exporters[i].exporter);
}

static void before_step(struct manager *m)
{
	inventory_expire(m->inventory, now_ns(CLOCK_BOOTTIME));
	enrich_expire(m->enrich, now_ns(CLOCK_BOOTTIME));
	scope_refresh(m->scope, &host_roots_machine, m->work);
	if (m->scope->generation != m->scope_generation)
		sockets_on_scope(m->sockets); /* what fails is in its status */
	m->scope_generation = m->scope->generation;
	budget_step(m);
	changes_say(m);
}

/* What is drained next is named by what is known of processes then; by itself the ring may wait for
 * 200 ms. */
static void before_round(void *userdata, bool ends_step)
{
	struct manager *m = userdata;

	processes_feed_drain(m->processes);
	if (ends_step)
		before_step(m);
}

/* --- start and stop -------------------------------------------------------------------------- */

static int make_directory(const char *path, mode_t mode)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return log_warning_errno(errno, "cannot make %s: %m; going on without it", path);
	return 0;
}

/* The control socket from the service manager, or -EBADF. What else it passes is closed, or its
 * clients would wait for ever. */
static int activated_socket(void)
{
	int n = sd_listen_fds(true), control = -EBADF;

	for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
		if (control < 0 && sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) > 0) {
			control = fd;
			continue;
		}
		log_warning("descriptor %d of the service manager is not a UNIX stream socket that "
			    "listens, or a second one; it is closed",
			    fd);
		close(fd);
	}
	return control;
}

/* Beside the history. Without a directory nothing is kept, and made again each time. */
static int open_cache(struct manager *m)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/cache", m->arguments.state_dir) < 0)
		return -ENOMEM;
	return disk_cache_new(path, CACHE_BYTES_MAX, &m->cache);
}

static int start_fixed_parts(struct manager *m)
{
	const struct store_options *store = manager_options(m, &store_options_group);
	const struct flows_options *flows = manager_options(m, &flows_options_group);
	int r;

	if (!m->arguments.state_dir)
		m->arguments.state_dir = strdup(store->path);
	if (!m->arguments.state_dir)
		return -ENOMEM;
	make_directory(m->arguments.state_dir, 0750);
	make_directory(m->arguments.runtime_dir, 0750);
	r = work_new(m->event, &m->work);
	if (r >= 0)
		r = open_cache(m);
	if (r >= 0)
		r = inventory_new(m->work, &host_roots_machine, &m->inventory);
	if (r >= 0)
		r = store_new(m->work, m->arguments.state_dir, store, &m->store);
	if (r >= 0)
		r = store_on_step(m->store, forward_step, forward_step_end, m);
	if (r >= 0)
		r = pipeline_new(m->event, flows->interval, m->store, before_round, m,
				 &m->pipeline);
	return r;
}

static int start_control(struct manager *m)
{
	int fd = activated_socket(), r;

	r = control_new(m->event, fd, m->arguments.socket_path, m->store, &manager_control_ops, m,
			&m->control);
	if (r == -EADDRINUSE)
		return log_error_errno(r,
				       "another ebpfobsd answers at %s: stop it, or use --socket",
				       m->arguments.socket_path);
	if (r < 0)
		return log_error_errno(r, "cannot make the control socket %s: %m",
				       m->arguments.socket_path);
	return 0;
}

static int load_first_config(struct manager *m)
{
	_cleanup_free_ struct config_errors *errors = calloc(1, sizeof(*errors));
	int r;

	if (!errors)
		return -ENOMEM;
	r = option_registry_new(&m->registry);
	if (r >= 0)
		r = manager_load_config(&m->arguments, m->registry, &m->config, errors);
	for (size_t i = 0; i < errors->n; i++)
		log_error("%s", errors->text[i]);
	if (r >= 0) {
		const struct log_options *log = manager_options(m, &log_options);

		log_init(log->format, log_options_level(log));
	}
	return r;
}

static int start(struct manager *m)
{
	char error[512] = "";
	int r;

	r = load_first_config(m);
	if (r < 0)
		return r;
	manager_cleanup(&m->arguments);
	r = sd_event_new(&m->event);
	if (r >= 0)
		r = add_signals(m);
	if (r >= 0)
		r = start_fixed_parts(m);
	if (r < 0)
		return log_error_errno(r, "cannot start: %m");
	r = start_control(m);
	if (r < 0)
		return r;
	r = parts_start(m, error, sizeof(error));
	if (r < 0)
		return log_error_errno(r, "%s", error);
	sd_event_set_watchdog(m->event, true);
	return 0;
}

int manager_new(const struct manager_arguments *arguments, struct manager **ret)
{
	struct manager *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->arguments = *arguments;
	if (arguments->state_dir)
		m->arguments.state_dir = strdup(arguments->state_dir);
	m->started_ns = now_ns(CLOCK_MONOTONIC);
	r = start(m);
	if (r < 0) {
		manager_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

static double seconds_since(clockid_t clock, uint64_t began)
{
	return (double)(now_ns(clock) - began) / NSEC_PER_SEC;
}

/* One turn of the loop; how long it worked is in the meter. */
static int turn(struct manager *m)
{
	struct meter *meter = &m->meter;
	uint64_t began, began_cpu;
	int r;

	r = sd_event_prepare(m->event);
	if (r == 0)
		r = sd_event_wait(m->event, UINT64_MAX);
	if (r <= 0)
		return r;
	began = now_ns(CLOCK_MONOTONIC);
	began_cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
	r = sd_event_dispatch(m->event);
	meter->loop_cpu_max =
		MAX(meter->loop_cpu_max, seconds_since(CLOCK_THREAD_CPUTIME_ID, began_cpu));
	meter->loop_stall_max = MAX(meter->loop_stall_max, seconds_since(CLOCK_MONOTONIC, began));
	return r;
}

int manager_run(struct manager *m)
{
	int r, code = 0;

	sd_notify(false, "READY=1");
	log_info("ebpfobsd %s is ready", EBPFOBS_VERSION);
	while (sd_event_get_state(m->event) != SD_EVENT_FINISHED) {
		r = turn(m);
		if (r < 0)
			return log_error_errno(r, "the event loop failed: %m");
	}
	sd_event_get_exit_code(m->event, &code);
	return code;
}

struct manager *manager_free(struct manager *m)
{
	if (!m)
		return NULL;
	m->control = control_free(m->control);
	if (m->pipeline)
		parts_stop(m);
	m->store = store_free(m->store);
	m->pipeline = pipeline_free(m->pipeline);
	m->work = work_free(m->work);
	disk_cache_free(m->cache);
	m->inventory = inventory_free(m->inventory);
	sd_event_unref(m->event);
	config_free(m->config);
	option_registry_free(m->registry);
	free((char *)m->arguments.state_dir);
	free(m);
	return NULL;
}

int manager_check_config(const struct manager_arguments *arguments)
{
	_cleanup_(option_registry_free_p) struct option_registry *registry = NULL;
	_cleanup_free_ struct config_errors *errors = calloc(1, sizeof(*errors));
	_cleanup_(config_free_p) struct config *config = NULL;
	int r;

	if (!errors)
		return -ENOMEM;
	r = option_registry_new(&registry);
	if (r >= 0)
		r = manager_load_config(arguments, registry, &config, errors);
	for (size_t i = 0; i < errors->n; i++)
		fprintf(stderr, "%s\n", errors->text[i]);
	if (errors->more)
		fprintf(stderr, "and %zu more\n", errors->more);
	return r;
}

int manager_cleanup(const struct manager_arguments *arguments)
{
	int r, result = 0;

	for (size_t i = 0; collect_registry[i]; i++) {
		if (!collect_registry[i]->cleanup)
			continue;
		r = collect_registry[i]->cleanup(arguments->runtime_dir);
		if (r < 0)
			result =
				log_warning_errno(r,
						  "cannot remove what collector %s left behind: %m",
						  collect_registry[i]->name);
	}
	return result;
}
