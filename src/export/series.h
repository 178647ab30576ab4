/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state behind /metrics: one row per pair of workloads (and per drop reason), which holds the
 * numbers of all series that this pair makes. Bounded: a row costs as many series as it makes, and
 * when max_series are taken, new pairs are added up in the overflow row of their role and protocol,
 * so the sum over all rows is always the sum of what was added. A row that nothing was added to for
 * the TTL goes away; if its pair comes back, that is a new series, which starts from 0.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum series_kind {
	SERIES_PAIR, /* traffic */
	SERIES_TCP_PAIR, /* traffic and TCP health */
	SERIES_DROPS, /* drops of a pair for one reason */
	SERIES_KIND_MAX_,
};

/* The labels of a row, in the order of the families' tables (model/metric.c). */
enum series_label {
	LABEL_REASON, /* of SERIES_DROPS; families of the other kinds have "direction" here */
	LABEL_LOCAL_KIND,
	LABEL_LOCAL_NAME,
	LABEL_LOCAL_NAMESPACE,
	LABEL_PEER_KIND,
	LABEL_PEER_NAME,
	LABEL_PEER_NAMESPACE,
	LABEL_ROLE,
	LABEL_PROTOCOL,
	LABEL_LOCAL_ADDRESS,
	LABEL_PEER_ADDRESS,
	LABEL_OVERFLOW,
	SERIES_LABELS,
};

/* What the rows of a kind count; the kind says which of them mean something. */
enum series_value {
	VALUE_TX_BYTES,
	VALUE_RX_BYTES,
	VALUE_TX_PACKETS,
	VALUE_RX_PACKETS,
	VALUE_PAIR_END_,
	VALUE_RETRANSMITS = VALUE_PAIR_END_,
	VALUE_RESETS,
	VALUE_FAILED_CONNECTS,
	VALUE_RTT_US, /* a gauge; 0 = not known, and then no series */
	VALUE_RTT_STEP, /* the step that VALUE_RTT_US is of */
	VALUE_TCP_PAIR_END_,
	VALUE_DROPS = 0,
	VALUE_DROPS_END_,
};

struct series_row {
	struct series_row *next; /* of the same hash */
	uint64_t hash;
	uint64_t born; /* number of rows made before it */
	uint64_t added_ns; /* the end of the last step in which it was added to */
	uint16_t labels_size;
	uint8_t kind;
	uint8_t fresh; /* added to in this step */
	uint8_t overflow; /* not counted in max_series, and without TTL */
	uint64_t values[]; /* as many as the kind has; behind them the labels, each with its NUL */
};

struct series;

int series_new(size_t max_series, uint64_t ttl_ns, struct series **ret);
struct series *series_free(struct series *series); /* takes NULL */

/*
 * The row to add to: that of the labels, made if need be, or the overflow row. Label values are
 * made valid UTF-8 and cut to SERIES_LABEL_MAX bytes first, so that no two rows ever print alike.
 * NULL without memory. Valid until series_step().
 */
#define SERIES_LABEL_MAX 255
struct series_row *series_get(struct series *series, enum series_kind kind,
			      const char *const labels[static SERIES_LABELS]);

/* The overflow row, for what has no pair anyway. NULL without memory. */
struct series_row *series_overflow(struct series *series, enum series_kind kind, const char *role,
				   const char *protocol);

/* A step has ended at now_ns (monotonic): rows that the TTL has passed for go. */
void series_step(struct series *series, uint64_t now_ns);

/* The labels of the row; they point into it. */
void series_labels(const struct series_row *row, const char *ret[static SERIES_LABELS]);

/*
 * Goes through the rows that are older than `end` (take it from series_end() at the start): begin
 * with *pos = 0, NULL at the end. Rows may come and go between two calls: one that stays is
 * returned exactly once, and no labels are returned twice.
 */
uint64_t series_end(const struct series *series);
const struct series_row *series_next(const struct series *series, uint64_t end, uint64_t *pos);

struct series_figures {
	size_t n_series, n_rows;
	size_t bytes; /* of memory */
};
void series_figures(const struct series *series, struct series_figures *ret);

static inline void series_free_p(struct series **series)
{
	series_free(*series);
}
