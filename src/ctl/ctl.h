/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the verbs share: the options that were given, the output, and the way to the daemon. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/varlink-message.h"
#include "render/csv.h"
#include "render/table.h"

struct verb_ops;

enum ctl_format {
	CTL_TABLE,
	CTL_JSON,
	CTL_CSV,
};

struct ctl {
	const char *socket;
	enum ctl_format format;
	const char *since, *until; /* as given; NULL: not given */
	struct json_object *filter; /* the parameter "filter"; NULL: none */
	int64_t limit; /* -1: not given */
	bool watch;
	double watch_seconds;
	bool no_color, help, version;
	unsigned given; /* set of VERB_TAKES_*, of the options that were given */
	const char *given_name[3]; /* one of each, to be named in an error */

	/* Filled before a verb runs. */
	FILE *out; /* one round's output, written at once when the round is over */
	struct text_look look;
	unsigned height; /* of the terminal; 0: none */
	struct csv *csv; /* with CTL_CSV */
};

/* --- options.c ----------------------------------------------------------------------------- */
/*
 * Takes the shared options out of argv, wherever they stand; what is left are the verb and its
 * arguments. Returns EXIT_OK or EXIT_USAGE.
 */
int ctl_parse_options(struct ctl *ctl, int *argc, char **argv);
/* True if name is among the arguments: "--maps". */
bool ctl_has_switch(int argc, char **argv, const char *name);

/* --- help.c -------------------------------------------------------------------------------- */
/* verb may be NULL: the overview. */
void ctl_print_help(const struct verb_ops *verb, FILE *out);
/* "ebpfobsctl: Unknown verb \"flwos\". Did you mean \"flows\"?" Returns EXIT_USAGE. */
int ctl_unknown(const char *what, const char *word, const char *const *words, size_t n);
/* Says a sentence on stderr, after the program's name. Returns status. */
int ctl_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- client.c ------------------------------------------------------------------------------ */
/*
 * Calls a method and hands over each response; takes in (may be NULL). Returns an exit status.
 * on_reply's parameters are never NULL, and borrowed; it returns an exit status too.
 */
int ctl_call(struct ctl *ctl, const char *method, struct json_object *in, bool more,
	     int (*on_reply)(void *userdata, struct json_object *parameters, bool last),
	     void *userdata);
/* For one response; *ret is to be put. */
int ctl_ask(struct ctl *ctl, const char *method, struct json_object *in, struct json_object **ret);
/* A new object with since, until, filter and limit as they were given; NULL after a failure, which
 * was said. */
struct json_object *ctl_query(const struct ctl *ctl);

/* --- output.c ------------------------------------------------------------------------------ */
/* Runs the verb once, or every so often. Returns an exit status. */
int ctl_run(struct ctl *ctl, const struct verb_ops *verb, int argc, char **argv);
/* The answer as JSON or CSV, for verbs whose answer is one object. Not for CTL_TABLE. */
int ctl_print_object(struct ctl *ctl, struct json_object *answer);
/* "no memory": what a verb returns then. */
int ctl_no_memory(void);
