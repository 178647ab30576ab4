/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ebpfobsctl: takes the shared options, finds the verb in the registry and runs it. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/util.h"
#include "ctl/options.h"
#include "ctl/verb.h"

static const struct verb_ops *find_verb(const char *name)
{
	for (size_t i = 0; verb_registry[i]; i++)
		if (streq(verb_registry[i]->name, name))
			return verb_registry[i];
	return NULL;
}

static int unknown_verb(const char *word)
{
	const char *words[64];
	size_t n = 0;

	for (; verb_registry[n] && n < ARRAY_SIZE(words); n++)
		words[n] = verb_registry[n]->name;
	return ctl_unknown("verb", word, words, n);
}

/* Options and switches that belong to other verbs. */
static int check_options(const struct ctl *ctl, const struct verb_ops *verb, int argc, char **argv)
{
	unsigned wrong = ctl->given & ~verb->takes;

	if (wrong)
		return ctl_fail(EXIT_USAGE, "\"%s\" takes no --%s.", verb->name,
				ctl->given_name[__builtin_ctz(wrong)]);
	for (int i = 1; i < argc; i++) {
		const struct verb_switch *s = verb->switches;

		if (!has_prefix(argv[i], "--"))
			continue;
		while (s && s->name && !streq(s->name, argv[i] + 2))
			s++;
		if (!s || !s->name)
			return ctl_fail(EXIT_USAGE, "\"%s\" takes no %s.", verb->name, argv[i]);
	}
	return EXIT_OK;
}

/* The locale's name tells; the program itself stays in the "C" locale. */
static bool locale_is_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

static void look_at_terminal(struct ctl *ctl)
{
	const char *no_color = getenv("NO_COLOR"), *columns = getenv("COLUMNS");
	struct winsize size = {};

	ctl->look.utf8 = locale_is_utf8();
	if (!isatty(STDOUT_FILENO))
		return;
	ctl->look.color = !ctl->no_color && !(no_color && *no_color);
	ctl->look.width = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
		ctl->look.width = size.ws_col;
		ctl->height = size.ws_row;
	} else if (columns && atoi(columns) > 0) {
		ctl->look.width = (unsigned)atoi(columns);
	}
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	const struct verb_ops *verb = argc > 1 ? find_verb(argv[1]) : NULL;
	int status;

	if (ctl->version) {
		puts("ebpfobsctl " EBPFOBS_VERSION);
		return EXIT_OK;
	}
	if (argc > 1 && !verb)
		return unknown_verb(argv[1]);
	if (ctl->help) {
		ctl_print_help(verb, stdout);
		return EXIT_OK;
	}
	if (!verb)
		return ctl_fail(EXIT_USAGE, "Which verb? \"ebpfobsctl --help\" names them.");
	status = check_options(ctl, verb, argc - 1, argv + 1);
	if (status != EXIT_OK)
		return status;
	look_at_terminal(ctl);
	return ctl_run(ctl, verb, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	const char *socket = getenv("EBPFOBS_SOCKET");
	struct ctl ctl = {
		.socket = socket && *socket ? socket : CTL_DEFAULT_SOCKET,
		.limit = -1,
	};
	int status = ctl_parse_options(&ctl, &argc, argv);

	if (status == EXIT_OK)
		status = run(&ctl, argc, argv);
	json_object_put(ctl.filter);
	return status;
}
