/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ebpfobsctl status: how the daemon is doing, part by part, and what it lost. */
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/util.h"
#include "ctl/ctl.h"
#include "ctl/footer.h"
#include "ctl/value.h"
#include "ctl/verb.h"
#include "render/human.h"

static enum text_style state_style(const char *state)
{
	if (streq(state, "on"))
		return STYLE_GOOD;
	return streq(state, "degraded") ? STYLE_WARN : STYLE_FAINT;
}

/* The list of parts at key: collectors or exporters. */
static int print_parts(struct ctl *ctl, struct json_object *status, const char *key,
		       const struct text_table_column columns[static 4])
{
	_cleanup_(text_table_free_p) struct text_table *table = NULL;
	struct json_object *parts = value_at(status, key), *part;
	int r = text_table_new(columns, 4, &table);

	for (size_t i = 0; i < value_length(status, key) && r == 0; i++) {
		part = json_object_array_get_idx(parts, i);
		r = text_table_cell(table, STYLE_PLAIN, "%s", value_text(part, "name"))
				?: text_table_cell(table, state_style(value_text(part, "state")), "%s",
					      value_text(part, "state"))
				?: text_table_cell(table, STYLE_PLAIN, "%s", value_text(part, "rung"))
				?: text_table_cell(table, STYLE_PLAIN, "%s",
					      value_text(part, "reason"));
	}
	if (r == 0 && text_table_rows(table) > 0) {
		fputc('\n', ctl->out);
		text_table_print(table, &ctl->look, ctl->out);
	}
	return r;
}

static int print_accounting(struct ctl *ctl, struct json_object *accounting)
{
	static const struct text_table_column columns[] = {
		{ .title = "ACCOUNTING" },
		{ .title = "SEEN", .right = true },
		{ .title = "DELIVERED", .right = true },
		{ .title = "FILTERED", .right = true },
		{ .title = "DROPPED", .right = true },
	};
	_cleanup_(text_table_free_p) struct text_table *table = NULL;
	int r = text_table_new(columns, ARRAY_SIZE(columns), &table);

	if (!json_object_is_type(accounting, json_type_object))
		return 0;
	json_object_object_foreach(accounting, name, sums)
	{
		enum text_style dropped = value_u64(sums, "dropped") ? STYLE_BAD : STYLE_PLAIN;

		r = r ?: text_table_cell(table, STYLE_PLAIN, "%s", name)
				?: text_table_cell(table, STYLE_PLAIN, "%" PRIu64,
					      value_u64(sums, "seen"))
				?: text_table_cell(table, STYLE_PLAIN, "%" PRIu64,
					      value_u64(sums, "delivered"))
				?: text_table_cell(table, STYLE_PLAIN, "%" PRIu64,
					      value_u64(sums, "filtered"))
				?: text_table_cell(table, dropped, "%" PRIu64,
					      value_u64(sums, "dropped"));
	}
	if (r == 0 && text_table_rows(table) > 0) {
		fputc('\n', ctl->out);
		text_table_print(table, &ctl->look, ctl->out);
	}
	return r;
}

static void print_store(struct ctl *ctl, struct json_object *store)
{
	uint64_t oldest = value_u64(store, "oldest_ns");
	const char *reason = value_text(store, "reason");
	uint64_t samples = value_u64(store, "sample_bytes"), holds = value_u64(store, "holds_ns");
	char size[HUMAN_LEN], since[FOOTER_CLOCK_LEN];

	fprintf(ctl->out, "History: %s on disk", human_bytes(value_u64(store, "disk_bytes"), size));
	if (samples > 0)
		fprintf(ctl->out, " (samples: %s)", human_bytes(samples, size));
	if (oldest > 0)
		fprintf(ctl->out, ", from %s on", footer_clock(oldest, since));
	if (holds > 0)
		fprintf(ctl->out, ", room for %s at this rate",
			human_span(holds / NSEC_PER_SEC, size));
	fprintf(ctl->out, "%s%s.\n", *reason ? "; " : "", reason);
}

static void print_self(struct ctl *ctl, struct json_object *self, double up_seconds)
{
	double cpu = value_double(self, "cpu_seconds");
	uint64_t limit = value_u64(self, "limit_bytes");
	char a[HUMAN_LEN], b[HUMAN_LEN], c[HUMAN_LEN];

	fprintf(ctl->out, "Memory: %s anonymous and %s in BPF maps",
		human_bytes(value_u64(self, "anon_bytes"), a),
		human_bytes(value_u64(self, "bpf_bytes"), b));
	if (limit > 0)
		fprintf(ctl->out, "; limit %s", human_bytes(limit, c));
	fprintf(ctl->out, "; resident %s. CPU: %.1f s",
		human_bytes(value_u64(self, "rss_bytes"), a), cpu);
	if (up_seconds > 0)
		fprintf(ctl->out, ", %.2f %% of a core", 100 * cpu / up_seconds);
	fputs(".\n", ctl->out);
}

static int print_status(struct ctl *ctl, struct json_object *status)
{
	static const struct text_table_column collectors[4] = {
		{ .title = "COLLECTOR" },
		{ .title = "STATE" },
		{ .title = "HOOKS", .min = 12, .optional = true },
		{ .title = "REASON", .min = 20, .wrap = true, .optional = true },
	};
	static const struct text_table_column exporters[4] = {
		{ .title = "EXPORTER" },
		{ .title = "STATE" },
		{ .title = "", .optional = true }, /* exporters have no rungs */
		{ .title = "REASON", .min = 20, .wrap = true, .optional = true },
	};
	double up_seconds = value_double(status, "uptime_s");
	char up[HUMAN_LEN];

	fprintf(ctl->out, "ebpfobsd %s, up %s\n", value_text(status, "version"),
		human_span((uint64_t)up_seconds, up));
	if (print_parts(ctl, status, "collectors", collectors) < 0 ||
	    print_parts(ctl, status, "exporters", exporters) < 0 ||
	    print_accounting(ctl, value_at(status, "accounting")) < 0)
		return ctl_no_memory();
	fputc('\n', ctl->out);
	if (value_at(status, "store"))
		print_store(ctl, value_at(status, "store"));
	print_self(ctl, value_at(status, "self"), up_seconds);
	footer_losses(ctl, value_at(status, "loss"));
	return EXIT_OK;
}

static int run_status(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_json_ struct json_object *status = NULL;
	int r;

	if (argc > 1)
		return ctl_fail(EXIT_USAGE, "\"status\" takes no arguments.");
	r = ctl_ask(ctl, "io.ebpfobs.Daemon.Status", NULL, &status);
	if (r != EXIT_OK)
		return r;
	return ctl->format == CTL_TABLE ? print_status(ctl, status) : ctl_print_object(ctl, status);
}

const struct verb_ops verb_status = {
	.name = "status",
	.synopsis = "",
	.help = "how the daemon is doing: collectors, exporters, losses",
	.takes = VERB_TAKES_WATCH,
	.run = run_status,
};
