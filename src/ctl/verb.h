/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verbs of ebpfobsctl. To add one: src/ctl/VERB.c that defines "const struct verb_ops
 * verb_VERB", and its line in VERBS (doc/HOWTO-ADD-VERB.md). --help, completion and man page checks
 * are made from this table.
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

struct verb_ops {
	const char *name;
	const char *synopsis; /* arguments: "[PID] [--maps]" */
	const char *help; /* one line */
	/* argv[0] is the verb; global options are already taken out. Returns an exit status. */
	int (*run)(int argc, char **argv);
};

extern const struct verb_ops *const verb_registry[]; /* NULL-terminated; generated */
