/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One line per flow: the local workload and process, an arrow from the client to the server, the
 * peer, how much, how well. Below it, what is in no line.
 */
#include "ctl/flows-table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/timestamp.h"
#include "base/util.h"
#include "ctl/footer.h"
#include "ctl/value.h"
#include "render/human.h"

enum { COLUMN_NETNS = 6, COLUMN_RATE = 9 };

static const struct text_table_column columns[] = {
	{ .title = "LOCAL", .min = 14, .keep_port = true },
	{ .title = "PROCESS", .min = 10 },
	{ .title = "" }, /* the arrow */
	{ .title = "PEER", .min = 20, .keep_port = true },
	{ .title = "PROTO" },
	{ .title = "ROLE", .drop = 3 },
	[COLUMN_NETNS] = { .title = "NETNS", .drop = 9 },
	{ .title = "SENT", .right = true },
	{ .title = "RECEIVED", .right = true },
	[COLUMN_RATE] = { .title = "RATE", .right = true, .drop = 6 },
	{ .title = "RTT", .right = true, .drop = 4, .optional = true },
	{ .title = "RETR", .right = true, .drop = 5, .optional = true },
	{ .title = "DROPS", .drop = 7, .min = 8, .optional = true },
	{ .title = "STATE", .drop = 2, .optional = true },
};

struct flows_table {
	struct text_table *text;
	uint64_t *bytes; /* of each row, for the rates */
	size_t allocated;
	uint64_t netns; /* of the last row */
	bool several_netns;
};

int flows_table_new(struct flows_table **ret)
{
	struct flows_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	if (text_table_new(columns, ARRAY_SIZE(columns), &table->text) < 0) {
		free(table);
		return -ENOMEM;
	}
	*ret = table;
	return 0;
}

struct flows_table *flows_table_free(struct flows_table *table)
{
	if (!table)
		return NULL;
	text_table_free(table->text);
	free(table->bytes);
	free(table);
	return NULL;
}

#define NAME_LEN 320

/* The name of the end's workload; "" if it has none to show. */
static const char *workload_name(struct json_object *end, bool local)
{
	/* A process in no unit or container stands in the column beside it. */
	if (local && streq(value_text(end, "workload.kind"), "process"))
		return "";
	return value_text(end, "workload.name");
}

/* "nginx.service:443", "shop/cart:8080", "10.0.0.7:40000", "[fe80::1]:22" */
static const char *end_text(struct json_object *end, bool local, char buf[static NAME_LEN])
{
	const char *name = workload_name(end, local);
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
	return text_table_cell(table, STYLE_PLAIN, "%s", end_text(value_at(flow, "local"), true, local))
		?: add_process(table, flow)
		?: text_table_cell(table, STYLE_PLAIN, "%s", arrow(ctl, value_text(flow, "side")))
		?: text_table_cell(table, external ? STYLE_WARN : STYLE_PLAIN, "%s",
			      end_text(value_at(flow, "peer"), false, peer));
}

static int add_counts(struct text_table *table, struct json_object *flow)
{
	char a[HUMAN_LEN], b[HUMAN_LEN];

	return text_table_cell(table, STYLE_PLAIN, "%s", human_bytes(value_u64(flow, "tx.bytes"), a))
		?: text_table_cell(table, STYLE_PLAIN, "%s",
				   human_bytes(value_u64(flow, "rx.bytes"), b))
		?: text_table_cell(table, STYLE_PLAIN, "%s", ""); /* the rate comes at the end */
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

/* What is needed of the row at the end. */
static int note_row(struct flows_table *table, struct json_object *flow)
{
	size_t n = text_table_rows(table->text);
	uint64_t netns = value_u64(flow, "netns"), *bytes;

	if (n == table->allocated) {
		bytes = reallocarray(table->bytes, 2 * n + 64, sizeof(*bytes));
		if (!bytes)
			return -ENOMEM;
		table->bytes = bytes;
		table->allocated = 2 * n + 64;
	}
	table->bytes[n] = value_u64(flow, "tx.bytes") + value_u64(flow, "rx.bytes");
	table->several_netns |= n > 0 && netns != table->netns;
	table->netns = netns;
	return 0;
}

int flows_table_add(struct flows_table *table, const struct ctl *ctl, struct json_object *flow)
{
	struct text_table *text = table->text;

	return note_row(table, flow)
		?: add_ends(ctl, text, flow)
		?: text_table_cell(text, STYLE_PLAIN, "%s", value_text(flow, "proto"))
		?: text_table_cell(text, STYLE_PLAIN, "%s", value_text(flow, "role"))
		?: text_table_cell(text, STYLE_FAINT, "%s", value_text(flow, "netns"))
		?: add_counts(text, flow)
		?: add_health(text, flow);
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

static bool same_cause(struct json_object *a, struct json_object *b)
{
	return streq(value_text(a, "role"), value_text(b, "role")) &&
	       streq(value_text(a, "reason"), value_text(b, "reason"));
}

/* The bytes of all namespaces; 0 if an entry before this one has told them already. */
static uint64_t untracked_bytes(struct json_object *list, size_t at)
{
	struct json_object *this = json_object_array_get_idx(list, at), *other;
	uint64_t sum = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		other = json_object_array_get_idx(list, i);
		if (!same_cause(this, other))
			continue;
		if (i < at)
			return 0;
		sum += value_u64(other, "tx.bytes") + value_u64(other, "rx.bytes");
	}
	return sum;
}

/* "In no flow: wire not_ip 4.1 KiB, veth map_full 30 MiB." */
static void print_untracked(struct ctl *ctl, struct json_object *rest)
{
	struct json_object *list = value_at(rest, "untracked_by"), *u;
	char bytes[HUMAN_LEN];
	bool any = false;

	for (size_t i = 0; i < value_length(rest, "untracked_by"); i++) {
		uint64_t sum = untracked_bytes(list, i);

		if (sum == 0)
			continue;
		u = json_object_array_get_idx(list, i);
		fprintf(ctl->out, "%s%s %s %s", any ? ", " : "In no flow: ", value_text(u, "role"),
			value_text(u, "reason"), human_bytes(sum, bytes));
		any = true;
	}
	if (any)
		fputs(".\n", ctl->out);
}

static void print_inexact(struct ctl *ctl, struct json_object *rest)
{
	struct json_object *list = value_at(rest, "interfaces"), *interface;
	size_t n = 0;

	for (size_t i = 0; i < value_length(rest, "interfaces"); i++) {
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

static void print_footer(struct ctl *ctl, size_t rows, struct json_object *rest)
{
	uint64_t left_out = value_u64(rest, "left_out");

	fprintf(ctl->out, "\n%zu flows. ", rows);
	if (left_out > 0)
		fprintf(ctl->out, "%" PRIu64 " smaller ones are left out (--limit 0 shows all). ",
			left_out);
	footer_range(ctl, value_at(rest, "range"), value_bool(rest, "exact"));
	print_untracked(ctl, rest);
	print_inexact(ctl, rest);
	footer_losses(ctl, value_at(rest, "loss"));
}

static int set_rates(struct flows_table *table, double seconds)
{
	char rate[HUMAN_LEN];
	int r = 0;

	for (size_t i = 0; i < text_table_rows(table->text) && r == 0; i++)
		r = text_table_set(table->text, i, COLUMN_RATE, STYLE_PLAIN, "%s",
				   human_rate((double)table->bytes[i] / seconds, rate));
	return r;
}

int flows_table_print(struct flows_table *table, struct ctl *ctl, struct json_object *rest)
{
	double seconds = covered_seconds(value_at(rest, "range"));

	if (seconds == 0)
		text_table_hide(table->text, COLUMN_RATE);
	else if (set_rates(table, seconds) < 0)
		return -ENOMEM;
	/* Inode numbers say nothing to a person, so only where there is more than one. */
	if (!table->several_netns)
		text_table_hide(table->text, COLUMN_NETNS);
	text_table_print(table->text, &ctl->look, ctl->out);
	print_footer(ctl, text_table_rows(table->text), rest);
	return 0;
}
