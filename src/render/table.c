/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Widths are counted in terminal columns (wcwidth() of each code point in a UTF-8 locale of our
 * own, because the program does not call setlocale()), not in bytes.
 */
#include "render/table.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/util.h"

#define SEPARATOR 2 /* columns between columns */
#define COLUMNS_MAX 32

struct cell {
	char *text; /* escaped */
	enum text_style style;
};

struct text_table {
	const struct text_table_column *columns;
	size_t n_columns;
	struct cell *cells; /* row by row */
	size_t n_cells, allocated;
	bool hidden[COLUMNS_MAX];
};

/* Which columns are shown, and how wide. */
struct layout {
	bool shown[COLUMNS_MAX];
	unsigned width[COLUMNS_MAX];
	size_t last; /* shown */
};

int text_table_new(const struct text_table_column *columns, size_t n, struct text_table **ret)
{
	struct text_table *table;

	if (n > COLUMNS_MAX)
		return -E2BIG;
	table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	table->columns = columns;
	table->n_columns = n;
	*ret = table;
	return 0;
}

struct text_table *text_table_free(struct text_table *table)
{
	if (!table)
		return NULL;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
	return NULL;
}

size_t text_table_rows(const struct text_table *table)
{
	return table->n_cells / table->n_columns;
}

static int grow(struct text_table *table)
{
	size_t allocated = MAX(2 * table->allocated, (size_t)64);
	struct cell *cells = realloc(table->cells, allocated * sizeof(*cells));

	if (!cells)
		return -ENOMEM;
	table->cells = cells;
	table->allocated = allocated;
	return 0;
}

__attribute__((format(printf, 3, 0))) static int
format_cell(struct cell *ret, enum text_style style, const char *format, va_list ap)
{
	_cleanup_free_ char *raw = NULL;
	char *text;

	if (vasprintf(&raw, format, ap) < 0) {
		raw = NULL;
		return -ENOMEM;
	}
	text = text_escape_dup(TEXT_TERMINAL, raw);
	if (!text)
		return -ENOMEM;
	*ret = (struct cell){ text, style };
	return 0;
}

int text_table_cell(struct text_table *table, enum text_style style, const char *format, ...)
{
	va_list ap;
	int r;

	if (table->n_cells == table->allocated && grow(table) < 0)
		return -ENOMEM;
	va_start(ap, format);
	r = format_cell(&table->cells[table->n_cells], style, format, ap);
	va_end(ap);
	if (r == 0)
		table->n_cells++;
	return r;
}

int text_table_set(struct text_table *table, size_t row, size_t column, enum text_style style,
		   const char *format, ...)
{
	struct cell *cell = &table->cells[row * table->n_columns + column];
	char *before = cell->text;
	va_list ap;
	int r;

	va_start(ap, format);
	r = format_cell(cell, style, format, ap);
	va_end(ap);
	if (r == 0)
		free(before);
	return r;
}

void text_table_hide(struct text_table *table, size_t column)
{
	table->hidden[column] = true;
}

/* The first character's bytes and columns. */
static size_t next_char(const char *text, unsigned *ret_width)
{
	uint32_t c = 0;
	size_t n = text_utf8_char(text, &c);
	int width = n > 0 ? wcwidth((wchar_t)c) : 1;

	*ret_width = width < 0 ? 1 : (unsigned)width;
	return MAX(n, (size_t)1);
}

/* Columns of the first n bytes. */
static unsigned width_of(const char *text, size_t n)
{
	unsigned sum = 0, width;
	size_t at = 0;

	while (at < n && text[at]) {
		at += next_char(text + at, &width);
		sum += width;
	}
	return sum;
}

/* Bytes of text that fit into width columns. */
static size_t fitting(const char *text, unsigned width)
{
	unsigned sum = 0, one;
	size_t n = 0, size;

	while (text[n]) {
		size = next_char(text + n, &one);
		if (sum + one > width)
			break;
		sum += one;
		n += size;
	}
	return n;
}

/* wcwidth() in the "C" locale knows ASCII only. */
static locale_t begin_utf8(locale_t *ret_own)
{
	*ret_own = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	return *ret_own ? uselocale(*ret_own) : (locale_t)0;
}

static void end_utf8(locale_t own, locale_t before)
{
	if (!own)
		return;
	uselocale(before);
	freelocale(own);
}

unsigned text_width(const char *text)
{
	locale_t own, before = begin_utf8(&own);
	unsigned width = width_of(text, SIZE_MAX);

	end_utf8(own, before);
	return width;
}

static const char *cell_text(const struct text_table *table, size_t row, size_t column)
{
	return table->cells[row * table->n_columns + column].text;
}

static void measure(const struct text_table *table, struct layout *layout)
{
	for (size_t c = 0; c < table->n_columns; c++) {
		unsigned widest = 0;

		for (size_t row = 0; row < text_table_rows(table); row++)
			widest = MAX(widest, width_of(cell_text(table, row, c), SIZE_MAX));
		layout->shown[c] = !table->hidden[c] && (widest > 0 || !table->columns[c].optional);
		layout->width[c] = MAX(widest, width_of(table->columns[c].title, SIZE_MAX));
	}
}

/* The width of a line, and how much of it cutting could save. */
static unsigned line_width(const struct text_table *table, const struct layout *layout,
			   unsigned *ret_slack)
{
	unsigned sum = 0;

	*ret_slack = 0;
	for (size_t c = 0; c < table->n_columns; c++) {
		unsigned min = table->columns[c].min;

		if (!layout->shown[c])
			continue;
		sum += layout->width[c] + (sum > 0 ? SEPARATOR : 0);
		if (min > 0 && layout->width[c] > min)
			*ret_slack += layout->width[c] - min;
	}
	return sum;
}

/* False: there is none that may go. */
static bool drop_column(const struct text_table *table, struct layout *layout)
{
	size_t victim = table->n_columns;

	for (size_t c = 0; c < table->n_columns; c++)
		if (layout->shown[c] && table->columns[c].drop > 0 &&
		    (victim == table->n_columns ||
		     table->columns[c].drop > table->columns[victim].drop))
			victim = c;
	if (victim == table->n_columns)
		return false;
	layout->shown[victim] = false;
	return true;
}

/* Takes one column of width from the widest that may be cut. False: none may. */
static bool narrow(const struct text_table *table, struct layout *layout)
{
	size_t widest = table->n_columns;

	for (size_t c = 0; c < table->n_columns; c++) {
		unsigned min = table->columns[c].min;

		if (layout->shown[c] && min > 0 && layout->width[c] > min &&
		    (widest == table->n_columns || layout->width[c] > layout->width[widest]))
			widest = c;
	}
	if (widest == table->n_columns)
		return false;
	layout->width[widest]--;
	return true;
}

static void lay_out(const struct text_table *table, unsigned width, struct layout *layout)
{
	unsigned line, slack;

	measure(table, layout);
	if (width > 0) {
		line = line_width(table, layout, &slack);
		while (line > width && line - slack > width && drop_column(table, layout))
			line = line_width(table, layout, &slack);
		while (line_width(table, layout, &slack) > width && narrow(table, layout))
			;
	}
	for (size_t c = 0; c < table->n_columns; c++)
		if (layout->shown[c])
			layout->last = c;
}

const char *text_style_begin(enum text_style style, const struct text_look *look)
{
	static const char *const codes[] = {
		[STYLE_PLAIN] = "",	    [STYLE_GOOD] = "\033[32m", [STYLE_WARN] = "\033[33m",
		[STYLE_BAD] = "\033[1;31m", [STYLE_FAINT] = "\033[2m", [STYLE_TITLE] = "\033[1m",
	};

	return look->color ? codes[style] : "";
}

const char *text_style_end(enum text_style style, const struct text_look *look)
{
	return look->color && style != STYLE_PLAIN ? "\033[0m" : "";
}

/* One line while it is written. Blanks wait, so that no line ends in them. */
struct line {
	FILE *out;
	const struct text_look *look;
	unsigned blanks;
};

static void print_text(struct line *line, enum text_style style, const char *text, size_t n)
{
	if (n == 0)
		return;
	fprintf(line->out, "%*s%s%.*s%s", (int)line->blanks, "",
		text_style_begin(style, line->look), (int)n, text,
		text_style_end(style, line->look));
	line->blanks = 0;
}

/* text in width columns, with an ellipsis where something was taken out; to be freed. */
static char *cut_text(const char *text, unsigned width, bool keep_port, bool utf8)
{
	const char *tail = keep_port ? strrchr(text, ':') : NULL;
	unsigned tail_width = tail ? width_of(tail, SIZE_MAX) : 0;
	char *cut;

	if (tail_width + 2 > width) {
		tail = NULL;
		tail_width = 0;
	}
	if (asprintf(&cut, "%.*s%s%s", (int)fitting(text, MAX(width, 1U) - 1 - tail_width), text,
		     utf8 ? "…" : "~", tail ? tail : "") < 0)
		return NULL;
	return cut;
}

unsigned text_print_cut(const char *text, unsigned width, const struct text_look *look, FILE *out)
{
	locale_t own, before = begin_utf8(&own);
	_cleanup_free_ char *cut = NULL;
	unsigned used = width_of(text, SIZE_MAX);

	if (width > 0 && used > width) {
		cut = cut_text(text, width, false, look->utf8);
		text = cut ? cut : "";
		used = width_of(text, SIZE_MAX);
	}
	fputs(text, out);
	end_utf8(own, before);
	return used;
}

/* Writes text into the column's width; what does not fit is cut. */
static void print_cell(struct line *line, const char *text, enum text_style style,
		       const struct text_table_column *column, unsigned width)
{
	_cleanup_free_ char *cut = NULL;
	unsigned used = width_of(text, SIZE_MAX), rest;

	if (used > width) {
		cut = cut_text(text, width, column->keep_port, line->look->utf8);
		text = cut ? cut : "";
		used = width_of(text, SIZE_MAX);
	}
	rest = width > used ? width - used : 0;
	line->blanks += column->right ? rest : 0;
	print_text(line, style, text, strlen(text));
	line->blanks += column->right ? 0 : rest;
}

/* Bytes of text that go into a line of width: up to a blank if there is one. */
static size_t line_break(const char *text, unsigned width)
{
	size_t n = fitting(text, MAX(width, 1U));

	if (text[n] == '\0')
		return n;
	for (size_t at = n; at > 0; at--)
		if (text[at] == ' ')
			return at;
	return MAX(n, (size_t)1);
}

/* Writes text over as many lines as it takes, all beginning at the column indent. */
static void print_wrapped(struct line *line, const char *text, enum text_style style,
			  unsigned indent, unsigned width)
{
	size_t n = line_break(text, width);

	for (;;) {
		print_text(line, style, text, n);
		text += n;
		text += strspn(text, " ");
		if (*text == '\0')
			return;
		fputc('\n', line->out);
		line->blanks = indent;
		n = line_break(text, width);
	}
}

static void print_row(const struct text_table *table, const struct layout *layout,
		      const struct cell *cells, const struct text_look *look, FILE *out)
{
	struct line line = { .out = out, .look = look };
	unsigned at = 0;

	for (size_t c = 0; c < table->n_columns; c++) {
		const struct text_table_column *column = &table->columns[c];
		const char *text = cells ? cells[c].text : column->title;
		enum text_style style = cells ? cells[c].style : STYLE_TITLE;

		if (!layout->shown[c])
			continue;
		if (at > 0) {
			line.blanks += SEPARATOR;
			at += SEPARATOR;
		}
		if (column->wrap && c == layout->last)
			print_wrapped(&line, text, style, at, layout->width[c]);
		else
			print_cell(&line, text, style, column, layout->width[c]);
		at += layout->width[c];
	}
	fputc('\n', out);
}

void text_table_print(const struct text_table *table, const struct text_look *look, FILE *out)
{
	locale_t own, before = begin_utf8(&own);
	struct layout layout = {};

	lay_out(table, look->width, &layout);
	print_row(table, &layout, NULL, look, out);
	for (size_t row = 0; row < text_table_rows(table); row++)
		print_row(table, &layout, &table->cells[row * table->n_columns], look, out);
	end_utf8(own, before);
}
