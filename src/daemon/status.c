/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What "ebpfobsctl status" shows (DESIGN section 5), and the daemon's own metrics. */
#include <errno.h>

#include "base/json.h"
#include "base/util.h"
#include "daemon/manager-internal.h"

const void *manager_options(const struct manager *m, const struct option_group *group)
{
	return config_get(m->config, group);
}

static struct json_object *part_to_json(const struct part_status *status)
{
	struct json_object *o = json_object_new_object();
	int r;

	r = json_add_string(o, "name", status->name);
	r = r ?: json_add_string(o, "state", part_state_name(status->state));
	r = r ?: json_add_string(o, "rung", status->rung[0] ? status->rung : NULL);
	r = r ?: json_add_string(o, "reason", status->reason[0] ? status->reason : NULL);
	if (r < 0) {
		json_object_put(o);
		return NULL;
	}
	return o;
}

void manager_collector_status(const struct manager *m, size_t i, struct part_status *ret)
{
	m->collectors[i].ops->status(m->collectors[i].collector, ret);
	processes_feed_status(m->processes, ret);
}

static int add_collectors(struct manager *m, struct json_object *o)
{
	struct json_object *list = json_object_new_array();
	struct part_status status;
	int r = 0;

	for (size_t i = 0; i < m->n_collectors && r >= 0; i++) {
		manager_collector_status(m, i, &status);
		r = json_append(list, part_to_json(&status));
	}
	return json_add(o, "collectors", list) ?: r;
}

static int add_exporters(struct manager *m, struct json_object *o)
{
	struct json_object *list = json_object_new_array();
	struct part_status status;
	int r = 0;

	for (size_t i = 0; i < m->n_exporters && r >= 0; i++) {
		m->exporters[i].ops->status(m->exporters[i].exporter, &status);
		r = json_append(list, part_to_json(&status));
	}
	return json_add(o, "exporters", list) ?: r;
}

static int add_accounting(struct manager *m, struct json_object *o)
{
	struct json_object *all = json_object_new_object(), *one;
	struct accounting a;
	int r = 0;

	for (size_t i = 0; i < m->n_collectors && r >= 0; i++) {
		m->collectors[i].ops->account(m->collectors[i].collector, &a);
		one = json_object_new_object();
		r = json_add_u64(one, "seen", a.seen);
		r = r ?: json_add_u64(one, "delivered", a.delivered);
		r = r ?: json_add_u64(one, "filtered", a.filtered);
		r = r ?: json_add_u64(one, "dropped", a.dropped);
		r = json_add(all, m->collectors[i].ops->name, one) ?: r;
	}
	return json_add(o, "accounting", all) ?: r;
}

struct loss_list {
	struct json_object *object;
	int r;
};

static void add_loss(void *userdata, const struct loss *loss)
{
	struct loss_list *list = userdata;

	if (list->r >= 0)
		list->r = json_add_u64(list->object, loss->site, loss->count);
}

static int add_losses(struct manager *m, struct json_object *o)
{
	struct loss_list list = { .object = json_object_new_object() };

	manager_losses(m, add_loss, &list);
	return json_add(o, "loss", list.object) ?: list.r;
}

static int add_store(struct manager *m, struct json_object *o)
{
	struct json_object *store;
	struct store_figures f;
	struct part_status status;
	int r;

	store_status(m->store, &status);
	store_figures(m->store, &f);
	store = part_to_json(&status);
	r = json_add_u64(store, "disk_bytes", f.disk_bytes);
	r = r ?: json_add_u64(store, "sample_bytes", f.sample_bytes);
	r = r ?: json_add_u64(store, "holds_ns", f.holds_ns);
	r = r ?: json_add_u64(store, "memory_rows", f.memory_rows);
	r = r ?: json_add_u64(store, "oldest_ns", f.oldest_ns);
	r = r ?: json_add_u64(store, "running_since_ns", f.running_since_ns);
	r = r ?: json_add_u64(store, "waiting_steps", f.waiting_steps);
	return json_add(o, "store", store) ?: r;
}

static int add_self(struct manager *m, struct json_object *o)
{
	const struct memory_options *memory = manager_options(m, &memory_options);
	struct json_object *self = json_object_new_object();
	const struct meter *meter = &m->meter;
	int r;

	budget_measure(m);
	r = json_add_u64(self, "anon_bytes", meter->anon_bytes);
	r = r ?: json_add_u64(self, "bpf_bytes", meter->bpf_bytes);
	r = r ?: json_add_u64(self, "rss_bytes", meter->rss_bytes);
	r = r ?: json_add_u64(self, "limit_bytes", memory->limit);
	r = r ?: json_add_double(self, "cpu_seconds", meter->cpu_seconds);
	r = r ?: json_add_double(self, "loop_stall_max_s", meter->loop_stall_max);
	r = r ?: json_add_double(self, "loop_cpu_max_s", meter->loop_cpu_max);
	return json_add(o, "self", self) ?: r;
}

int manager_status(struct manager *m, struct json_object **ret)
{
	struct json_object *o = json_object_new_object();
	double uptime = (double)(now_ns(CLOCK_MONOTONIC) - m->started_ns) / NSEC_PER_SEC;
	int r;

	r = json_add_string(o, "version", EBPFOBS_VERSION);
	r = r ?: json_add_double(o, "uptime_s", uptime);
	r = r ?: add_collectors(m, o);
	r = r ?: add_exporters(m, o);
	r = r ?: add_store(m, o);
	r = r ?: add_accounting(m, o);
	r = r ?: add_losses(m, o);
	r = r ?: add_self(m, o);
	if (r < 0) {
		json_object_put(o);
		return r;
	}
	*ret = o;
	return 0;
}

void manager_losses(struct manager *m, void (*fn)(void *cookie, const struct loss *loss),
		    void *cookie)
{
	for (size_t i = 0; i < m->n_collectors; i++)
		m->collectors[i].ops->losses(m->collectors[i].collector, fn, cookie);
	for (size_t i = 0; i < m->n_exporters; i++)
		if (m->exporters[i].ops->losses)
			m->exporters[i].ops->losses(m->exporters[i].exporter, fn, cookie);
	if (m->sockets)
		sockets_losses(m->sockets, fn, cookie);
	if (m->processes)
		processes_feed_losses(m->processes, fn, cookie);
	if (m->enrich)
		enrich_losses(m->enrich, fn, cookie);
	inventory_losses(m->inventory, fn, cookie);
	store_losses(m->store, fn, cookie);
	if (m->control)
		control_losses(m->control, fn, cookie);
}

static void emit_loss(void *cookie, const struct loss *loss)
{
	metric_emit(cookie, METRIC_DROPS, &loss->site, loss->count);
}

static void emit_collector(struct manager *m, size_t i, struct metric_sink *sink)
{
	const struct collect_ops *ops = m->collectors[i].ops;
	const char *const name[] = { ops->name };
	struct part_status status;
	struct accounting account;

	ops->status(m->collectors[i].collector, &status);
	ops->account(m->collectors[i].collector, &account);
	metric_emit(sink, METRIC_BPF_LOAD_STATUS, name, status.state != PART_OFF);
	metric_emit(sink, METRIC_EVENTS, name, account.seen);
	if (ops->metrics)
		ops->metrics(m->collectors[i].collector, sink);
}

/* The skeletons are shared between collectors, so their loading is told for all of them. */
static void emit_bpf(struct manager *m, struct metric_sink *sink)
{
	static const char *const all[] = { "all" }, *const ok[] = { "all", "ok" },
				 *const failed[] = { "all", "failed" };
	struct bpf_env_figures f = bpf_env_figures(m->bpf);

	metric_emit(sink, METRIC_BPF_PROGRAMS_LOADED, all, f.programs);
	metric_emit(sink, METRIC_BPF_LOAD_ATTEMPTS, ok, f.attempts - f.failures);
	metric_emit(sink, METRIC_BPF_LOAD_ATTEMPTS, failed, f.failures);
	metric_emit(sink, METRIC_BPF_LOAD_DURATION, all, f.seconds);
}

static void emit_self(struct manager *m, struct metric_sink *sink)
{
	static const char *const version[] = { EBPFOBS_VERSION };

	budget_measure(m);
	metric_emit(sink, METRIC_CPU_SECONDS, NULL, m->meter.cpu_seconds);
	metric_emit(sink, METRIC_ANON_BYTES, NULL, m->meter.anon_bytes);
	metric_emit(sink, METRIC_BPF_BYTES, NULL, m->meter.bpf_bytes);
	metric_emit(sink, METRIC_RSS_BYTES, NULL, m->meter.rss_bytes);
	metric_emit(sink, METRIC_BUILD_INFO, version, 1);
}

void manager_metrics(struct manager *m, struct metric_sink *sink)
{
	for (size_t i = 0; i < m->n_collectors; i++)
		emit_collector(m, i, sink);
	for (size_t i = 0; i < m->n_exporters; i++)
		if (m->exporters[i].ops->metrics)
			m->exporters[i].ops->metrics(m->exporters[i].exporter, sink);
	emit_bpf(m, sink);
	manager_losses(m, emit_loss, sink);
	emit_self(m, sink);
}

bool manager_ready(struct manager *m, char *reason, size_t size)
{
	struct part_status status;

	for (size_t i = 0; i < m->n_collectors; i++) {
		m->collectors[i].ops->status(m->collectors[i].collector, &status);
		if (status.state == PART_OFF) {
			snprintf(reason, size, "collector %s is off: %.400s", status.name,
				 status.reason);
			return false;
		}
	}
	return true;
}
