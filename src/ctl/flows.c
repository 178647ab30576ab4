/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ebpfobsctl flows: who talked to whom. Each row goes to the output as it comes, so that an answer
 * of 100,000 rows is only ever held as text.
 */
#include "base/json.h"
#include "base/util.h"
#include "ctl/ctl.h"
#include "ctl/flows-table.h"
#include "ctl/value.h"
#include "ctl/verb.h"

#define TERMINAL_ROWS 50 /* shown when nobody asked for more */
#define WATCH_OTHER_LINES 8 /* of the screen: title, footer */

/* The columns that CSV always has; reasons of drops follow where there are any. */
static const char *const csv_columns[] = {
	"proto",
	"role",
	"netns",
	"side",
	"local.address",
	"local.port",
	"local.workload.kind",
	"local.workload.name",
	"local.workload.namespace",
	"local.workload.id",
	"local.process.pid",
	"local.process.comm",
	"local.external",
	"peer.address",
	"peer.port",
	"peer.workload.kind",
	"peer.workload.name",
	"peer.workload.namespace",
	"peer.workload.id",
	"peer.process.pid",
	"peer.process.comm",
	"peer.external",
	"tx.skbs",
	"tx.bytes",
	"tx.packets",
	"tx.bytes_wire",
	"rx.skbs",
	"rx.bytes",
	"rx.packets",
	"rx.bytes_wire",
	"unowned",
	"tcp.rtt_us",
	"tcp.retransmits",
	"tcp.resets",
	"tcp.flags",
	"tcp.state",
	"fragment",
	"inner",
	"other",
	NULL,
};

struct answer {
	struct ctl *ctl;
	struct flows_table *table; /* with CTL_TABLE */
	bool any; /* a row was written (JSON) */
	struct json_object *rest; /* all but flows, joined from all replies */
};

static const char *text_of(struct json_object *value)
{
	return json_object_to_json_string_ext(value, JSON_C_TO_STRING_SPACED |
							     JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* One row a line, so that an answer can be read and cut with line tools; with --watch the whole
 * answer is one line. */
static const char *line_end(const struct ctl *ctl)
{
	return ctl->watch ? " " : "\n";
}

static int take_row(struct answer *answer, struct json_object *row)
{
	struct ctl *ctl = answer->ctl;

	switch (ctl->format) {
	case CTL_TABLE:
		if (flows_table_add(answer->table, ctl, row) < 0)
			return ctl_no_memory();
		break;
	case CTL_CSV:
		if (csv_add(ctl->csv, row) < 0)
			return ctl_no_memory();
		break;
	case CTL_JSON:
		fprintf(ctl->out, "%s%s%s", answer->any ? "," : "", line_end(ctl), text_of(row));
		answer->any = true;
		break;
	}
	return EXIT_OK;
}

/* Joins a list with what came of it before; a member that is no list stands for itself. */
static int add_member(struct json_object *rest, const char *key, struct json_object *value)
{
	struct json_object *list = value_at(rest, key);
	int r = 0;

	if (!list)
		return json_add(rest, key, json_object_get(value));
	for (size_t i = 0; i < json_object_array_length(value) && r == 0; i++)
		r = json_append(list, json_object_get(json_object_array_get_idx(value, i)));
	return r;
}

static int take_rest(struct answer *answer, struct json_object *parameters)
{
	int r = 0;

	json_object_object_foreach(parameters, key, value)
	{
		if (!streq(key, "flows") && r == 0)
			r = add_member(answer->rest, key, value);
	}
	return r;
}

static void end_json(struct answer *answer)
{
	struct ctl *ctl = answer->ctl;

	fprintf(ctl->out, "%s]", line_end(ctl));
	json_object_object_foreach(answer->rest, key, value)
		fprintf(ctl->out, ",%s\"%s\": %s", line_end(ctl), key, text_of(value));
	fputs("}\n", ctl->out);
}

static int on_reply(void *userdata, struct json_object *parameters, bool last)
{
	struct json_object *flows = value_at(parameters, "flows");
	struct answer *answer = userdata;
	int status = EXIT_OK;

	for (size_t i = 0; i < value_length(parameters, "flows") && status == EXIT_OK; i++)
		status = take_row(answer, json_object_array_get_idx(flows, i));
	if (status != EXIT_OK)
		return status;
	if (take_rest(answer, parameters) < 0)
		return ctl_no_memory();
	if (!last)
		return EXIT_OK;
	if (answer->table && flows_table_print(answer->table, answer->ctl, answer->rest) < 0)
		return ctl_no_memory();
	if (answer->ctl->format == CTL_JSON)
		end_json(answer);
	return EXIT_OK;
}

/* On a terminal only as much as somebody can look at. */
static int64_t default_limit(const struct ctl *ctl)
{
	if (ctl->format != CTL_TABLE || ctl->look.width == 0)
		return 0;
	if (ctl->watch && ctl->height > 2 * WATCH_OTHER_LINES)
		return ctl->height - WATCH_OTHER_LINES;
	return TERMINAL_ROWS;
}

static int run_flows(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(flows_table_free_p) struct flows_table *table = NULL;
	_cleanup_json_ struct json_object *rest = json_object_new_object();
	struct answer answer = { .ctl = ctl, .rest = rest };
	struct json_object *in;

	if (argc > 1)
		return ctl_fail(EXIT_USAGE,
				"\"flows\" takes no arguments; filter with --unit, --peer, ...");
	if (ctl->limit < 0)
		ctl->limit = default_limit(ctl);
	if (ctl->format == CTL_TABLE && flows_table_new(&table) < 0)
		return ctl_no_memory();
	if (ctl->csv && csv_declare(ctl->csv, csv_columns) < 0)
		return ctl_no_memory();
	answer.table = table;
	in = ctl_query(ctl);
	if (!in)
		return EXIT_FAILED;
	if (ctl->format == CTL_JSON)
		fputs("{\"flows\": [", ctl->out);
	return ctl_call(ctl, "io.ebpfobs.Flows.List", in, true, on_reply, &answer);
}

const struct verb_ops verb_flows = {
	.name = "flows",
	.synopsis = "",
	.help = "who talks to whom, and how much",
	.takes = VERB_TAKES_RANGE | VERB_TAKES_FILTERS | VERB_TAKES_WATCH,
	.run = run_flows,
};
