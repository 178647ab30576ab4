/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io.ebpfobs.Flows. A question goes three ways: its parameters become a query, the collectors are
 * drained (so that the answer holds everything up to now), and the store's rows are sent on in
 * batches, as fast as the client reads. What is no flow goes with the last reply.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/timestamp.h"
#include "base/util.h"
#include "control/control-internal.h"
#include "control/flow-json.h"
#include "control/query.h"

#define BATCH_ROWS 64
#define SINGLE_REPLY_ROWS 100 /* without "more" */

static const char description[] =
	"# Who talked to whom, and how much\n"
	"interface io.ebpfobs.Flows\n"
	"\n"
	"# Values within a key OR, keys AND. Names may end in * for any ending; cgroup is a path\n"
	"# (with all that is below it) or an id; peer an address or a prefix\n"
	"type Filter (\n"
	"  unit: ?[]string,\n"
	"  container: ?[]string,\n"
	"  pod: ?[]string,\n"
	"  namespace: ?[]string,\n"
	"  process: ?[]string,\n"
	"  pid: ?[]int,\n"
	"  cgroup: ?[]string,\n"
	"  port: ?[]int,\n"
	"  peer: ?[]string,\n"
	"  protocol: ?[]string,\n"
	"  role: ?[]string,\n"
	"  external: ?bool\n"
	")\n"
	"\n"
	"# skbs and bytes as TC sees them, link header included; packets and bytes_wire with GSO "
	"and\n"
	"# GRO undone\n"
	"type Count (skbs: int, bytes: int, packets: int, bytes_wire: int)\n"
	"\n"
	"type Counts (tx: Count, rx: Count)\n"
	"\n"
	"type Workload (kind: string, name: string, namespace: string, id: string)\n"
	"\n"
	"type Process (pid: int, comm: string)\n"
	"\n"
	"type End (\n"
	"  address: string,\n"
	"  port: int,\n"
	"  workload: ?Workload,\n"
	"  process: ?Process,\n"
	"  external: bool\n"
	")\n"
	"\n"
	"type Tcp (rtt_us: ?int, retransmits: int, resets: int, flags: []string, state: string)\n"
	"\n"
	"# role: wire, veth, tunnel, bridge, loopback. side: client, server, unknown, none.\n"
	"# unowned: why no process owns the local end. drops: by the kernel's reason. other: the\n"
	"# exact sum of rows that were thinned out\n"
	"type Flow (\n"
	"  proto: string,\n"
	"  role: string,\n"
	"  netns: int,\n"
	"  side: string,\n"
	"  local: ?End,\n"
	"  peer: ?End,\n"
	"  tx: Count,\n"
	"  rx: Count,\n"
	"  unowned: ?string,\n"
	"  tcp: ?Tcp,\n"
	"  drops: [string]int,\n"
	"  fragment: bool,\n"
	"  inner: bool,\n"
	"  other: bool\n"
	")\n"
	"\n"
	"# reason: not_ip, protocol, malformed, map_full, filtered\n"
	"type Untracked (netns: int, role: string, reason: string, tx: Count, rx: Count)\n"
	"\n"
	"# counted + duplicate + before_attach = the interface's own counters\n"
	"type Interface (\n"
	"  name: string,\n"
	"  ifindex: int,\n"
	"  netns: int,\n"
	"  role: string,\n"
	"  removed: bool,\n"
	"  exact: bool,\n"
	"  counted: Counts,\n"
	"  duplicate: Counts,\n"
	"  before_attach: Counts\n"
	")\n"
	"\n"
	"# covered: what of the range there are data for; null if nothing\n"
	"type Range (\n"
	"  since: string,\n"
	"  until: string,\n"
	"  covered_since: ?string,\n"
	"  covered_until: ?string\n"
	")\n"
	"\n"
	"# The largest first. Times as RFC 3339, \"10m ago\" or \"@EPOCH\"; without them the last "
	"minute.\n"
	"# Called with more, the rows come in several replies; without, at most 100 come. All "
	"but\n"
	"# flows is in the last reply. left_out: rows that limit kept back. exact: false if old "
	"rows\n"
	"# were thinned out\n"
	"method List(since: ?string, until: ?string, filter: ?Filter, limit: ?int) -> (\n"
	"  flows: []Flow,\n"
	"  untracked: ?[string]Counts,\n"
	"  untracked_by: ?[]Untracked,\n"
	"  interfaces: ?[]Interface,\n"
	"  loss: ?[string]int,\n"
	"  exact: ?bool,\n"
	"  range: ?Range,\n"
	"  left_out: ?int\n"
	")\n"
	"\n"
	"error Failed (message: string)\n";

/* A question on its way. */
struct list {
	struct control *control;
	struct varlink_call *call; /* NULL: the client is gone, only the drain is waited for */
	struct store_query query;
	struct store_cursor *cursor; /* NULL: not asked yet, or answered */
	bool paused;
	size_t n_batch; /* rows gathered since the last reply, in these three */
	struct json_object *flows, *interfaces, *untracked_by;
	struct flow_count untracked_tx[FLOW_ROLE_MAX_], untracked_rx[FLOW_ROLE_MAX_];
	int r; /* the first failure */
};

static struct list *list_free(struct list *list)
{
	if (!list)
		return NULL;
	if (list->control)
		list->control->n_queries--;
	filter_done(&list->query.filter);
	json_object_put(list->flows);
	json_object_put(list->interfaces);
	json_object_put(list->untracked_by);
	free(list);
	return NULL;
}
DEFINE_CLEANUP(struct list *, list_free)

/* Moves a list into out, if there is something in it or all lists are wanted. */
static void take_list(struct list *list, struct json_object *out, const char *key,
		      struct json_object **rows, bool always)
{
	if (!always && json_object_array_length(*rows) == 0)
		return;
	if (json_add(out, key, TAKE(*rows)) < 0)
		list->r = -ENOMEM;
	*rows = json_object_new_array();
	if (!*rows)
		list->r = -ENOMEM;
}

/* What was gathered since the last reply. */
static struct json_object *take_batch(struct list *list, bool last)
{
	struct json_object *out = json_object_new_object();

	list->n_batch = 0;
	take_list(list, out, "flows", &list->flows, true);
	take_list(list, out, "untracked_by", &list->untracked_by, last);
	take_list(list, out, "interfaces", &list->interfaces, last);
	return out;
}

static void send_batch(struct list *list)
{
	varlink_notify(list->call, take_batch(list, false));
	if (varlink_call_full(list->call) && !list->paused) {
		list->paused = true;
		store_query_pause(list->cursor, true);
	}
}

static void on_writable(struct varlink_call *call, void *userdata)
{
	struct list *list = userdata;

	if (!list->paused)
		return;
	list->paused = false;
	store_query_pause(list->cursor, false);
}

static void add_untracked(struct list *list, const struct flow_untracked *untracked)
{
	flow_count_add(&list->untracked_tx[untracked->role], &untracked->tx);
	flow_count_add(&list->untracked_rx[untracked->role], &untracked->rx);
	list->r = json_append(list->untracked_by, control_untracked_json(untracked));
}

static void on_row(void *userdata, const struct record *record)
{
	struct list *list = userdata;

	if (list->r < 0)
		return; /* the answer will be that */
	switch (record->kind) {
	case RECORD_FLOW:
		list->r = json_append(list->flows, json_as_text(control_flow_json(&record->flow)));
		break;
	case RECORD_UNTRACKED:
		add_untracked(list, &record->untracked);
		break;
	case RECORD_INTERFACE:
		list->r = json_append(list->interfaces, control_interface_json(&record->interface));
		break;
	case RECORD_SAMPLE: /* not asked for */
	case RECORD_SAMPLE_LOSS:
	case RECORD_KIND_MAX_:
		break;
	}
	if (++list->n_batch >= BATCH_ROWS && varlink_call_wants_more(list->call))
		send_batch(list);
}

static struct json_object *untracked_json(const struct list *list)
{
	struct json_object *out = json_object_new_object();

	for (enum flow_role role = 0; role < FLOW_ROLE_MAX_; role++)
		if (json_add(out, flow_role_name(role),
			     control_counts_json(&list->untracked_tx[role],
						 &list->untracked_rx[role])) < 0) {
			json_object_put(out);
			return NULL;
		}
	return out;
}

static int add_time(struct json_object *out, const char *key, uint64_t ns)
{
	char buf[TIMESTAMP_LEN];

	return json_add_string(out, key, ns ? timestamp_format(ns, buf) : NULL);
}

static struct json_object *range_json(const struct list *list, const struct store_summary *summary)
{
	struct json_object *out = json_object_new_object();
	int r = add_time(out, "since", list->query.range.since_ns)
			?: add_time(out, "until", list->query.range.until_ns)
			?: add_time(out, "covered_since", summary->covered_since_ns)
			?: add_time(out, "covered_until", summary->covered_until_ns);

	if (r == 0)
		return out;
	json_object_put(out);
	return NULL;
}

static void add_loss(void *cookie, const struct loss *loss)
{
	json_add_u64(cookie, loss->site, loss->count);
}

static struct json_object *losses_json(const struct control *control)
{
	struct json_object *out = json_object_new_object();

	if (out)
		control->ops->losses(control->userdata, add_loss, out);
	return out;
}

static void send_last(struct list *list, const struct store_summary *summary)
{
	struct json_object *out = take_batch(list, true);
	int r = list->r ?: json_add(out, "untracked", untracked_json(list))
			?: json_add(out, "loss", losses_json(list->control))
			?: json_add_bool(out, "exact", summary->exact)
			?: json_add(out, "range", range_json(list, summary))
			?: json_add_u64(out, "left_out", summary->rows_left_out);

	if (r == 0) {
		varlink_reply(list->call, out);
	} else {
		json_object_put(out);
		varlink_error_message(list->call, "Failed", strerror(-r));
	}
}

static void refuse_busy(struct control *control, struct varlink_call *call)
{
	control->queries_refused++;
	varlink_error_message(call, "Failed",
			      "Too many questions are being answered, or others hold the memory "
			      "for answers (a share of memory.limit); ask again later.");
}

static void on_end(void *userdata, int r, const struct store_summary *summary)
{
	_cleanup_(list_free_p) struct list *list = userdata;

	if (r == -EBUSY)
		refuse_busy(list->control, list->call);
	else if (r < 0)
		varlink_error_message(list->call, "Failed", strerror(-r));
	else
		send_last(list, summary);
}

static void on_flushed(void *cookie, int r)
{
	_cleanup_(list_free_p) struct list *list = cookie;

	if (!list->call)
		return;
	/* A drain that failed is a loss, which the answer names; what is stored is still true. */
	r = store_query(list->control->store, &list->query, on_row, on_end, list, &list->cursor);
	if (r == -EBUSY)
		refuse_busy(list->control, list->call);
	else if (r < 0)
		varlink_error_message(list->call, "Failed", strerror(-r));
	else
		TAKE(list);
}

static void on_cancel(struct varlink_call *call, void *userdata)
{
	struct list *list = userdata;

	if (list->cursor) {
		store_query_cancel(list->cursor);
		list_free(list);
		return;
	}
	/* on_flushed() is still to come, perhaps after the control room is gone. */
	list->control->n_queries--;
	list->control = NULL;
	list->call = NULL;
}

static int list_new(struct varlink_call *call, struct list **ret)
{
	_cleanup_(list_free_p) struct list *list = calloc(1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	list->control = control_of(call);
	list->control->n_queries++;
	list->call = call;
	list->flows = json_object_new_array();
	list->interfaces = json_object_new_array();
	list->untracked_by = json_object_new_array();
	if (!list->flows || !list->interfaces || !list->untracked_by)
		return -ENOMEM;
	*ret = TAKE(list);
	return 0;
}

static void start(struct list *list)
{
	const struct control *control = list->control;
	size_t *limit = &list->query.limit;
	int r;

	if (!varlink_call_wants_more(list->call) && (*limit == 0 || *limit > SINGLE_REPLY_ROWS))
		*limit = SINGLE_REPLY_ROWS;
	varlink_call_watch(list->call, &(struct varlink_call_watch){ .cancel = on_cancel,
								     .writable = on_writable,
								     .userdata = list });
	r = control->ops->flush(control->userdata, on_flushed, list);
	if (r < 0)
		on_flushed(list, r);
}

static void handle_list(struct varlink_call *call, struct json_object *in)
{
	struct control *control = control_of(call);
	_cleanup_(list_free_p) struct list *list = NULL;
	struct control_query_error error;
	int r;

	/* Drains cost too, so those that wait for one count like those that the store answers. */
	if (control->n_queries >= STORE_QUERIES_MAX) {
		refuse_busy(control, call);
		return;
	}
	r = list_new(call, &list);
	if (r < 0) {
		varlink_error_message(call, "Failed", strerror(-r));
		return;
	}
	list->query.kinds = 1U << RECORD_FLOW | 1U << RECORD_UNTRACKED | 1U << RECORD_INTERFACE;
	r = control_query_parse(in, &list->query, &error);
	if (r < 0)
		varlink_error_parameter(call, error.parameter, error.reason);
	else
		start(TAKE(list));
}

static const struct varlink_method methods[] = {
	{ .name = "List", .handle = handle_list, .in = control_query_fields },
	{},
};

const struct varlink_interface control_flows_interface = {
	.name = "io.ebpfobs.Flows",
	.description = description,
	.methods = methods,
};
