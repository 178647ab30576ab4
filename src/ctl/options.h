/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of the options that all verbs share; the parser and --help are made from it. */
#pragma once

#include "ctl/ctl.h"

#define CTL_DEFAULT_SOCKET RUNSTATEDIR "/ebpfobs/ebpfobsd.sock"

struct ctl_option {
	const char *name; /* "unit"; NULL ends the table */
	char letter; /* 'o'; 0: none */
	const char *argument; /* "NAME"; NULL: none */
	bool optional; /* the argument; it is taken when it is a number */
	const char *help; /* one line */
	unsigned takes; /* VERB_TAKES_*: only for verbs that take it; 0: for all */
	bool number; /* of a filter: its values are numbers */
	size_t offset; /* of a flag, in struct ctl */
	/* value is NULL where there is none. Returns an exit status. */
	int (*set)(struct ctl *ctl, const struct ctl_option *option, const char *value);
};

extern const struct ctl_option ctl_options[];
