/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every question to the store has: a time range, filters, a limit. */
#pragma once

#include "base/varlink.h"
#include "store/store.h"

/* since, until, filter, limit: the table for varlink_method.in. */
extern const struct varlink_field control_query_fields[];

/* What is wrong with a question. */
struct control_query_error {
	const char *parameter; /* borrowed from the question */
	char reason[384]; /* a sentence */
};

/*
 * Fills range, filter and limit of query; filter_done() is the caller's business. in may be NULL:
 * the last minute, everything. On failure *ret_error says what to answer.
 */
int control_query_parse(struct json_object *in, struct store_query *query,
			struct control_query_error *ret_error);
