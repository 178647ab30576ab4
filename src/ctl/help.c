/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --help, made from the tables of verbs and options; and the sentences about wrong usage. */
#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "ctl/options.h"
#include "ctl/verb.h"

#define HELP_COLUMN 26

static void print_option(const char *name, char letter, const char *argument, bool optional,
			 const char *help, FILE *out)
{
	char left[64];

	snprintf(left, sizeof(left), "  %s%c%s--%s%s%s%s", letter ? "-" : "", letter ? letter : ' ',
		 letter ? ", " : "   ", name, argument ? (optional ? " [" : " ") : "",
		 argument ? argument : "", optional ? "]" : "");
	/* A letter is three columns wide, and so is its absence. */
	fprintf(out, "%-*s %s\n", HELP_COLUMN, left, help);
}

static void print_options(unsigned takes, FILE *out)
{
	for (const struct ctl_option *o = ctl_options; o->name; o++)
		if (o->takes == 0 || (o->takes & takes))
			print_option(o->name, o->letter, o->argument, o->optional, o->help, out);
}

static void print_overview(FILE *out)
{
	fputs("Usage: ebpfobsctl [OPTION...] VERB [ARGUMENT...]\n"
	      "Asks ebpfobsd who talks to whom on this host, and how it is doing.\n"
	      "\nVerbs:\n",
	      out);
	for (size_t i = 0; verb_registry[i]; i++) {
		const struct verb_ops *verb = verb_registry[i];
		char left[64];

		snprintf(left, sizeof(left), "  %s %s", verb->name, verb->synopsis);
		fprintf(out, "%-*s %s\n", HELP_COLUMN, left, verb->help);
	}
	fputs("\nOptions (values of filters are comma separated, and may be given again):\n", out);
	print_options(~0U, out);
	fputs("\nExit status: 0 ok, 1 failed, 2 wrong usage, 3 no daemon.\n", out);
}

void ctl_print_help(const struct verb_ops *verb, FILE *out)
{
	if (!verb) {
		print_overview(out);
		return;
	}
	fprintf(out, "Usage: ebpfobsctl %s %s[OPTION...]\n%s\n\nOptions:\n", verb->name,
		*verb->synopsis ? verb->synopsis : "", verb->help);
	for (const struct verb_switch *s = verb->switches; s && s->name; s++)
		print_option(s->name, 0, NULL, false, s->help, out);
	print_options(verb->takes, out);
}

int ctl_fail(int status, const char *format, ...)
{
	char text[1024], escaped[TEXT_ESCAPED_MAX(sizeof(text))];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	text_escape(TEXT_TERMINAL, text, escaped, sizeof(escaped));
	fprintf(stderr, "ebpfobsctl: %s\n", escaped);
	return status;
}

int ctl_no_memory(void)
{
	return ctl_fail(EXIT_FAILED, "There is not enough memory.");
}

int ctl_unknown(const char *what, const char *word, const char *const *words, size_t n)
{
	const char *nearest = text_nearest(word, words, n);

	if (nearest)
		return ctl_fail(EXIT_USAGE, "Unknown %s \"%s\". Did you mean \"%s\"?", what, word,
				nearest);
	return ctl_fail(EXIT_USAGE, "Unknown %s \"%s\". \"ebpfobsctl --help\" names them all.",
			what, word);
}
