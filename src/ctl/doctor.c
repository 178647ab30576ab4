/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ebpfobsctl doctor: what this kernel allows, why a process is not seen, the BPF maps. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "base/util.h"
#include "ctl/ctl.h"
#include "ctl/value.h"
#include "ctl/verb.h"

#define COLUMNS_MAX 16 /* of a map's figures */

static int print_checks(struct ctl *ctl, struct json_object *answer)
{
	static const struct text_table_column columns[] = {
		{ .title = "CHECK" },
		{ .title = "STATE" },
		{ .title = "WHAT IT IS FOR", .min = 20, .wrap = true, .optional = true },
	};
	_cleanup_(text_table_free_p) struct text_table *table = NULL;
	struct json_object *checks = value_at(answer, "checks"), *check;
	int r = text_table_new(columns, ARRAY_SIZE(columns), &table);

	for (size_t i = 0; i < value_length(answer, "checks") && r == 0; i++) {
		const char *state;

		check = json_object_array_get_idx(checks, i);
		state = value_text(check, "state");
		r = text_table_cell(table, STYLE_PLAIN, "%s", value_text(check, "name"))
			?: text_table_cell(table, streq(state, "ok") ? STYLE_GOOD : STYLE_WARN,
					   "%s", state)
			?: text_table_cell(table, STYLE_PLAIN, "%s",
					   value_text(check, "meaning"));
	}
	if (r < 0)
		return r;
	fprintf(ctl->out, "Kernel %s\n\n", value_text(answer, "kernel"));
	text_table_print(table, &ctl->look, ctl->out);
	return 0;
}

/* Columns are what the first map tells of itself. */
static size_t map_columns(struct json_object *map,
			  struct text_table_column columns[static COLUMNS_MAX])
{
	size_t n = 0;

	json_object_object_foreach(map, key, value)
	{
		if (n == COLUMNS_MAX)
			break;
		columns[n++] = (struct text_table_column){
			.title = key,
			.right = json_object_is_type(value, json_type_int),
		};
	}
	return n;
}

static int print_maps(struct ctl *ctl, struct json_object *answer)
{
	_cleanup_(text_table_free_p) struct text_table *table = NULL;
	struct json_object *maps = value_at(answer, "maps");
	struct text_table_column columns[COLUMNS_MAX];
	size_t n, length = value_length(answer, "maps");
	int r;

	if (length == 0)
		return 0;
	n = map_columns(json_object_array_get_idx(maps, 0), columns);
	r = text_table_new(columns, n, &table);
	for (size_t i = 0; i < length && r == 0; i++)
		for (size_t c = 0; c < n && r == 0; c++)
			r = text_table_cell(table, STYLE_PLAIN, "%s",
					    value_text(json_object_array_get_idx(maps, i),
						       columns[c].title));
	if (r < 0)
		return r;
	fputs("\nBPF maps:\n", ctl->out);
	text_table_print(table, &ctl->look, ctl->out);
	return 0;
}

/* A line for each thing that is known of it. */
static void print_process(struct ctl *ctl, struct json_object *process)
{
	fputs("\nProcess:\n", ctl->out);
	json_object_object_foreach(process, key, value)
	{
		_cleanup_free_ char *text = text_escape_dup(
			TEXT_TERMINAL, value ? json_object_get_string(value) : "not known");

		fprintf(ctl->out, "  %-14s %s\n", key, text ? text : "");
	}
}

static int print_answer(struct ctl *ctl, struct json_object *answer)
{
	struct json_object *process = value_at(answer, "process");

	if (print_checks(ctl, answer) < 0)
		return ctl_no_memory();
	if (json_object_is_type(process, json_type_object))
		print_process(ctl, process);
	return print_maps(ctl, answer) < 0 ? ctl_no_memory() : EXIT_OK;
}

static const struct verb_switch switches[] = {
	{ "maps", "the BPF maps and how full they are" },
	{},
};

/* The parameters; the process is the only argument that is no switch. */
static int parse_arguments(int argc, char **argv, struct json_object *in)
{
	uint64_t pid = 0;
	int r = json_add_bool(in, "maps", ctl_has_switch(argc, argv, "--maps"));

	for (int i = 1; i < argc; i++) {
		if (has_prefix(argv[i], "--"))
			continue;
		if (pid > 0)
			return ctl_fail(EXIT_USAGE, "\"doctor\" takes one process.");
		if (text_parse_u64(argv[i], &pid) < 0 || pid == 0 || pid > INT32_MAX)
			return ctl_fail(EXIT_USAGE, "\"%s\" is not a process id.", argv[i]);
		r = r ?: json_add_u64(in, "pid", pid);
	}
	return r < 0 ? ctl_no_memory() : EXIT_OK;
}

static int run_doctor(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_json_ struct json_object *answer = NULL, *in = json_object_new_object();
	int status = parse_arguments(argc, argv, in);

	if (status == EXIT_OK)
		status = ctl_ask(ctl, "io.ebpfobs.Daemon.Doctor", TAKE(in), &answer);
	if (status != EXIT_OK)
		return status;
	return ctl->format == CTL_TABLE ? print_answer(ctl, answer) : ctl_print_object(ctl, answer);
}

const struct verb_ops verb_doctor = {
	.name = "doctor",
	.synopsis = "[PID] [--maps]",
	.help = "what this kernel allows; why a process is not seen",
	.takes = VERB_TAKES_WATCH,
	.switches = switches,
	.run = run_doctor,
};
