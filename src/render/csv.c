/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The header needs the columns of all rows, so rows wait: as cells of (column, text) in one memory
 * stream, which takes a fraction of what the JSON objects took.
 */
#include "render/csv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/util.h"

#define NAME_MAX_ 256 /* of a column, in bytes */
#define END_OF_ROW UINT16_MAX

struct column {
	char *name;
	bool hidden; /* a prefix of another */
};

struct csv {
	struct column columns[CSV_COLUMNS_MAX];
	size_t n_columns;
	size_t likely; /* the column after the last one that was found */
	size_t n_header; /* columns that the header names; 0: not written yet */
	FILE *cells; /* uint16_t column, text, NUL; END_OF_ROW and "" end a row */
	char *data;
	size_t size;
};

int csv_new(struct csv **ret)
{
	struct csv *csv = calloc(1, sizeof(*csv));

	if (!csv)
		return -ENOMEM;
	csv->cells = open_memstream(&csv->data, &csv->size);
	if (!csv->cells) {
		free(csv);
		return -ENOMEM;
	}
	*ret = csv;
	return 0;
}

struct csv *csv_free(struct csv *csv)
{
	if (!csv)
		return NULL;
	fclose(csv->cells);
	free(csv->data);
	for (size_t i = 0; i < csv->n_columns; i++)
		free(csv->columns[i].name);
	free(csv);
	return NULL;
}

static bool is_prefix(const char *name, const char *of)
{
	size_t n = strlen(name);

	return strncmp(of, name, n) == 0 && of[n] == '.';
}

static void hide_prefixes(struct csv *csv, struct column *added)
{
	for (size_t i = 0; i < csv->n_columns; i++) {
		struct column *other = &csv->columns[i];

		other->hidden |= is_prefix(other->name, added->name);
		added->hidden |= is_prefix(added->name, other->name);
	}
}

/* Rows are alike, so the next column is mostly the one after the last. */
static int find_column(struct csv *csv, const char *name, uint16_t *ret)
{
	struct column *column;

	for (size_t i = 0; i < csv->n_columns; i++) {
		size_t at = (csv->likely + i) % csv->n_columns;

		if (streq(csv->columns[at].name, name)) {
			csv->likely = at + 1;
			*ret = (uint16_t)at;
			return 0;
		}
	}
	if (csv->n_columns == CSV_COLUMNS_MAX)
		return -E2BIG;
	column = &csv->columns[csv->n_columns];
	column->name = strdup(name);
	if (!column->name)
		return -ENOMEM;
	column->hidden = false;
	hide_prefixes(csv, column);
	*ret = (uint16_t)csv->n_columns++;
	return 0;
}

int csv_declare(struct csv *csv, const char *const *names)
{
	uint16_t column;
	int r = 0;

	for (; *names && r == 0; names++)
		r = find_column(csv, *names, &column);
	return r;
}

static int add_cell(struct csv *csv, const char *name, const char *text)
{
	uint16_t column;
	int r = find_column(csv, name, &column);

	if (r < 0)
		return r;
	if (fwrite(&column, sizeof(column), 1, csv->cells) != 1 ||
	    fwrite(text, strlen(text) + 1, 1, csv->cells) != 1)
		return -ENOMEM;
	return 0;
}

static const char *scalar_text(struct json_object *value)
{
	return value ? json_object_get_string(value) : "";
}

/* The member key of each object of the list (with key NULL: each element), joined. */
static int join(struct json_object *list, const char *key, char **ret)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct json_object *value;

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		value = json_object_array_get_idx(list, i);
		if (key)
			value = json_object_object_get(value, key);
		fprintf(out, "%s%s", i > 0 ? "|" : "", scalar_text(value));
	}
	if (fclose(out) != 0) {
		free(text);
		return -ENOMEM;
	}
	*ret = text;
	return 0;
}

static int add_joined(struct csv *csv, const char *name, struct json_object *list, const char *key)
{
	_cleanup_free_ char *text = NULL;
	int r = join(list, key, &text);

	return r < 0 ? r : add_cell(csv, name, text);
}

static int join_name(char name[static NAME_MAX_], const char *prefix, const char *key)
{
	int n = snprintf(name, NAME_MAX_, "%s%s%s", prefix, *prefix ? "." : "", key);

	return n >= NAME_MAX_ ? -E2BIG : 0;
}

/* The keys are those of the first object: lists of ours hold one kind of object. */
static int add_list(struct csv *csv, const char *name, struct json_object *list)
{
	struct json_object *first = json_object_array_get_idx(list, 0);
	char member[NAME_MAX_];
	int r;

	if (!json_object_is_type(first, json_type_object))
		return add_joined(csv, name, list, NULL);
	json_object_object_foreach(first, key, value)
	{
		(void)value;
		r = join_name(member, name, key) ?: add_joined(csv, member, list, key);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_object(struct csv *csv, const char *prefix, struct json_object *object)
{
	char name[NAME_MAX_];
	int r;

	json_object_object_foreach(object, key, value)
	{
		r = join_name(name, prefix, key);
		if (r < 0)
			return r;
		if (json_object_is_type(value, json_type_object))
			r = add_object(csv, name, value);
		else if (json_object_is_type(value, json_type_array))
			r = add_list(csv, name, value);
		else
			r = add_cell(csv, name, scalar_text(value));
		if (r < 0)
			return r;
	}
	return 0;
}

int csv_add(struct csv *csv, struct json_object *row)
{
	const uint16_t end = END_OF_ROW;
	int r = add_object(csv, "", row);

	if (r == 0 && fwrite(&end, sizeof(end), 1, csv->cells) != 1)
		r = -ENOMEM;
	return r;
}

static void print_field(const char *text, bool first, FILE *out)
{
	_cleanup_free_ char *escaped = text ? text_escape_dup(TEXT_CSV, text) : NULL;

	fprintf(out, "%s%s", first ? "" : ",", escaped ? escaped : "");
}

/* Writes the columns of the header; texts has the one of each column, or NULL. */
static void print_line(const struct csv *csv, const char *const *texts, FILE *out)
{
	bool first = true;

	for (size_t i = 0; i < csv->n_header; i++) {
		if (csv->columns[i].hidden)
			continue;
		print_field(texts ? texts[i] : csv->columns[i].name, first, out);
		first = false;
	}
	fputs("\r\n", out);
}

void csv_print(struct csv *csv, FILE *out)
{
	const char *texts[CSV_COLUMNS_MAX] = {};
	uint16_t column;

	fflush(csv->cells);
	if (csv->n_header == 0) { /* columns that come later have no place any more */
		csv->n_header = csv->n_columns;
		print_line(csv, NULL, out);
	}
	for (size_t at = 0; at + sizeof(column) <= csv->size;) {
		memcpy(&column, csv->data + at, sizeof(column));
		at += sizeof(column);
		if (column == END_OF_ROW) {
			print_line(csv, texts, out);
			memset(texts, 0, sizeof(texts));
			continue;
		}
		texts[column] = csv->data + at;
		at += strlen(csv->data + at) + 1;
	}
	rewind(csv->cells);
}
