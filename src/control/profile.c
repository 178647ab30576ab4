/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io.ebpfobs.Profile. As for flows, the collectors are drained and the store is asked; its rows go on in
 * batches, with numbers for the addresses in their stacks. What was numbered is given names then, and
 * those are in the last reply.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/util.h"
#include "control/control-internal.h"
#include "control/query.h"

#define BATCH_ROWS 64

static const char description[] =
	"# Where programs spend their time\n"
	"interface io.ebpfobs.Profile\n"
	"\n"
	"type Workload (kind: string, name: string, namespace: string, id: string)\n"
	"\n"
	"# stack: numbers of locations, innermost first; the first kernel_frames are the "
	"kernel's.\n"
	"# end: root, none or why the stack is not whole. other: the exact sum of rows that were\n"
	"# thinned out, without a stack\n"
	"type Sample (\n"
	"  pid: ?int,\n"
	"  comm: string,\n"
	"  thread: string,\n"
	"  workload: ?Workload,\n"
	"  end: string,\n"
	"  kernel_frames: int,\n"
	"  stack: []int,\n"
	"  count: int,\n"
	"  value: int,\n"
	"  other: bool\n"
	")\n"
	"\n"
	"# kind: unknown, file, vdso, kernel, anonymous\n"
	"type Code (kind: string, path: string, build_id: string)\n"
	"\n"
	"# code: number in codes. name: \"\" if none was found\n"
	"type Location (code: int, address: int, name: string)\n"
	"\n"
	"# Called with more, the samples come in several replies; the rest is in the last one\n"
	"method Get(since: ?string, until: ?string, filter: ?object, limit: ?int) -> (\n"
	"  samples: []Sample,\n"
	"  locations: ?[]Location,\n"
	"  codes: ?[]Code,\n"
	"  lost: ?int,\n"
	"  exact: ?bool,\n"
	"  since: ?int,\n"
	"  until: ?int,\n"
	"  left_out: ?int\n"
	")\n"
	"\n"
	"error Failed (message: string)\n";

static const char *const end_names[STACK_END_MAX_] = {
	[STACK_END_ROOT] = "root",
	[STACK_END_NONE] = "none",
	[STACK_END_PROCESS_UNKNOWN] = "process_unknown",
	[STACK_END_MAPPING_UNKNOWN] = "mapping_unknown",
	[STACK_END_NO_RULE] = "no_rule",
	[STACK_END_UNREADABLE] = "unreadable",
	[STACK_END_STUCK] = "stuck",
	[STACK_END_TOO_DEEP] = "too_deep",
	[STACK_END_COMPAT] = "compat",
};

static const char *const code_names[CODE_KIND_MAX_] = {
	[CODE_UNKNOWN] = "unknown", [CODE_FILE] = "file",	    [CODE_VDSO] = "vdso",
	[CODE_KERNEL] = "kernel",   [CODE_ANONYMOUS] = "anonymous",
};

/* A question on its way. */
struct get {
	struct control *control;
	struct varlink_call *call; /* NULL: the client is gone, only a job is waited for */
	struct store_query query;
	struct store_cursor *cursor; /* NULL: not asked yet, or answered */
	struct store_summary summary;
	bool paused;
	struct json_object *samples; /* since the last reply */
	struct naming *naming;
	uint64_t lost;
	int r; /* the first failure */
};

static struct get *get_free(struct get *get)
{
	if (!get)
		return NULL;
	if (get->control)
		get->control->n_queries--;
	filter_done(&get->query.filter);
	json_object_put(get->samples);
	naming_free(get->naming);
	free(get);
	return NULL;
}
DEFINE_CLEANUP(struct get *, get_free)

static void fail(struct get *get, int r)
{
	varlink_error_message(get->call, "Failed", strerror(-r));
}

/* --- rows ------------------------------------------------------------------------------------ */

static struct json_object *workload_json(const struct workload *w)
{
	struct json_object *out;
	int r;

	if (w->kind == WORKLOAD_NONE)
		return NULL;
	out = json_object_new_object();
	r = json_add_string(out, "kind", workload_kind_name(w->kind))
		    ?: json_add_string(out, "name", w->name)
		    ?: json_add_string(out, "namespace", w->namespace_)
		    ?: json_add_string(out, "id", w->id);
	if (r == 0)
		return out;
	json_object_put(out);
	return NULL;
}

static int add_stack(struct get *get, const struct sample *sample, struct json_object *out)
{
	struct json_object *stack = json_object_new_array();
	uint32_t number;
	int r = stack ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < sample->n && r == 0; i++) {
		r = naming_add(get->naming, sample->frames[i].code, sample->frames[i].address,
			       &number);
		if (r == 0)
			r = json_append(stack, json_object_new_int64(number));
	}
	if (r == 0)
		return json_add(out, "stack", stack);
	json_object_put(stack);
	return r;
}

static int add_sample(struct get *get, const struct sample *sample)
{
	struct json_object *out = json_object_new_object();
	int r = json_add_u64(out, "pid", (uint64_t)sample->process.pid)
			?: json_add_string(out, "comm", sample->process.comm)
			?: json_add_string(out, "thread", sample->thread)
			?: json_add_string(out, "end", end_names[sample->end])
			?: json_add_u64(out, "kernel_frames", sample->n_kernel)
			?: json_add_u64(out, "count", sample->count)
			?: json_add_u64(out, "value", sample->value)
			?: json_add_bool(out, "other", sample->other)
			?: add_stack(get, sample, out);

	if (r == 0 && sample->workload.kind != WORKLOAD_NONE)
		r = json_add(out, "workload", workload_json(&sample->workload));
	if (r == 0)
		return json_append(get->samples, json_as_text(out));
	json_object_put(out);
	return r;
}

static struct json_object *take_batch(struct get *get)
{
	struct json_object *out = json_object_new_object();

	if (json_add(out, "samples", TAKE(get->samples)) < 0)
		get->r = -ENOMEM;
	get->samples = json_object_new_array();
	if (!get->samples)
		get->r = -ENOMEM;
	return out;
}

static void on_row(void *userdata, const struct record *record)
{
	struct get *get = userdata;

	if (get->r < 0)
		return;
	if (record->kind == RECORD_SAMPLE_LOSS) {
		get->lost += record->loss.lost;
		return;
	}
	get->r = add_sample(get, &record->sample);
	if (json_object_array_length(get->samples) < BATCH_ROWS ||
	    !varlink_call_wants_more(get->call))
		return;
	varlink_notify(get->call, take_batch(get));
	if (varlink_call_full(get->call) && !get->paused) {
		get->paused = true;
		store_query_pause(get->cursor, true);
	}
}

static void on_writable(struct varlink_call *call, void *userdata)
{
	struct get *get = userdata;

	if (!get->paused)
		return;
	get->paused = false;
	store_query_pause(get->cursor, false);
}

/* --- the last reply -------------------------------------------------------------------------- */

static struct json_object *locations_json(const struct naming *naming)
{
	struct json_object *out = json_object_new_array();
	int r = out ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < naming_size(naming) && r == 0; i++) {
		const struct named_address *a = naming_at(naming, i);
		struct json_object *location = json_object_new_object();

		r = json_add_u64(location, "code", a->code)
			    ?: json_add_u64(location, "address", a->address)
			    ?: json_add_string(location, "name", naming_name(naming, i));
		r = r == 0 ? json_append(out, location) : (json_object_put(location), r);
	}
	return r == 0 ? out : (json_object_put(out), NULL);
}

static struct json_object *codes_json(const struct naming *naming)
{
	struct json_object *out = json_object_new_array();
	int r = out ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < naming_n_codes(naming) && r == 0; i++) {
		const struct code *c = naming_code(naming, i);
		bool is_elf = c->kind == CODE_FILE || c->kind == CODE_VDSO;
		struct json_object *code = json_object_new_object();
		char id[2 * CODE_ID_MAX + 1] = "";

		for (size_t b = 0; is_elf && b < c->id_size; b++)
			snprintf(id + 2 * b, 3, "%02x", c->id[b]);
		r = json_add_string(code, "kind", code_names[c->kind])
			    ?: json_add_string(code, "path", c->path)
			    ?: json_add_string(code, "build_id", id);
		r = r == 0 ? json_append(out, code) : (json_object_put(code), r);
	}
	return r == 0 ? out : (json_object_put(out), NULL);
}

static void on_named(void *cookie)
{
	_cleanup_(get_free_p) struct get *get = cookie;
	struct json_object *out;
	int r;

	if (!get->call)
		return;
	out = take_batch(get);
	r = get->r ?: json_add(out, "locations", locations_json(get->naming))
		?: json_add(out, "codes", codes_json(get->naming))
		?: json_add_u64(out, "lost", get->lost)
		?: json_add_bool(out, "exact", get->summary.exact)
		?: json_add_u64(out, "since", get->summary.covered_since_ns)
		?: json_add_u64(out, "until", get->summary.covered_until_ns)
		?: json_add_u64(out, "left_out", get->summary.rows_left_out);
	if (r == 0) {
		varlink_reply(get->call, out);
	} else {
		json_object_put(out);
		fail(get, r);
	}
}

static void on_end(void *userdata, int r, const struct store_summary *summary)
{
	_cleanup_(get_free_p) struct get *get = userdata;

	get->cursor = NULL;
	r = r < 0 ? r : get->r;
	if (r >= 0) {
		get->summary = *summary;
		r = get->control->ops->symbolize(get->control->userdata, get->naming, on_named,
						 get);
	}
	if (r < 0)
		fail(get, r);
	else
		TAKE(get);
}

static void on_flushed(void *cookie, int r)
{
	_cleanup_(get_free_p) struct get *get = cookie;

	if (!get->call)
		return;
	/* A drain that failed is a loss, which the answer names; what is stored is still true. */
	r = store_query(get->control->store, &get->query, on_row, on_end, get, &get->cursor);
	if (r < 0)
		fail(get, r);
	else
		TAKE(get);
}

static void on_cancel(struct varlink_call *call, void *userdata)
{
	struct get *get = userdata;

	if (get->cursor) {
		store_query_cancel(get->cursor);
		get_free(get);
		return;
	}
	/* on_flushed() or on_named() is still to come, perhaps after the control room is gone. */
	get->control->n_queries--;
	get->control = NULL;
	get->call = NULL;
}

static int get_new(struct varlink_call *call, struct get **ret)
{
	_cleanup_(get_free_p) struct get *get = calloc(1, sizeof(*get));
	int r;

	if (!get)
		return -ENOMEM;
	get->control = control_of(call);
	get->control->n_queries++;
	get->call = call;
	get->query.kinds = 1U << RECORD_SAMPLE | 1U << RECORD_SAMPLE_LOSS;
	get->query.folded = true;
	get->samples = json_object_new_array();
	r = get->samples ? naming_new(&get->naming) : -ENOMEM;
	if (r < 0)
		return r;
	*ret = TAKE(get);
	return 0;
}

static void handle_get(struct varlink_call *call, struct json_object *in)
{
	struct control *control = control_of(call);
	_cleanup_(get_free_p) struct get *get = NULL;
	struct control_query_error error;
	int r;

	if (control->n_queries >= STORE_QUERIES_MAX) {
		control->queries_refused++;
		varlink_error_message(call, "Failed",
				      "Too many questions are being answered; ask again later.");
		return;
	}
	r = get_new(call, &get);
	if (r < 0) {
		varlink_error_message(call, "Failed", strerror(-r));
		return;
	}
	r = control_query_parse(in, &get->query, &error);
	if (r < 0) {
		varlink_error_parameter(call, error.parameter, error.reason);
		return;
	}
	varlink_call_watch(call, &(struct varlink_call_watch){ .cancel = on_cancel,
							       .writable = on_writable,
							       .userdata = get });
	r = control->ops->flush(control->userdata, on_flushed, get);
	if (r < 0)
		on_flushed(get, r);
	TAKE(get);
}

static const struct varlink_method methods[] = {
	{ .name = "Get", .handle = handle_get, .in = control_query_fields },
	{},
};

const struct varlink_interface control_profile_interface = {
	.name = "io.ebpfobs.Profile",
	.description = description,
	.methods = methods,
};
