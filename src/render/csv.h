/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON objects as CSV (RFC 4180, lines end in CRLF): columns are the keys joined with dots, lists
 * are joined with "|", null is empty. A list of objects becomes one column per key of its members.
 */
#pragma once

#include <json-c/json.h>
#include <stdio.h>

#define CSV_COLUMNS_MAX 1024

struct csv;

int csv_new(struct csv **ret);
struct csv *csv_free(struct csv *csv); /* takes NULL */
/*
 * Columns that are there in any case, in this order; names ends with NULL. Others follow as rows
 * bring them. A column that is a prefix of others ("local" of "local.port"; it was null in some
 * row) is not printed.
 */
int csv_declare(struct csv *csv, const char *const *names);
/* -E2BIG: more than CSV_COLUMNS_MAX columns. */
int csv_add(struct csv *csv, struct json_object *row);
/* Writes the header, the first time, and the rows; then forgets them. Columns that turn up after
 * the header was written are left out. */
void csv_print(struct csv *csv, FILE *out);

static inline void csv_free_p(struct csv **csv)
{
	csv_free(*csv);
}
