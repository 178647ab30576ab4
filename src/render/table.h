/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A table for people: columns that fit the terminal. What does not fit is cut in columns that allow
 * it; where that is not enough, columns are left out, the least important first. Cells are
 * strangers' text and escaped for a terminal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum text_style {
	STYLE_PLAIN,
	STYLE_GOOD,
	STYLE_WARN,
	STYLE_BAD,
	STYLE_FAINT,
	STYLE_TITLE,
};

struct text_table_column {
	const char *title;
	bool right; /* alignment */
	bool optional; /* left out when all cells are empty */
	bool keep_port; /* what is cut is before the last colon: "nginx.ser…:443" */
	bool wrap; /* the last column only: goes on in further lines instead of being cut */
	unsigned min; /* may be cut to that width; 0: never */
	unsigned drop; /* the highest is left out first; 0: never */
};

/* How the output looks. */
struct text_look {
	unsigned width; /* of the terminal in columns; 0: no limit */
	bool color;
	bool utf8; /* else what is cut ends in "~" instead of an ellipsis */
};

struct text_table;

/* columns must outlive the table. */
int text_table_new(const struct text_table_column *columns, size_t n, struct text_table **ret);
struct text_table *text_table_free(struct text_table *table); /* takes NULL */
size_t text_table_rows(const struct text_table *table);
/* The next cell; rows are filled from left to right, without gaps. 0 or -ENOMEM. */
int text_table_cell(struct text_table *table, enum text_style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Writes a cell anew, once its row is full. */
int text_table_set(struct text_table *table, size_t row, size_t column, enum text_style style,
		   const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Leaves a column out. */
void text_table_hide(struct text_table *table, size_t column);
/* Titles and rows. */
void text_table_print(const struct text_table *table, const struct text_look *look, FILE *out);

/* Starts and ends a style; "" without colour. */
const char *text_style_begin(enum text_style style, const struct text_look *look);
const char *text_style_end(enum text_style style, const struct text_look *look);

/* Columns that a UTF-8 text takes on a terminal. */
unsigned text_width(const char *text);
/* Writes text, escaped already, into at most width columns (0: no limit), cut with an ellipsis; returns
 * how many it took. */
unsigned text_print_cut(const char *text, unsigned width, const struct text_look *look, FILE *out);

static inline void text_table_free_p(struct text_table **table)
{
	text_table_free(*table);
}
