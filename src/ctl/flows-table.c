/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One line per flow: the local workload and process, an arrow from the client to the server, the
 * peer, how much, how well. Below it, what is in no line.
 */
#include "ctl/flows-table.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "base/util.h"
#include "ctl/footer.h"
#include "ctl/value.h"
#include "ctl/verb.h"
#include "render/human.h"

static const struct text_table_column columns[] = {
	{ .title = "LOCAL", .min = 14, .keep_port = true },
	{ .title = "PROCESS", .min = 8 },
	{ .title = "" }, /* the arrow */
	{ .title = "PEER", .min = 14, .keep_port = true },
	{ .title = "PROTO" },
	{ .title = "ROLE", .drop = 3 },
	{ .title = "NETNS", .drop = 9, .optional = true },
	{ .title = "SENT", .right = true },
	{ .title = "RECEIVED", .right = true },
	{ .title = "RATE", .right = true, .drop = 6 },
	{ .title = "RTT", .right = true, .drop = 4, .optional = true },
	{ .title = "RETR", .right = true, .drop = 5, .optional = true },
	{ .title = "DROPS", .drop = 7, .min = 8, .optional = true },
	{ .title = "STATE", .drop = 2, .optional = true },
};

#define NAME_LEN 320

/* "nginx.service:443", "shop/cart:8080", "10.0.0.7:40000", "[fe80::1]:22" */
static const char *end_text(struct json_object *end, char buf[static NAME_LEN])
{
	const char *name = value_text(end, "workload.name");
	const char *space = value_text(end, "workload.namespace");
	const char *address = value_text(end, "address");
	uint64_t port = value_u64(end, "port");
	bool brackets = !*name && port > 0 && strchr(address, ':');
	int n;

	if (*name)
		n = snprintf(buf, NAME_LEN, "%s%s%s", space, *space ? "/" : "", name);
	else
		n = snprintf(buf, NAME_LEN, "%s%s%s", brackets ? "[" : "", address,
			     brackets ? "]" : "");
	if (port > 0 && n < NAME_LEN)
		snprintf(buf + n, (size_t)(NAME_LEN - n), ":%" PRIu64, port);
	return buf;
}

static const char *arrow(const struct ctl *ctl, const char *side)
{
	if (streq(side, "client"))
		return ctl->look.utf8 ? "→" : "->";
	if (streq(side, "server"))
		return ctl->look.utf8 ? "←" : "<-";
	return ctl->look.utf8 ? "↔" : "--";
}

static int add_process(struct text_table *table, struct json_object *flow)
{
	const char *unowned = value_text(flow, "unowned");

	if (value_at(flow, "local.process"))
		return text_table_cell(table, STYLE_PLAIN, "%s[%" PRIu64 "]",
				       value_text(flow, "local.process.comm"),
				       value_u64(flow, "local.process.pid"));
	return text_table_cell(table, STYLE_FAINT, *unowned ? "(%s)" : "%s", unowned);
}

static int add_ends(const struct ctl *ctl, struct text_table *table, struct json_object *flow)
{
	bool external = value_bool(flow, "peer.external");
	char local[NAME_LEN], peer[NAME_LEN];

	if (value_bool(flow, "other"))
		return text_table_cell(table, STYLE_FAINT, "(other)")
			?: text_table_cell(table, STYLE_PLAIN, "%s", "")
			?: text_table_cell(table, STYLE_PLAIN, "%s", "")
			?: text_table_cell(table, STYLE_FAINT, "(other)");
	return text_table_cell(table, STYLE_PLAIN, "%s", end_text(value_at(flow, "local"), local))
		?: add_process(table, flow)
		?: text_table_cell(table, STYLE_PLAIN, "%s", arrow(ctl, value_text(flow, "side")))
		?: text_table_cell(table, external ? STYLE_WARN : STYLE_PLAIN, "%s",
			      end_text(value_at(flow, "peer"), peer));
}

static int add_counts(struct text_table *table, struct json_object *flow, double seconds)
{
	uint64_t sent = value_u64(flow, "tx.bytes"), received = value_u64(flow, "rx.bytes");
	char a[HUMAN_LEN], b[HUMAN_LEN], c[HUMAN_LEN];

	return text_table_cell(table, STYLE_PLAIN, "%s", human_bytes(sent, a))
		?: text_table_cell(table, STYLE_PLAIN, "%s", human_bytes(received, b))
		?: text_table_cell(table, STYLE_PLAIN, "%s",
			      seconds > 0 ?
				      human_rate((double)(sent + received) / seconds, c) :
				      "");
}

static enum text_style state_style(const char *state)
{
	if (streq(state, "refused") || streq(state, "failed") || streq(state, "reset"))
		return STYLE_BAD;
	return STYLE_PLAIN;
}

static int add_drops(struct text_table *table, struct json_object *flow)
{
	struct json_object *drops = value_at(flow, "drops");
	char text[NAME_LEN] = "";
	size_t n = 0;

	if (json_object_is_type(drops, json_type_object)) {
		json_object_object_foreach(drops, reason, count)
		{
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %" PRId64,
					      n > 0 ? ", " : "", reason,
					      json_object_get_int64(count));
			if (n >= sizeof(text))
				break;
		}
	}
	return text_table_cell(table, STYLE_BAD, "%s", text);
}

static int add_health(struct text_table *table, struct json_object *flow)
{
	uint64_t rtt = value_u64(flow, "tcp.rtt_us"), retransmits;
	const char *state = value_text(flow, "tcp.state");
	char latency[HUMAN_LEN], number[HUMAN_LEN];

	retransmits = value_u64(flow, "tcp.retransmits");
	return text_table_cell(table, STYLE_PLAIN, "%s", rtt > 0 ? human_latency(rtt, latency) : "")
		?: text_table_cell(table, STYLE_WARN, "%s",
			      retransmits > 0 ? human_number(retransmits, number) : "")
		?: add_drops(table, flow)
		?: text_table_cell(table, state_style(state), "%s", state);
}

/* Inode numbers say nothing to a person, so only where there is more than one. */
static bool has_several_netns(struct json_object *rows)
{
	size_t n = json_object_array_length(rows);

	for (size_t i = 1; i < n; i++)
		if (value_u64(json_object_array_get_idx(rows, i), "netns") !=
		    value_u64(json_object_array_get_idx(rows, 0), "netns"))
			return true;
	return false;
}

static int add_row(const struct ctl *ctl, struct text_table *table, struct json_object *flow,
		   bool show_netns, double seconds)
{
	return add_ends(ctl, table, flow)
		?: text_table_cell(table, STYLE_PLAIN, "%s", value_text(flow, "proto"))
		?: text_table_cell(table, STYLE_PLAIN, "%s", value_text(flow, "role"))
		?: text_table_cell(table, STYLE_FAINT, "%s",
			      show_netns ? value_text(flow, "netns") : "")
		?: add_counts(table, flow, seconds)
		?: add_health(table, flow);
}

/* Seconds that there are data for; 0: none. */
static double covered_seconds(struct json_object *range)
{
	uint64_t since = 0, until = 0;

	if (timestamp_parse(value_text(range, "covered_since"), 0, &since) < 0 ||
	    timestamp_parse(value_text(range, "covered_until"), 0, &until) < 0 || until <= since)
		return 0;
	return (double)(until - since) / (double)NSEC_PER_SEC;
}

/* "In no flow: wire not_ip 4.1 KiB, veth map_full 30 MiB." */
static void print_untracked(struct ctl *ctl, struct json_object *last)
{
	struct json_object *list = value_at(last, "untracked_by"), *u;
	char bytes[HUMAN_LEN];
	bool any = false;

	for (size_t i = 0; i < value_length(last, "untracked_by"); i++) {
		uint64_t sum;

		u = json_object_array_get_idx(list, i);
		sum = value_u64(u, "tx.bytes") + value_u64(u, "rx.bytes");
		if (sum == 0)
			continue;
		fprintf(ctl->out, "%s%s %s %s", any ? ", " : "In no flow: ", value_text(u, "role"),
			value_text(u, "reason"), human_bytes(sum, bytes));
		any = true;
	}
	if (any)
		fputs(".\n", ctl->out);
}

static void print_inexact(struct ctl *ctl, struct json_object *last)
{
	struct json_object *list = value_at(last, "interfaces"), *interface;
	size_t n = 0;

	for (size_t i = 0; i < value_length(last, "interfaces"); i++) {
		interface = json_object_array_get_idx(list, i);
		if (!value_bool(interface, "exact"))
			n++;
	}
	if (n > 0)
		fprintf(ctl->out,
			"Of %zu interfaces it is not exactly known what passed before they were "
			"watched.\n",
			n);
}

static void print_footer(struct ctl *ctl, size_t rows, struct json_object *last)
{
	uint64_t left_out = value_u64(last, "left_out");

	fprintf(ctl->out, "\n%zu flows. ", rows);
	if (left_out > 0)
		fprintf(ctl->out, "%" PRIu64 " smaller ones are left out (--limit 0 shows all). ",
			left_out);
	footer_range(ctl, value_at(last, "range"), value_bool(last, "exact"));
	print_untracked(ctl, last);
	print_inexact(ctl, last);
	footer_losses(ctl, value_at(last, "loss"));
}

int flows_print_table(struct ctl *ctl, struct json_object *rows, struct json_object *last)
{
	_cleanup_(text_table_free_p) struct text_table *table = NULL;
	double seconds = covered_seconds(value_at(last, "range"));
	bool show_netns = has_several_netns(rows);
	size_t n = json_object_array_length(rows);
	int r = text_table_new(columns, ARRAY_SIZE(columns), &table);

	for (size_t i = 0; i < n && r == 0; i++)
		r = add_row(ctl, table, json_object_array_get_idx(rows, i), show_netns, seconds);
	if (r < 0)
		return ctl_no_memory();
	text_table_print(table, &ctl->look, ctl->out);
	print_footer(ctl, n, last);
	return EXIT_OK;
}
