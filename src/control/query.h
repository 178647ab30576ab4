/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every question to the store has: a time range, filters, a limit. */
#pragma once

#include "base/varlink.h"
#include "store/store.h"

/* since, until, filter, limit: the table for varlink_method.in. */
extern const struct varlink_field control_query_fields[];

/*
 * Fills range, filter and limit of query; filter_done() is the caller's business. in may be NULL:
 * the last minute, everything. On failure *ret_wrong is the parameter, to be refused with
 * control_query_refuse().
 */
int control_query_parse(struct json_object *in, struct store_query *query, const char **ret_wrong);
void control_query_refuse(struct varlink_call *call, const char *parameter, int r);
