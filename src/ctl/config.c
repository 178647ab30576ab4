/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ebpfobsctl config: shows the configuration in force, or has it read again. */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/util.h"
#include "ctl/ctl.h"
#include "ctl/value.h"
#include "ctl/verb.h"

/* "tcp, udp", or the value itself. */
static void value_line(struct json_object *value, char *buf, size_t size)
{
	size_t n = 0;

	if (!json_object_is_type(value, json_type_array)) {
		snprintf(buf, size, "%s", value ? json_object_get_string(value) : "");
		return;
	}
	buf[0] = '\0';
	for (size_t i = 0; i < json_object_array_length(value) && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%s", i > 0 ? ", " : "",
				      json_object_get_string(json_object_array_get_idx(value, i)));
}

static int print_options(struct ctl *ctl, struct json_object *options)
{
	static const struct text_table_column columns[] = {
		{ .title = "KEY" },
		{ .title = "VALUE", .min = 10 },
		{ .title = "FROM", .min = 10 },
	};
	_cleanup_(text_table_free_p) struct text_table *table = NULL;
	int r = text_table_new(columns, ARRAY_SIZE(columns), &table);
	struct json_object *option;
	char value[1024];

	for (size_t i = 0; i < json_object_array_length(options) && r == 0; i++) {
		option = json_object_array_get_idx(options, i);
		value_line(value_at(option, "value"), value, sizeof(value));
		r = text_table_cell(table, STYLE_PLAIN, "%s", value_text(option, "key"))
			?: text_table_cell(table, STYLE_PLAIN, "%s", value)
			?: text_table_cell(table, STYLE_FAINT, "%s", value_text(option, "source"));
	}
	if (r < 0)
		return ctl_no_memory();
	text_table_print(table, &ctl->look, ctl->out);
	return EXIT_OK;
}

/* A line for each option, as in the table. */
static int print_csv(struct ctl *ctl, struct json_object *options)
{
	for (size_t i = 0; i < json_object_array_length(options); i++)
		if (csv_add(ctl->csv, json_object_array_get_idx(options, i)) < 0)
			return ctl_no_memory();
	return EXIT_OK;
}

static int show(struct ctl *ctl)
{
	_cleanup_json_ struct json_object *answer = NULL;
	struct json_object *options;
	int status = ctl_ask(ctl, "io.ebpfobs.Daemon.Config", NULL, &answer);

	if (status != EXIT_OK)
		return status;
	options = value_at(answer, "config.options");
	if (!json_object_is_type(options, json_type_array))
		return ctl_fail(EXIT_FAILED, "The daemon's answer has no configuration in it.");
	if (ctl->format == CTL_JSON)
		return ctl_print_object(ctl, value_at(answer, "config"));
	return ctl->format == CTL_CSV ? print_csv(ctl, options) : print_options(ctl, options);
}

/* Answered when the new configuration is in force, or was refused: the exit status is the reload's,
 * for ExecReload=. */
static int reload(struct ctl *ctl)
{
	_cleanup_json_ struct json_object *answer = NULL;

	return ctl_ask(ctl, "io.ebpfobs.Daemon.Reload", NULL, &answer);
}

static int run_config(struct ctl *ctl, int argc, char **argv)
{
	static const char *const actions[] = { "show", "reload" };

	if (argc < 2)
		return ctl_fail(EXIT_USAGE, "\"config\" needs an action: show or reload.");
	if (argc > 2)
		return ctl_fail(EXIT_USAGE, "\"config %s\" takes no arguments.", argv[1]);
	if (streq(argv[1], "show"))
		return show(ctl);
	if (streq(argv[1], "reload"))
		return reload(ctl);
	return ctl_unknown("action", argv[1], actions, ARRAY_SIZE(actions));
}

const struct verb_ops verb_config = {
	.name = "config",
	.synopsis = "show|reload",
	.help = "the configuration in force; read it again (root)",
	.run = run_config,
};
