/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options that all verbs share. The table is the parser and the help; a filter is one line in
 * it. getopt_long() is not used: it knows neither the nearest word nor "--watch 5".
 */
#include "ctl/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "base/util.h"
#include "ctl/verb.h"

#define WATCH_SECONDS 2
#define WATCH_SECONDS_MIN 0.1
#define WATCH_SECONDS_MAX 86400

static int set_socket(struct ctl *ctl, const struct ctl_option *option, const char *value)
{
	ctl->socket = value;
	return EXIT_OK;
}

static int set_format(struct ctl *ctl, const struct ctl_option *option, const char *value)
{
	static const char *const names[] = { "table", "json", "csv" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (streq(value, names[i])) {
			ctl->format = (enum ctl_format)i;
			return EXIT_OK;
		}
	return ctl_unknown("format", value, names, ARRAY_SIZE(names));
}

/* Evaluated again at each question; here only the spelling is looked at. */
static int set_time(struct ctl *ctl, const struct ctl_option *option, const char *value)
{
	uint64_t t;

	if (timestamp_parse(value, now_ns(CLOCK_REALTIME), &t) < 0)
		return ctl_fail(EXIT_USAGE,
				"\"%s\" is not a time for --%s. Times are written as \"10m ago\", "
				"\"2026-11-20 10:35\", \"10:35\", \"@1763634938\" or \"now\".",
				value, option->name);
	if (streq(option->name, "since"))
		ctl->since = value;
	else
		ctl->until = value;
	return EXIT_OK;
}

static int set_watch(struct ctl *ctl, const struct ctl_option *option, const char *value)
{
	char *end = NULL;

	ctl->watch = true;
	ctl->watch_seconds = value ? strtod(value, &end) : WATCH_SECONDS;
	if (value && (end == value || *end != '\0' || !(ctl->watch_seconds >= WATCH_SECONDS_MIN) ||
		      ctl->watch_seconds > WATCH_SECONDS_MAX))
		return ctl_fail(EXIT_USAGE, "--watch takes seconds from %g to %d, not \"%s\".",
				WATCH_SECONDS_MIN, WATCH_SECONDS_MAX, value);
	return EXIT_OK;
}

static int set_flag(struct ctl *ctl, const struct ctl_option *option, const char *value)
{
	*(bool *)((char *)ctl + option->offset) = true;
	return EXIT_OK;
}

static int set_limit(struct ctl *ctl, const struct ctl_option *option, const char *value)
{
	uint64_t n;

	if (text_parse_u64(value, &n) < 0 || n > INT32_MAX)
		return ctl_fail(EXIT_USAGE, "--limit takes a number of rows (0: all), not \"%s\".",
				value);
	ctl->limit = (int64_t)n;
	return EXIT_OK;
}

/* The list of the filter's key, made if need be. */
static struct json_object *filter_list(struct ctl *ctl, const char *key)
{
	struct json_object *list;

	if (!ctl->filter)
		ctl->filter = json_object_new_object();
	if (ctl->filter && json_object_object_get_ex(ctl->filter, key, &list))
		return list;
	list = json_object_new_array();
	return json_add(ctl->filter, key, list) == 0 ? list : NULL;
}

static int add_number(struct json_object *list, const struct ctl_option *option, const char *value)
{
	uint64_t n;

	if (text_parse_u64(value, &n) < 0 || n > INT32_MAX)
		return ctl_fail(EXIT_USAGE, "--%s takes numbers, not \"%s\".", option->name, value);
	return json_append(list, json_object_new_int64((int64_t)n)) < 0 ? ctl_no_memory() : EXIT_OK;
}

/* Comma separated; may be given again. What the values mean is for the daemon to say. */
static int add_filter(struct ctl *ctl, const struct ctl_option *option, const char *value)
{
	struct json_object *list = filter_list(ctl, option->name);
	size_t n = strcspn(value, ",");
	char one[256];
	int status = EXIT_OK;

	for (;; value += n + 1, n = strcspn(value, ",")) {
		if (n == 0 || n >= sizeof(one))
			return ctl_fail(EXIT_USAGE, "--%s: a value is %s.", option->name,
					n == 0 ? "empty" : "too long");
		memcpy(one, value, n);
		one[n] = '\0';
		if (option->number)
			status = add_number(list, option, one);
		else if (json_append(list, json_new_string(one)) < 0)
			status = ctl_no_memory();
		if (status != EXIT_OK || value[n] == '\0')
			return status;
	}
}

static int set_external(struct ctl *ctl, const struct ctl_option *option, const char *value)
{
	if (!ctl->filter)
		ctl->filter = json_object_new_object();
	return json_add_bool(ctl->filter, option->name, true) < 0 ? ctl_no_memory() : EXIT_OK;
}

#define FILTER(name_, argument_, help_)                                    \
	{                                                                  \
		.name = (name_), .argument = (argument_), .help = (help_), \
		.takes = VERB_TAKES_FILTERS, .set = add_filter             \
	}

const struct ctl_option ctl_options[] = {
	{ .name = "since",
	  .argument = "TIME",
	  .takes = VERB_TAKES_RANGE,
	  .set = set_time,
	  .help = "from this time on: \"10m ago\", \"10:35\", \"@EPOCH\" (default: a minute)" },
	{ .name = "until",
	  .argument = "TIME",
	  .takes = VERB_TAKES_RANGE,
	  .set = set_time,
	  .help = "up to this time (default: now)" },
	FILTER("unit", "NAME", "of this systemd unit"),
	FILTER("container", "NAME", "of this container, by name or id"),
	FILTER("pod", "NAME", "of this pod"),
	FILTER("namespace", "NAME", "of this Kubernetes namespace"),
	FILTER("process", "NAME", "of processes of this name"),
	{ .name = "pid",
	  .argument = "PID",
	  .takes = VERB_TAKES_FILTERS,
	  .set = add_filter,
	  .number = true,
	  .help = "of this process" },
	FILTER("cgroup", "PATH", "of this cgroup and those below it, by path or id"),
	{ .name = "port",
	  .argument = "PORT",
	  .takes = VERB_TAKES_FILTERS,
	  .set = add_filter,
	  .number = true,
	  .help = "with this port at either end" },
	FILTER("peer", "ADDRESS", "with this address or prefix (10.0.0.0/8) as the peer"),
	FILTER("protocol", "NAME", "tcp, udp, sctp, icmp, icmpv6 or a number"),
	FILTER("role", "ROLE", "seen on wire, veth, tunnel, bridge or loopback"),
	{ .name = "external",
	  .takes = VERB_TAKES_FILTERS,
	  .set = set_external,
	  .help = "with a peer outside the private ranges" },
	{ .name = "limit",
	  .argument = "N",
	  .takes = VERB_TAKES_FILTERS,
	  .set = set_limit,
	  .help = "no more than N rows, the largest first; 0 is all" },
	{ .name = "output",
	  .letter = 'o',
	  .argument = "FORMAT",
	  .set = set_format,
	  .help = "table, json or csv" },
	{ .name = "watch",
	  .argument = "SECONDS",
	  .optional = true,
	  .takes = VERB_TAKES_WATCH,
	  .set = set_watch,
	  .help = "again every SECONDS (default: 2) until Ctrl-C" },
	{ .name = "no-color",
	  .set = set_flag,
	  .offset = offsetof(struct ctl, no_color),
	  .help = "no colours (also with NO_COLOR set, or when the output is no terminal)" },
	{ .name = "socket",
	  .argument = "PATH",
	  .set = set_socket,
	  .help = "the daemon's socket (default: $EBPFOBS_SOCKET, else " CTL_DEFAULT_SOCKET ")" },
	{ .name = "help",
	  .letter = 'h',
	  .set = set_flag,
	  .offset = offsetof(struct ctl, help),
	  .help = "this text; behind a verb, that verb's" },
	{ .name = "version",
	  .set = set_flag,
	  .offset = offsetof(struct ctl, version),
	  .help = "the version" },
	{},
};

/* --- the command line ---------------------------------------------------------------------- */

/* argv as it is read, and what is left of it. */
struct reader {
	char **argv;
	int n, at;
	char **left;
	int n_left;
};

static const struct ctl_option *find_option(const char *name, size_t length)
{
	for (const struct ctl_option *o = ctl_options; o->name; o++)
		if (strlen(o->name) == length && memcmp(o->name, name, length) == 0)
			return o;
	return NULL;
}

static const struct ctl_option *find_letter(char letter)
{
	for (const struct ctl_option *o = ctl_options; o->name; o++)
		if (o->letter && o->letter == letter)
			return o;
	return NULL;
}

static bool is_switch_of_a_verb(const char *name)
{
	for (size_t i = 0; verb_registry[i]; i++)
		for (const struct verb_switch *s = verb_registry[i]->switches; s && s->name; s++)
			if (streq(s->name, name))
				return true;
	return false;
}

static int unknown_option(const char *word)
{
	const char *words[64];
	char names[64][32];
	size_t n = 0;

	for (const struct ctl_option *o = ctl_options; o->name && n < ARRAY_SIZE(words); o++, n++) {
		snprintf(names[n], sizeof(names[n]), "--%s", o->name);
		words[n] = names[n];
	}
	return ctl_unknown("option", word, words, n);
}

static bool is_number(const char *text)
{
	return text && *text && text[strspn(text, "0123456789.")] == '\0';
}

static void note_given(struct ctl *ctl, const struct ctl_option *option)
{
	for (unsigned bit = 0; bit < ARRAY_SIZE(ctl->given_name); bit++)
		if (option->takes & (1U << bit))
			ctl->given_name[bit] = option->name;
	ctl->given |= option->takes;
}

/* value is what stands in the same word, or NULL; else the next word is it. */
static int apply(struct ctl *ctl, struct reader *reader, const struct ctl_option *option,
		 const char *value)
{
	const char *next = reader->at < reader->n ? reader->argv[reader->at] : NULL;

	if (value && !option->argument)
		return ctl_fail(EXIT_USAGE, "--%s takes no value.", option->name);
	if (!value && option->argument && (!option->optional || is_number(next))) {
		if (!next)
			return ctl_fail(EXIT_USAGE, "--%s needs a value (%s).", option->name,
					option->argument);
		value = next;
		reader->at++;
	}
	note_given(ctl, option);
	return option->set(ctl, option, value);
}

static int read_long(struct ctl *ctl, struct reader *reader, char *word)
{
	const char *name = word + 2, *equals = strchr(name, '=');
	size_t length = equals ? (size_t)(equals - name) : strlen(name);
	const struct ctl_option *option = find_option(name, length);

	if (option)
		return apply(ctl, reader, option, equals ? equals + 1 : NULL);
	if (!is_switch_of_a_verb(name))
		return unknown_option(word);
	reader->left[reader->n_left++] = word;
	return EXIT_OK;
}

static int read_short(struct ctl *ctl, struct reader *reader, const char *word)
{
	const struct ctl_option *option = find_letter(word[1]);

	if (!option)
		return unknown_option(word);
	return apply(ctl, reader, option, word[2] ? word + 2 : NULL);
}

int ctl_parse_options(struct ctl *ctl, int *argc, char **argv)
{
	struct reader reader = { .argv = argv, .n = *argc, .at = 1, .left = argv, .n_left = 1 };
	bool only_arguments = false;
	int status = EXIT_OK;

	while (reader.at < reader.n && status == EXIT_OK) {
		char *word = argv[reader.at++];

		if (only_arguments || word[0] != '-' || word[1] == '\0')
			reader.left[reader.n_left++] = word;
		else if (streq(word, "--"))
			only_arguments = true;
		else if (word[1] == '-')
			status = read_long(ctl, &reader, word);
		else
			status = read_short(ctl, &reader, word);
	}
	*argc = reader.n_left;
	return status;
}

bool ctl_has_switch(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (streq(argv[i], name))
			return true;
	return false;
}
