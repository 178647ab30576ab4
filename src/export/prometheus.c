/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /metrics. Flows are added up by pair of workloads (series.c); connections are counted by state in
 * each step; what is in no flow is added up by role and reason. The page (scrape.c) also has what
 * every part of the daemon tells of itself.
 *
 * Bytes and packets are those on the wire (GSO and GRO undone), so they agree with what the other
 * host and the switch count.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"
#include "export/accept.h"
#include "export/export.h"
#include "export/http.h"
#include "export/listen.h"
#include "export/scrape.h"
#include "export/series.h"

struct prometheus_options {
	char *listen;
	int64_t max_series;
	uint64_t ttl;
};

/* Connections of a step. TCP by state, the rest by protocol alone. */
struct connections {
	uint32_t tcp[FLOW_ROLE_MAX_][TCP_STATE_MAX_];
	uint32_t other[FLOW_ROLE_MAX_][256];
};

struct exporter {
	const struct export_env *env;
	const struct prometheus_options *options;
	struct http *http; /* NULL: the configuration turns it off */
	struct series *series;
	struct connections now, last; /* the step that is being told, and the one before */
	bool seen[FLOW_ROLE_MAX_][256]; /* protocols that have been told; they stay, at 0 */
	struct flow_count untracked[FLOW_ROLE_MAX_][UNTRACKED_REASON_MAX_][2]; /* tx, rx */
	uint64_t step;
	uint64_t overflowed; /* records that found no room, in all */
	uint64_t overflowed_before, overflowed_last; /* up to the last step's end; in it */
	uint64_t no_memory;
};

/* --- from records to rows -------------------------------------------------------------------- */

struct row_labels {
	const char *values[SERIES_LABELS];
	char protocol[4];
	char local_address[IP_ADDRESS_STRLEN], peer_address[IP_ADDRESS_STRLEN];
};

/* An id stands in for a name that is not known yet; not for a process, whose id is another one at
 * each start. */
static const char *workload_label(const struct workload *w, const struct process_ref *process)
{
	if (w->name[0] != '\0')
		return w->name;
	return w->kind == WORKLOAD_PROCESS ? process->comm : w->id;
}

/* Fills kind, name and namespace of an end, three labels from `first` on. */
static void label_workload(const struct endpoint *end, const char **labels)
{
	const struct workload *w = &end->workload;

	if (w->kind != WORKLOAD_NONE) {
		labels[0] = workload_kind_name(w->kind);
		labels[1] = workload_label(w, &end->process);
		labels[2] = w->namespace_;
	} else {
		labels[0] = end->external ? "external" : "";
		labels[1] = labels[2] = "";
	}
}

static void label_flow(const struct exporter *e, const struct flow *flow, struct row_labels *l)
{
	const char **v = l->values;

	v[LABEL_REASON] = "";
	label_workload(&flow->local, v + LABEL_LOCAL_KIND);
	if (flow->local.workload.kind == WORKLOAD_NONE && flow->unowned != FLOW_OWNED) {
		v[LABEL_LOCAL_KIND] = "unowned";
		v[LABEL_LOCAL_NAME] = flow_unowned_name(flow->unowned);
	}
	label_workload(&flow->peer, v + LABEL_PEER_KIND);
	v[LABEL_ROLE] = flow_role_name(flow->role);
	v[LABEL_PROTOCOL] = protocol_name(flow->protocol, l->protocol);
	v[LABEL_LOCAL_ADDRESS] = v[LABEL_PEER_ADDRESS] = "";
	if (e->env->label_addresses) {
		v[LABEL_LOCAL_ADDRESS] = ip_format(&flow->local.address, l->local_address);
		v[LABEL_PEER_ADDRESS] = ip_format(&flow->peer.address, l->peer_address);
	}
	v[LABEL_OVERFLOW] = "";
}

static bool failed_connect(const struct flow_tcp *tcp)
{
	return tcp->state == TCP_STATE_REFUSED || tcp->state == TCP_STATE_FAILED;
}

static void row_add_tcp(struct series_row *row, const struct flow_tcp *tcp, uint64_t step)
{
	uint64_t *v = row->values;

	v[VALUE_RETRANSMITS] += tcp->retransmits;
	v[VALUE_RESETS] += tcp->resets;
	v[VALUE_FAILED_CONNECTS] += failed_connect(tcp);
	if (tcp->rtt_us == 0)
		return;
	if (v[VALUE_RTT_STEP] != step)
		v[VALUE_RTT_US] = 0;
	v[VALUE_RTT_STEP] = step;
	v[VALUE_RTT_US] = MAX(v[VALUE_RTT_US], (uint64_t)tcp->rtt_us);
}

static void row_add_traffic(struct series_row *row, const struct flow *flow)
{
	row->values[VALUE_TX_BYTES] += flow->tx.bytes_wire;
	row->values[VALUE_RX_BYTES] += flow->rx.bytes_wire;
	row->values[VALUE_TX_PACKETS] += flow->tx.packets;
	row->values[VALUE_RX_PACKETS] += flow->rx.packets;
}

/* The row of a flow that names its ends; the overflow row of one that is a sum of others. */
static struct series_row *find_row(struct exporter *e, const struct flow *flow,
				   enum series_kind kind, const struct row_labels *l)
{
	struct series_row *row;

	if (flow->other)
		row = series_overflow(e->series, kind, l->values[LABEL_ROLE],
				      l->values[LABEL_PROTOCOL]);
	else
		row = series_get(e->series, kind, l->values);
	if (!row)
		e->no_memory++;
	else if (row->overflow && !flow->other)
		e->overflowed++;
	return row;
}

static void add_drops(struct exporter *e, const struct flow *flow, struct row_labels *l)
{
	struct series_row *row;

	for (unsigned i = 0; i < flow->n_drops; i++) {
		l->values[LABEL_REASON] = flow->drops[i].reason;
		row = find_row(e, flow, SERIES_DROPS, l);
		if (row)
			row->values[VALUE_DROPS] += flow->drops[i].count;
	}
}

/* Fragments without ports and sums of flows are no connections. */
static void count_connection(struct exporter *e, const struct flow *flow)
{
	if (flow->fragment || flow->other)
		return;
	e->seen[flow->role][flow->protocol] = true;
	if (flow->protocol == IPPROTO_TCP)
		e->now.tcp[flow->role][flow->tcp.state]++;
	else
		e->now.other[flow->role][flow->protocol]++;
}

static void add_flow(struct exporter *e, const struct flow *flow)
{
	const bool tcp = flow->protocol == IPPROTO_TCP;
	struct series_row *row;
	struct row_labels l;

	count_connection(e, flow);
	label_flow(e, flow, &l);
	row = find_row(e, flow, tcp ? SERIES_TCP_PAIR : SERIES_PAIR, &l);
	if (row)
		row_add_traffic(row, flow);
	if (row && tcp)
		row_add_tcp(row, &flow->tcp, e->step);
	add_drops(e, flow, &l);
}

static void prometheus_record(struct exporter *e, const struct record *record)
{
	if (!e->http)
		return;
	if (record->kind == RECORD_FLOW) {
		add_flow(e, &record->flow);
	} else if (record->kind == RECORD_UNTRACKED) {
		const struct flow_untracked *u = &record->untracked;

		flow_count_add(&e->untracked[u->role][u->reason][0], &u->tx);
		flow_count_add(&e->untracked[u->role][u->reason][1], &u->rx);
	}
}

static void prometheus_step_end(struct exporter *e)
{
	if (!e->http)
		return;
	e->last = e->now;
	e->now = (struct connections){ 0 };
	e->step++;
	e->overflowed_last = e->overflowed - e->overflowed_before;
	e->overflowed_before = e->overflowed;
	series_step(e->series, now_ns(CLOCK_MONOTONIC));
}

/* --- what is told beside the rows ------------------------------------------------------------ */

static bool is_active(enum tcp_state state)
{
	return state == TCP_STATE_UNKNOWN || state == TCP_STATE_CONNECTING ||
	       state == TCP_STATE_ESTABLISHED || state == TCP_STATE_CLOSING;
}

static uint32_t tell_tcp(const struct exporter *e, enum flow_role role, struct metric_sink *sink)
{
	const char *labels[] = { flow_role_name(role), "tcp", NULL };
	uint32_t active = 0, n;

	for (enum tcp_state state = 0; state < TCP_STATE_MAX_; state++) {
		n = e->last.tcp[role][state];
		labels[2] = tcp_state_name(state);
		metric_emit(sink, METRIC_CONNECTION_TRACKING_INFO, labels, n);
		if (is_active(state))
			active += n;
	}
	return active;
}

static void tell_connections(const struct exporter *e, enum flow_role role, uint8_t protocol,
			     struct metric_sink *sink)
{
	char buf[4];
	const char *labels[] = { flow_role_name(role), protocol_name(protocol, buf), "" };
	uint32_t active = e->last.other[role][protocol];

	if (protocol == IPPROTO_TCP)
		active = tell_tcp(e, role, sink);
	else
		metric_emit(sink, METRIC_CONNECTION_TRACKING_INFO, labels, active);
	metric_emit(sink, METRIC_ACTIVE_CONNECTIONS, labels, active);
}

static void tell_untracked(const struct exporter *e, enum flow_role role,
			   enum untracked_reason reason, struct metric_sink *sink)
{
	const char *labels[] = { "tx", flow_role_name(role), untracked_reason_name(reason) };
	const struct flow_count *counts = e->untracked[role][reason];

	if (counts[0].skbs + counts[1].skbs == 0)
		return;
	for (unsigned rx = 0; rx < 2; rx++) {
		labels[0] = rx ? "rx" : "tx";
		metric_emit(sink, METRIC_UNTRACKED_BYTES, labels, (double)counts[rx].bytes_wire);
		metric_emit(sink, METRIC_UNTRACKED_PACKETS, labels, (double)counts[rx].packets);
	}
}

static void prometheus_metrics(const struct exporter *e, struct metric_sink *sink)
{
	if (!e->http)
		return;
	for (enum flow_role role = 0; role < FLOW_ROLE_MAX_; role++) {
		for (unsigned protocol = 0; protocol < 256; protocol++)
			if (e->seen[role][protocol])
				tell_connections(e, role, (uint8_t)protocol, sink);
		for (enum untracked_reason reason = 0; reason < UNTRACKED_REASON_MAX_; reason++)
			tell_untracked(e, role, reason, sink);
	}
	metric_emit(sink, METRIC_SERIES_OVERFLOW, (const char *[]){ "prometheus" },
		    (double)e->overflowed);
}

/* --- the exporter ---------------------------------------------------------------------------- */

static size_t read_page(void *body, char *buf, size_t size)
{
	return scrape_read(body, buf, size);
}

static void free_page(void *body)
{
	scrape_free(body);
}

static int answer_metrics(void *userdata, const struct http_request *request,
			  struct http_response *response)
{
	enum prometheus_format format = accept_format(request->accept);
	struct exporter *e = userdata;
	struct scrape *scrape;
	int r;

	r = scrape_new(e->env, e->series, format, &scrape);
	if (r < 0)
		return r;
	response->content_type = prometheus_content_type(format);
	response->body = scrape;
	response->read = read_page;
	response->free_body = free_page;
	return 0;
}

static const struct http_route routes[] = {
	{ "/metrics", "metrics as Prometheus text or OpenMetrics (see Accept)", answer_metrics },
	{ 0 },
};

static void prometheus_stop(struct exporter *e)
{
	if (!e)
		return;
	http_free(e->http); /* first: pages that are being sent read the rows */
	series_free(e->series);
	free(e);
}

static int prometheus_start(const struct export_env *env, const void *options,
			    struct exporter **ret)
{
	struct exporter *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->env = env;
	e->options = options;
	e->step = 1; /* 0 is the mark of a row that never had a round trip time */
	r = series_new((size_t)e->options->max_series, e->options->ttl, &e->series);
	/* A port that cannot be had costs this endpoint only: status() says why. */
	if (r >= 0 && e->options->listen[0] != '\0')
		r = http_new(env->event, e->options->listen, routes, e, &e->http);
	if (r < 0) {
		prometheus_stop(e);
		return r;
	}
	*ret = e;
	return 0;
}

static void prometheus_status(const struct exporter *e, struct part_status *ret)
{
	struct series_figures figures;

	*ret = (struct part_status){ .name = "prometheus", .state = PART_ON };
	if (!e->http) {
		part_switch_off(ret, "exporters.prometheus.listen is empty");
		return;
	}
	if (http_error(e->http))
		part_degrade(ret, PART_OFF, "exporters.prometheus.listen: %s", http_error(e->http));
	series_figures(e->series, &figures);
	if (e->overflowed_last > 0)
		part_degrade(ret, PART_DEGRADED,
			     "%llu flows of the last interval are only in the overflow series: "
			     "%zu of max_series (%lld) are in use; raise "
			     "exporters.prometheus.max_series",
			     (unsigned long long)e->overflowed_last, figures.n_series,
			     (long long)e->options->max_series);
}

static void prometheus_losses(const struct exporter *e,
			      void (*fn)(void *userdata, const struct loss *loss), void *userdata)
{
	const struct loss losses[] = {
		{ "prometheus.no_memory", e->no_memory },
		{ "prometheus.refused", e->http ? http_refused(e->http) : 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(losses); i++)
		fn(userdata, &losses[i]);
}

#define FIELD(name) offsetof(struct prometheus_options, name)

static const struct option options[] = {
	{ "listen", OPTION_STRING, FIELD(listen), .value = "127.0.0.1:9909",
	  .help = "address and port of /metrics; empty turns it off", .check = listen_check },
	{ "max_series", OPTION_INT, FIELD(max_series), 0, 1000000, .value = "20000",
	  .help = "most time series of flows; what is over goes to the overflow series" },
	{ "ttl", OPTION_DURATION, FIELD(ttl), NSEC_PER_SEC, 86400 * NSEC_PER_SEC, .value = "5m",
	  .help = "a series without new data goes after this time" },
	{ NULL },
};

static const struct option_group options_group = {
	.prefix = "exporters.prometheus",
	.size = sizeof(struct prometheus_options),
	.options = options,
};

const struct export_ops export_prometheus = {
	.name = "prometheus",
	.options = &options_group,
	.start = prometheus_start,
	.record = prometheus_record,
	.step_end = prometheus_step_end,
	.stop = prometheus_stop,
	.status = prometheus_status,
	.metrics = prometheus_metrics,
	.losses = prometheus_losses,
};
