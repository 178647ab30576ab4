/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verbs of ebpfobsctl. To add one: src/ctl/VERB.c that defines "const struct verb_ops
 * verb_VERB", and its line in VERBS (doc/HOWTO-ADD-VERB.md). --help, the nearest word and the checks
 * of man page and completion are made from this table.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses of ebpfobsctl. */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_DAEMON = 3,
};

/* Which of the shared options a verb takes (set of): any other is refused. */
enum {
	VERB_TAKES_RANGE = 1 << 0, /* --since --until */
	VERB_TAKES_FILTERS = 1 << 1, /* --unit ... --external --limit */
	VERB_TAKES_WATCH = 1 << 2, /* --watch */
};

/* A switch of one verb alone; it stays in argv, which the verb looks through. */
struct verb_switch {
	const char *name; /* "maps"; NULL ends a table */
	const char *help; /* one line */
};

struct ctl;

struct verb_ops {
	const char *name;
	const char *synopsis; /* arguments: "[PID] [--maps]" */
	const char *help; /* one line */
	unsigned takes;
	const struct verb_switch *switches; /* may be NULL */
	/*
	 * Asks and prints to ctl->out (ctl/ctl.h); called again for every round of --watch.
	 * argv[0] is the verb; shared options are taken out. Returns an exit status; whoever
	 * returns another than EXIT_OK has said why on stderr.
	 */
	int (*run)(struct ctl *ctl, int argc, char **argv);
};

extern const struct verb_ops *const verb_registry[]; /* NULL-terminated; generated */
