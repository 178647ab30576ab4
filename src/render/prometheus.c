/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sources: the Prometheus "Exposition formats" page (text 0.0.4) and the OpenMetrics specification
 * 1.0.0. Where the two agree we write the same bytes, so that a series keeps its identity when a
 * scraper changes the format: le="1.0", never le="1", in both.
 */
#include "render/prometheus.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

struct writer {
	char *buf;
	size_t size, used;
	bool full; /* something did not fit: what is there is of no use */
};

static void put_bytes(struct writer *w, const char *bytes, size_t n)
{
	if (w->full || n > w->size - w->used) {
		w->full = true;
		return;
	}
	memcpy(w->buf + w->used, bytes, n);
	w->used += n;
}

static void put(struct writer *w, const char *text)
{
	put_bytes(w, text, strlen(text));
}

static size_t written(const struct writer *w)
{
	return w->full ? 0 : w->used;
}

/* Most values are plain ASCII: they are copied; only the others pay for text_escape(), which cuts
 * what is too long. */
static void put_label_value(struct writer *w, const char *value)
{
	char escaped[PROMETHEUS_LABEL_MAX + 1];
	size_t n = 0;

	while (n < PROMETHEUS_LABEL_MAX && value[n] >= 0x20 && value[n] < 0x7f &&
	       value[n] != '\\' && value[n] != '"')
		n++;
	if (value[n] == '\0') {
		put_bytes(w, value, n);
		return;
	}
	put_bytes(w, escaped, text_escape(TEXT_LABEL, value, escaped, sizeof(escaped)));
}

/* The shortest decimal that reads back as the same number. */
static void put_number(struct writer *w, double value)
{
	char text[32];

	if (isnan(value)) {
		put(w, "NaN");
		return;
	}
	if (isinf(value)) {
		put(w, value > 0 ? "+Inf" : "-Inf");
		return;
	}
	if (value >= 0 && value < 0x1p63 && value == (double)(uint64_t)value)
		snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	else if (snprintf(text, sizeof(text), "%.15g", value), strtod(text, NULL) != value)
		snprintf(text, sizeof(text), "%.17g", value);
	put(w, text);
}

static void put_label(struct writer *w, bool first, const char *name, const char *value)
{
	put(w, first ? "{" : ",");
	put(w, name);
	put(w, "=\"");
	put_label_value(w, value);
	put(w, "\"");
}

/* le may be NULL; empty values are left out, which means the same to Prometheus. */
static void put_labels(struct writer *w, const struct metric_family *family,
		       const char *const *values, const char *le)
{
	bool first = true;

	for (size_t i = 0; family->labels[i]; i++) {
		if (values[i][0] == '\0')
			continue;
		put_label(w, first, family->labels[i], values[i]);
		first = false;
	}
	if (le) {
		put_label(w, first, "le", le);
		first = false;
	}
	if (!first)
		put(w, "}");
}

static void put_sample(struct writer *w, const struct metric_family *family, const char *suffix,
		       const char *const *values, const char *le, double value)
{
	put(w, family->name);
	put(w, suffix);
	put_labels(w, family, values, le);
	put(w, " ");
	put_number(w, value);
	put(w, "\n");
}

const char *prometheus_content_type(enum prometheus_format format)
{
	return format == PROMETHEUS_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}

/* "# HELP name text": NAME has the _total of a counter only in the older format. */
static void put_comment(struct writer *w, enum prometheus_format format,
			const struct metric_family *family, const char *word, const char *text)
{
	put(w, "# ");
	put(w, word);
	put(w, " ");
	put(w, family->name);
	if (format == PROMETHEUS_TEXT && family->type == METRIC_COUNTER)
		put(w, "_total");
	put(w, " ");
	put(w, text);
	put(w, "\n");
}

size_t prometheus_header(enum prometheus_format format, enum metric_id id, char *buf, size_t size)
{
	static const char *const types[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
	};
	const struct metric_family *family = &metric_families[id];
	struct writer w = { .buf = buf, .size = size };

	put_comment(&w, format, family, "HELP", family->help);
	put_comment(&w, format, family, "TYPE", types[family->type]);
	if (format == PROMETHEUS_OPENMETRICS && family->unit[0] != '\0')
		put_comment(&w, format, family, "UNIT", family->unit);
	return written(&w);
}

size_t prometheus_value(enum metric_id id, const char *const *label_values, double value, char *buf,
			size_t size)
{
	const struct metric_family *family = &metric_families[id];
	struct writer w = { .buf = buf, .size = size };

	put_sample(&w, family, family->type == METRIC_COUNTER ? "_total" : "", label_values, NULL,
		   value);
	return written(&w);
}

/* A bound as OpenMetrics wants it: with a point even when it is a whole number. */
static void format_bound(double bound, char *buf, size_t size)
{
	struct writer w = { .buf = buf, .size = size - 1 };

	put_number(&w, bound);
	if (bound == (double)(int64_t)bound)
		put(&w, ".0");
	buf[w.used] = '\0';
}

size_t prometheus_histogram(enum metric_id id, const char *const *label_values,
			    const struct metric_histogram *h, char *buf, size_t size)
{
	const struct metric_family *family = &metric_families[id];
	struct writer w = { .buf = buf, .size = size };
	uint64_t below = 0;
	char le[40];

	for (size_t i = 0; i < family->n_bounds; i++) {
		below += h->counts[i];
		format_bound(family->bounds[i], le, sizeof(le));
		put_sample(&w, family, "_bucket", label_values, le, (double)below);
	}
	put_sample(&w, family, "_bucket", label_values, "+Inf", (double)h->count);
	put_sample(&w, family, "_sum", label_values, NULL, h->sum);
	put_sample(&w, family, "_count", label_values, NULL, (double)h->count);
	return written(&w);
}

size_t prometheus_end(enum prometheus_format format, char *buf, size_t size)
{
	struct writer w = { .buf = buf, .size = size };

	if (format == PROMETHEUS_OPENMETRICS)
		put(&w, "# EOF\n");
	return written(&w);
}
