/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The metric families that we export: one table (metric.c), from which the exporters, HELP and TYPE
 * lines and doc/METRICS.md are made. A part of the daemon that has numbers of its own implements
 * "void x_metrics(const struct x *, struct metric_sink *)" and calls metric_emit().
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum metric_type {
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_HISTOGRAM,
};

enum metric_id {
	/* flows, by workload pair */
	METRIC_CONNECTION_TRAFFIC_BYTES,
	METRIC_CONNECTION_TRAFFIC_PACKETS,
	METRIC_TCP_RETRANSMITS,
	METRIC_TCP_RESETS,
	METRIC_TCP_FAILED_CONNECTS,
	METRIC_TCP_RTT,
	METRIC_SKB_DROPS,
	/* flows, in sums */
	METRIC_ACTIVE_CONNECTIONS,
	METRIC_CONNECTION_TRACKING_INFO,
	METRIC_UNTRACKED_BYTES,
	METRIC_UNTRACKED_PACKETS,
	/* ourselves */
	METRIC_BPF_LOAD_STATUS,
	METRIC_BPF_PROGRAMS_LOADED,
	METRIC_BPF_LOAD_ATTEMPTS,
	METRIC_BPF_LOAD_DURATION,
	METRIC_BPF_MAP_UTILIZATION,
	METRIC_OVERFLOW_FLOWS,
	METRIC_BATCH_SIZE,
	METRIC_COLLECTION_DURATION,
	METRIC_ERRORS,
	METRIC_EVENTS,
	METRIC_DROPS,
	METRIC_SERIES_OVERFLOW,
	METRIC_CPU_SECONDS,
	METRIC_ANON_BYTES,
	METRIC_BPF_BYTES,
	METRIC_RSS_BYTES,
	METRIC_BUILD_INFO,
	METRIC_MAX_,
};

#define METRIC_LABELS_MAX 12

struct metric_family {
	const char *name; /* without the _total of a counter */
	enum metric_type type;
	const char *unit; /* "bytes", "seconds" or "" (OpenMetrics UNIT) */
	const char *help;
	const char *labels[METRIC_LABELS_MAX + 1]; /* in this order; NULL-terminated */
	const double *bounds; /* histogram: upper bounds, ascending */
	size_t n_bounds;
};

extern const struct metric_family metric_families[METRIC_MAX_];

/* One histogram: counts[i] is of values <= bounds[i], not cumulative; counts[n_bounds] the rest. */
struct metric_histogram {
	const uint64_t *counts;
	double sum;
	uint64_t count;
};

struct metric_sink {
	void (*value)(struct metric_sink *sink, enum metric_id id, const char *const *label_values,
		      double value);
	void (*histogram)(struct metric_sink *sink, enum metric_id id,
			  const char *const *label_values, const struct metric_histogram *h);
};

/* label_values: as many as the family has labels, in its order; "" is left out of the output. */
static inline void metric_emit(struct metric_sink *sink, enum metric_id id,
			       const char *const *label_values, double value)
{
	sink->value(sink, id, label_values, value);
}
