/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Flows for people. A row becomes text as it comes: 100,000 of them as JSON objects would take a
 * gigabyte.
 */
#pragma once

#include "ctl/ctl.h"

struct flows_table;

int flows_table_new(struct flows_table **ret);
struct flows_table *flows_table_free(struct flows_table *table); /* takes NULL */
int flows_table_add(struct flows_table *table, const struct ctl *ctl, struct json_object *flow);
/* Prints all; rest is the answer without its flows. */
int flows_table_print(struct flows_table *table, struct ctl *ctl, struct json_object *rest);

static inline void flows_table_free_p(struct flows_table **table)
{
	flows_table_free(*table);
}
