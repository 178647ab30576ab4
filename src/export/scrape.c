/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The page goes family by family, because a family's lines must stand together; within a family
 * first what the daemon's parts told, then the rows that have such a number.
 */
#include "export/scrape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* The lines of one family that the daemon's parts told, header included. */
struct told {
	char *text;
	size_t size, allocated;
};

struct scrape {
	struct metric_sink sink;
	const struct series *series;
	enum prometheus_format format;
	struct told told[METRIC_MAX_];
	int error; /* of the sink */

	/* Where we are. */
	unsigned family;
	bool told_sent, header_sent, end_sent;
	uint64_t end, pos; /* in the rows */
	const char *piece; /* told text or lines */
	size_t piece_size, piece_sent;
	char lines[PROMETHEUS_LINES_MAX];
};

#define BIT(kind) (1u << (kind))

/* The families that rows have numbers of. */
static const struct {
	unsigned kinds; /* of rows */
	uint8_t value; /* with directions: tx, and rx behind it */
	bool directions;
	double unit; /* what 1 is in the family's unit */
	bool optional; /* 0 = not known */
} row_families[METRIC_MAX_] = {
	[METRIC_CONNECTION_TRAFFIC_BYTES] = { BIT(SERIES_PAIR) | BIT(SERIES_TCP_PAIR),
					      VALUE_TX_BYTES, true, 1, false },
	[METRIC_CONNECTION_TRAFFIC_PACKETS] = { BIT(SERIES_PAIR) | BIT(SERIES_TCP_PAIR),
						VALUE_TX_PACKETS, true, 1, false },
	[METRIC_TCP_RETRANSMITS] = { BIT(SERIES_TCP_PAIR), VALUE_RETRANSMITS, false, 1, false },
	[METRIC_TCP_RESETS] = { BIT(SERIES_TCP_PAIR), VALUE_RESETS, false, 1, false },
	[METRIC_TCP_FAILED_CONNECTS] = { BIT(SERIES_TCP_PAIR), VALUE_FAILED_CONNECTS, false, 1,
					 false },
	[METRIC_TCP_RTT] = { BIT(SERIES_TCP_PAIR), VALUE_RTT_US, false, 1e-6, true },
	[METRIC_SKB_DROPS] = { BIT(SERIES_DROPS), VALUE_DROPS, false, 1, false },
};

/* --- what the parts tell --------------------------------------------------------------------- */

static void told_append(struct scrape *s, struct told *told, size_t n)
{
	size_t allocated = MAX(2 * told->allocated, told->size + n);
	char *text;

	if (told->size + n > told->allocated) {
		text = realloc(told->text, allocated);
		if (!text) {
			s->error = -ENOMEM;
			return;
		}
		told->text = text;
		told->allocated = allocated;
	}
	memcpy(told->text + told->size, s->lines, n);
	told->size += n;
}

/* The family's buffer, its header written. */
static struct told *told_begin(struct scrape *s, enum metric_id id)
{
	struct told *told = &s->told[id];

	if (told->size == 0)
		told_append(s, told, prometheus_header(s->format, id, s->lines, sizeof(s->lines)));
	return told;
}

static void on_value(struct metric_sink *sink, enum metric_id id, const char *const *label_values,
		     double value)
{
	struct scrape *s = (struct scrape *)sink;
	struct told *told = told_begin(s, id);

	told_append(s, told, prometheus_value(id, label_values, value, s->lines, sizeof(s->lines)));
}

static void on_histogram(struct metric_sink *sink, enum metric_id id,
			 const char *const *label_values, const struct metric_histogram *h)
{
	struct scrape *s = (struct scrape *)sink;
	struct told *told = told_begin(s, id);

	told_append(s, told, prometheus_histogram(id, label_values, h, s->lines, sizeof(s->lines)));
}

int scrape_new(const struct export_env *env, const struct series *series,
	       enum prometheus_format format, struct scrape **ret)
{
	struct scrape *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->sink = (struct metric_sink){ on_value, on_histogram };
	s->series = series;
	s->format = format;
	s->end = series_end(series);
	env->collect(env->userdata, &s->sink);
	if (s->error < 0) {
		r = s->error;
		scrape_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct scrape *scrape_free(struct scrape *scrape)
{
	if (!scrape)
		return NULL;
	for (size_t i = 0; i < METRIC_MAX_; i++)
		free(scrape->told[i].text);
	free(scrape);
	return NULL;
}

/* --- the page -------------------------------------------------------------------------------- */

/* The row's lines of the current family, behind the n bytes that are in s->lines. */
static size_t put_row(struct scrape *s, const struct series_row *row, size_t n)
{
	const unsigned value = row_families[s->family].value;
	const double unit = row_families[s->family].unit;
	const char *labels[SERIES_LABELS];

	series_labels(row, labels);
	if (!row_families[s->family].directions) {
		/* Only drops have a label of their own before those of the pair. */
		const char *const *values = labels + (row->kind != SERIES_DROPS);

		return n + prometheus_value(s->family, values, (double)row->values[value] * unit,
					    s->lines + n, sizeof(s->lines) - n);
	}
	for (unsigned rx = 0; rx < 2; rx++) {
		labels[0] = rx ? "rx" : "tx";
		n += prometheus_value(s->family, labels, (double)row->values[value + rx],
				      s->lines + n, sizeof(s->lines) - n);
	}
	return n;
}

/* Makes the lines of the next row that has the current family; false if there is none left. */
static bool next_row(struct scrape *s)
{
	const struct series_row *row;
	size_t n = 0;

	do {
		row = series_next(s->series, s->end, &s->pos);
		if (!row)
			return false;
	} while (!(row_families[s->family].kinds & BIT(row->kind)) ||
		 (row_families[s->family].optional &&
		  row->values[row_families[s->family].value] == 0));
	if (!s->header_sent)
		n = prometheus_header(s->format, s->family, s->lines, sizeof(s->lines));
	s->header_sent = true;
	s->piece = s->lines;
	s->piece_size = put_row(s, row, n);
	return true;
}

static bool next_told(struct scrape *s)
{
	const struct told *told = &s->told[s->family];

	if (s->told_sent || told->size == 0)
		return false;
	s->told_sent = s->header_sent = true;
	s->piece = told->text;
	s->piece_size = told->size;
	return true;
}

/* Makes the next piece of the page; false at the end. */
static bool next_piece(struct scrape *s)
{
	s->piece_sent = s->piece_size = 0;
	for (; s->family < METRIC_MAX_; s->family++) {
		if (next_told(s) || (row_families[s->family].kinds && next_row(s)))
			return true;
		s->told_sent = s->header_sent = false;
		s->pos = 0;
	}
	if (s->end_sent)
		return false;
	s->end_sent = true;
	s->piece = s->lines;
	s->piece_size = prometheus_end(s->format, s->lines, sizeof(s->lines));
	return s->piece_size > 0;
}

size_t scrape_read(struct scrape *scrape, char *buf, size_t size)
{
	size_t n, used = 0;

	while (used < size) {
		if (scrape->piece_sent == scrape->piece_size && !next_piece(scrape))
			break;
		n = MIN(size - used, scrape->piece_size - scrape->piece_sent);
		memcpy(buf + used, scrape->piece + scrape->piece_sent, n);
		scrape->piece_sent += n;
		used += n;
	}
	return used;
}
