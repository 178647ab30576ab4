/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts that the configuration shapes: scope, the shared BPF programs, collectors and exporters.
 * Started together and stopped together, so that a reload is a stop and a start, with the store, the
 * inventory and the control socket going on in between.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "base/work.h"
#include "collect/flows/options.h"
#include "daemon/manager-internal.h"

#define PRIVATE_RANGES_MAX 64

static const struct collector_options *enabled_options(const struct manager *m, size_t i)
{
	return config_get(m->config, &m->registry->collectors[i]);
}

static int start_collector(struct manager *m, const struct collect_ops *ops)
{
	const struct hooks_options *hooks = manager_options(m, &hooks_options);
	const struct collect_env env = {
		.event = m->event,
		.work = m->work,
		.cache = m->cache,
		.inventory = m->inventory,
		.roots = &host_roots_machine,
		.bpf = m->bpf,
		.sockets = m->sockets,
		.scope = m->scope,
		.budget = budget_per_collector(m),
		.hooks = hook_names[hooks->hooks],
		.state_dir = m->arguments.state_dir,
		.runtime_dir = m->arguments.runtime_dir,
		.emit = pipeline_emit,
		.userdata = m->pipeline,
	};
	struct pipeline_collector *c = &m->collectors[m->n_collectors];
	int r;

	r = ops->start(&env, ops->options ? manager_options(m, ops->options) : NULL, &c->collector);
	if (r < 0)
		return r;
	c->ops = ops;
	m->n_collectors++;
	return 0;
}

static int start_collectors(struct manager *m)
{
	int r = 0;

	for (size_t i = 0; collect_registry[i] && r >= 0; i++)
		if (enabled_options(m, i)->enabled)
			r = start_collector(m, collect_registry[i]);
	return r;
}

static void export_collect(void *userdata, struct metric_sink *sink)
{
	manager_metrics(userdata, sink);
}

static bool export_ready(void *userdata, char *reason, size_t size)
{
	return manager_ready(userdata, reason, size);
}

static int start_exporters(struct manager *m)
{
	const struct flows_options *flows = manager_options(m, &flows_options_group);
	int r;

	m->export_env = (struct export_env){
		.event = m->event,
		.collect = export_collect,
		.ready = export_ready,
		.userdata = m,
		.label_addresses = flows->label_addresses,
	};
	for (size_t i = 0; export_registry[i]; i++) {
		const struct export_ops *ops = export_registry[i];
		struct running_exporter *e = &m->exporters[m->n_exporters];

		r = ops->start(&m->export_env,
			       ops->options ? manager_options(m, ops->options) : NULL,
			       &e->exporter);
		if (r < 0)
			return r;
		e->ops = ops;
		m->n_exporters++;
	}
	return 0;
}

static int start_enrich(struct manager *m)
{
	const struct flows_options *flows = manager_options(m, &flows_options_group);
	struct ip_prefix ranges[PRIVATE_RANGES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < flows->private_ranges.n && n < PRIVATE_RANGES_MAX; i++)
		if (ip_prefix_parse(flows->private_ranges.values[i], &ranges[n]) >= 0)
			n++;
	return enrich_new(m->inventory, ranges, n, &m->enrich);
}

static void on_process(void *userdata, pid_t pid, uint64_t netns)
{
	struct manager *m = userdata;

	for (size_t i = 0; i < m->n_collectors; i++)
		if (m->collectors[i].ops->on_process)
			m->collectors[i].ops->on_process(m->collectors[i].collector, pid, netns);
}

static int start_shared(struct manager *m)
{
	const struct hooks_options *hooks = manager_options(m, &hooks_options);
	const struct sockets_config sockets = {
		.bpf = m->bpf,
		.work = m->work,
		.roots = &host_roots_machine,
		.scope = m->scope,
		.hooks = hook_names[hooks->hooks],
	};
	const struct processes_config processes = {
		.event = m->event,
		.bpf = m->bpf,
		.inventory = m->inventory,
		.scope = m->scope,
		.netns_hint = on_process,
		.userdata = m,
	};
	int r;

	r = sockets_new(&sockets, &m->sockets);
	if (r >= 0)
		r = processes_feed_new(&processes, &m->processes);
	return r;
}

static int make_scope(const struct config *config, char *error, size_t error_size,
		      struct scope **ret)
{
	return scope_new(config_get(config, &scope_options), &host_roots_machine, error, error_size,
			 ret);
}

int parts_check(const struct config *config, char *error, size_t error_size)
{
	struct scope *scope;
	int r;

	r = make_scope(config, error, error_size, &scope);
	if (r < 0)
		return r;
	scope_free(scope);
	return 0;
}

int parts_start(struct manager *m, char *error, size_t error_size)
{
	int r;

	r = make_scope(m->config, error, error_size, &m->scope);
	if (r < 0)
		return r;
	r = bpf_env_new(&m->bpf);
	if (r >= 0)
		r = start_shared(m);
	if (r >= 0)
		r = start_enrich(m);
	if (r >= 0)
		r = start_collectors(m);
	if (r >= 0)
		r = start_exporters(m);
	if (r < 0) {
		snprintf(error, error_size, "cannot start: %s", strerror(-r));
		return r;
	}
	m->scope_generation = m->scope->generation;
	inventory_scan(m->inventory, scope_is_empty(m->scope) ? NULL : m->scope);
	pipeline_set(m->pipeline, m->collectors, m->n_collectors, m->enrich);
	/* libbpf has read the kernel's BTF (5 MB and more) and freed it in small pieces. */
	malloc_trim(0);
	budget_start(m);
	changes_start(m);
	return 0;
}

/* What a worker still does for these parts is waited for in work_drain(): nobody else knows when
 * the last job that borrows from them has ended. */
void parts_stop(struct manager *m)
{
	pipeline_set(m->pipeline, NULL, 0, NULL);
	work_drain(m->work);
	while (m->n_exporters > 0) {
		m->n_exporters--;
		m->exporters[m->n_exporters].ops->stop(m->exporters[m->n_exporters].exporter);
	}
	while (m->n_collectors > 0) {
		m->n_collectors--;
		m->collectors[m->n_collectors].ops->stop(m->collectors[m->n_collectors].collector);
	}
	work_drain(m->work);
	m->processes = processes_feed_free(m->processes);
	m->sockets = sockets_free(m->sockets);
	m->bpf = bpf_env_free(m->bpf);
	m->enrich = enrich_free(m->enrich);
	m->scope = scope_free(m->scope);
}
