/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Metrics as text: the Prometheus exposition format 0.0.4 and OpenMetrics 1.0.0. Each function
 * writes whole lines into buf and returns their length, or returns 0 and leaves nothing usable in
 * buf when size is too small; there is no NUL behind the text. The lines of one family must follow
 * its header, and no other family may come in between.
 */
#pragma once

#include <stddef.h>

#include "model/metric.h"

enum prometheus_format {
	PROMETHEUS_TEXT,
	PROMETHEUS_OPENMETRICS,
};

/* Longer label values are cut (bytes, escapes included). */
#define PROMETHEUS_LABEL_MAX 511
/* Enough for any header or value, and for a histogram of 16 bounds with one label. */
#define PROMETHEUS_LINES_MAX 16384

/* The Content-Type of the format. */
const char *prometheus_content_type(enum prometheus_format format);

/* HELP, TYPE and (OpenMetrics) UNIT of the family. */
size_t prometheus_header(enum prometheus_format format, enum metric_id id, char *buf, size_t size);

/* A counter or gauge. label_values as metric_emit() takes them. */
size_t prometheus_value(enum metric_id id, const char *const *label_values, double value, char *buf,
			size_t size);

/* The _bucket, _sum and _count lines; le="+Inf" included. */
size_t prometheus_histogram(enum metric_id id, const char *const *label_values,
			    const struct metric_histogram *h, char *buf, size_t size);

/* What ends the exposition: "# EOF" in OpenMetrics, nothing (0) in the older format. */
size_t prometheus_end(enum prometheus_format format, char *buf, size_t size);
