/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ebpfobsctl config: shows the configuration in force, or has it read again. */
#include "base/json.h"
#include "base/util.h"
#include "ctl/ctl.h"
#include "ctl/value.h"
#include "ctl/verb.h"

static int show(struct ctl *ctl)
{
	_cleanup_json_ struct json_object *answer = NULL;
	struct json_object *config;
	int status = ctl_ask(ctl, "io.ebpfobs.Daemon.Config", NULL, &answer);

	if (status != EXIT_OK)
		return status;
	config = value_at(answer, "config");
	if (!config)
		return ctl_fail(EXIT_FAILED, "The daemon's answer has no configuration in it.");
	if (ctl->format != CTL_TABLE)
		return ctl_print_object(ctl, config);
	ctl_print_pairs(ctl, config);
	return EXIT_OK;
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
