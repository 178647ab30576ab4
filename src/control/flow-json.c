/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Model to JSON. The keys are a promise to scripts and do not move; what is not known is null and
 * never 0, so that nobody adds up what nobody measured.
 */
#include "control/flow-json.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/json.h"
#include "base/util.h"

/* object if all went well, else NULL. */
static struct json_object *finish(struct json_object *object, int r)
{
	if (r == 0)
		return object;
	json_object_put(object);
	return NULL;
}

static struct json_object *count_json(const struct flow_count *count)
{
	struct json_object *o = json_object_new_object();
	int r = json_add_u64(o, "skbs", count->skbs)
			?: json_add_u64(o, "bytes", count->bytes)
			?: json_add_u64(o, "packets", count->packets)
			?: json_add_u64(o, "bytes_wire", count->bytes_wire);

	return finish(o, r);
}

struct json_object *control_counts_json(const struct flow_count *tx, const struct flow_count *rx)
{
	struct json_object *o = json_object_new_object();
	int r = json_add(o, "tx", count_json(tx)) ?: json_add(o, "rx", count_json(rx));

	return finish(o, r);
}

static struct json_object *workload_json(const struct workload *w)
{
	struct json_object *o = json_object_new_object();
	int r = json_add_string(o, "kind", workload_kind_name(w->kind))
			?: json_add_string(o, "name", w->name)
			?: json_add_string(o, "namespace", w->namespace_)
			?: json_add_string(o, "id", w->id);

	return finish(o, r);
}

static struct json_object *process_json(const struct process_ref *process)
{
	struct json_object *o = json_object_new_object();
	int r = json_add_int(o, "pid", process->pid) ?: json_add_string(o, "comm", process->comm);

	return finish(o, r);
}

static struct json_object *endpoint_json(const struct endpoint *end)
{
	struct json_object *o = json_object_new_object();
	char address[IP_ADDRESS_STRLEN];
	int r = json_add_string(o, "address", ip_format(&end->address, address))
			?: json_add_int(o, "port", end->port);

	if (r == 0 && end->workload.kind != WORKLOAD_NONE)
		r = json_add(o, "workload", workload_json(&end->workload));
	else if (r == 0)
		r = json_add_null(o, "workload");
	if (r == 0 && end->process.pid != 0)
		r = json_add(o, "process", process_json(&end->process));
	else if (r == 0)
		r = json_add_null(o, "process");
	if (r == 0)
		r = json_add_bool(o, "external", end->external);
	return finish(o, r);
}

static struct json_object *tcp_flags_json(uint8_t flags)
{
	static const char *const names[] = {
		"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"
	};
	struct json_object *list = json_object_new_array();
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names) && r == 0; i++)
		if (flags & (1U << i))
			r = json_append(list, json_new_string(names[i]));
	return finish(list, r);
}

static struct json_object *tcp_json(const struct flow_tcp *tcp)
{
	struct json_object *o = json_object_new_object();
	int r = tcp->rtt_us ? json_add_u64(o, "rtt_us", tcp->rtt_us) : json_add_null(o, "rtt_us");

	r = r ?: json_add_u64(o, "retransmits", tcp->retransmits)
			?: json_add_u64(o, "resets", tcp->resets)
			?: json_add(o, "flags", tcp_flags_json(tcp->flags))
			?: json_add_string(o, "state", tcp_state_name(tcp->state));
	return finish(o, r);
}

static struct json_object *drops_json(const struct flow *flow)
{
	struct json_object *o = json_object_new_object();
	int r = 0;

	for (unsigned i = 0; i < flow->n_drops && r == 0; i++)
		r = json_add_u64(o, flow->drops[i].reason, flow->drops[i].count);
	return finish(o, r);
}

/* The row "other" is a sum: it has no ends and no connection. */
static int add_ends(struct json_object *o, const struct flow *flow)
{
	if (flow->other)
		return json_add_null(o, "local") ?: json_add_null(o, "peer");
	return json_add(o, "local", endpoint_json(&flow->local))
		       ?: json_add(o, "peer", endpoint_json(&flow->peer));
}

struct json_object *control_flow_json(const struct flow *flow)
{
	struct json_object *o = json_object_new_object();
	bool has_tcp = flow->protocol == IPPROTO_TCP && !flow->other;
	char number[4];
	int r = json_add_string(o, "proto", protocol_name(flow->protocol, number))
			?: json_add_string(o, "role", flow_role_name(flow->role))
			?: json_add_u64(o, "netns", flow->netns)
			?: json_add_string(o, "side", flow_side_name(flow->side))
			?: add_ends(o, flow)
			?: json_add(o, "tx", count_json(&flow->tx))
			?: json_add(o, "rx", count_json(&flow->rx))
			?: json_add_string(o, "unowned", flow_unowned_name(flow->unowned));

	if (r == 0 && has_tcp)
		r = json_add(o, "tcp", tcp_json(&flow->tcp));
	else if (r == 0)
		r = json_add_null(o, "tcp");
	r = r ?: json_add(o, "drops", drops_json(flow))
			?: json_add_bool(o, "fragment", flow->fragment)
			?: json_add_bool(o, "inner", flow->inner)
			?: json_add_bool(o, "other", flow->other);
	return finish(o, r);
}

struct json_object *control_interface_json(const struct flow_interface *i)
{
	struct json_object *o = json_object_new_object();
	int r = json_add_string(o, "name", i->name)
			?: json_add_u64(o, "ifindex", i->ifindex)
			?: json_add_u64(o, "netns", i->netns)
			?: json_add_string(o, "role", flow_role_name(i->role))
			?: json_add_bool(o, "removed", i->removed)
			?: json_add_bool(o, "exact", i->exact)
			?: json_add(o, "counted",
				    control_counts_json(&i->counted_tx, &i->counted_rx))
			?: json_add(o, "duplicate",
				    control_counts_json(&i->duplicate_tx, &i->duplicate_rx))
			?: json_add(o, "before_attach",
				    control_counts_json(&i->before_attach_tx,
							&i->before_attach_rx));

	return finish(o, r);
}

struct json_object *control_untracked_json(const struct flow_untracked *u)
{
	struct json_object *o = json_object_new_object();
	int r = json_add_u64(o, "netns", u->netns)
			?: json_add_string(o, "role", flow_role_name(u->role))
			?: json_add_string(o, "reason", untracked_reason_name(u->reason))
			?: json_add(o, "tx", count_json(&u->tx))
			?: json_add(o, "rx", count_json(&u->rx));

	return finish(o, r);
}
