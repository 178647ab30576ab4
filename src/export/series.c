/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows are found through a table of hashes (rows of equal hash form a chain, and labels are always
 * compared in full) and walked in the order of their birth: the array `rows` is only appended to
 * and compacted, so a birth number is a cursor that survives both.
 */
#include "export/series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hashmap.h"
#include "base/text.h"
#include "base/util.h"

/* Overflow rows are one per kind, role and protocol: five roles, 256 protocols at the very most. */
#define OVERFLOW_ROWS_MAX (SERIES_KIND_MAX_ * 5 * 256)

struct series {
	struct hashmap *by_hash; /* uint64_t -> struct series_row *, the first of the chain */
	struct series_row **rows; /* by birth */
	size_t n_rows, n_allocated;
	size_t n_series, max_series; /* without the overflow rows */
	size_t row_bytes;
	uint64_t born; /* rows made so far */
	uint64_t ttl_ns;
	uint64_t seed;
};

static const struct {
	uint8_t n_values;
	uint8_t n_series; /* what a row costs */
} kinds[] = {
	[SERIES_PAIR] = { VALUE_PAIR_END_, 4 },
	[SERIES_TCP_PAIR] = { VALUE_TCP_PAIR_END_, 8 },
	[SERIES_DROPS] = { VALUE_DROPS_END_, 1 },
};

/* The labels of a row one behind the other, each with its NUL: what makes it the row it is. */
struct row_key {
	size_t size;
	uint64_t hash;
	char labels[SERIES_LABELS * (SERIES_LABEL_MAX + 1)];
};

int series_new(size_t max_series, uint64_t ttl_ns, struct series **ret)
{
	struct series *series = calloc(1, sizeof(*series));
	int r;

	if (!series)
		return -ENOMEM;
	r = hashmap_new(sizeof(uint64_t), sizeof(struct series_row *),
			max_series + OVERFLOW_ROWS_MAX, &series->by_hash);
	if (r < 0) {
		free(series);
		return r;
	}
	series->max_series = max_series;
	series->ttl_ns = ttl_ns;
	if (getrandom(&series->seed, sizeof(series->seed), GRND_NONBLOCK) < 0)
		series->seed = (uintptr_t)series;
	*ret = series;
	return 0;
}

struct series *series_free(struct series *series)
{
	if (!series)
		return NULL;
	for (size_t i = 0; i < series->n_rows; i++)
		free(series->rows[i]);
	free(series->rows);
	hashmap_free(series->by_hash);
	free(series);
	return NULL;
}

static char *row_labels(const struct series_row *row)
{
	return (char *)(row->values + kinds[row->kind].n_values);
}

void series_labels(const struct series_row *row, const char *ret[static SERIES_LABELS])
{
	const char *label = row_labels(row);

	for (size_t i = 0; i < SERIES_LABELS; i++) {
		ret[i] = label;
		label += strlen(label) + 1;
	}
}

/* Copies a label; what is not short plain ASCII goes through text_escape(). */
static size_t clean_label(const char *label, char buf[static SERIES_LABEL_MAX + 1])
{
	size_t n = 0;

	while (n < SERIES_LABEL_MAX && label[n] != '\0' && (uint8_t)label[n] < 0x80) {
		buf[n] = label[n];
		n++;
	}
	if (label[n] != '\0')
		return text_escape(TEXT_PLAIN, label, buf, SERIES_LABEL_MAX + 1);
	buf[n] = '\0';
	return n;
}

/* FNV-1a over the labels, from a random start: names come from strangers. */
static void key_make(const struct series *series, enum series_kind kind,
		     const char *const labels[static SERIES_LABELS], struct row_key *key)
{
	uint64_t hash = series->seed ^ kind;

	key->size = 0;
	for (size_t i = 0; i < SERIES_LABELS; i++)
		key->size += clean_label(labels[i], key->labels + key->size) + 1;
	for (size_t i = 0; i < key->size; i++)
		hash = (hash ^ (uint8_t)key->labels[i]) * UINT64_C(0x100000001b3);
	key->hash = hash;
}

static struct series_row *row_find(const struct series *series, enum series_kind kind,
				   const struct row_key *key)
{
	struct series_row **first = hashmap_get(series->by_hash, &key->hash);
	struct series_row *row = first ? *first : NULL;

	while (row && (row->kind != kind || row->labels_size != key->size ||
		       memcmp(row_labels(row), key->labels, key->size) != 0))
		row = row->next;
	return row;
}

static size_t row_size(const struct series_row *row)
{
	return sizeof(*row) + kinds[row->kind].n_values * sizeof(row->values[0]) + row->labels_size;
}

static int rows_reserve(struct series *series)
{
	size_t n = MAX(2 * series->n_allocated, (size_t)64);
	struct series_row **rows;

	if (series->n_rows < series->n_allocated)
		return 0;
	rows = reallocarray(series->rows, n, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	series->rows = rows;
	series->n_allocated = n;
	return 0;
}

static struct series_row *row_new(struct series *series, enum series_kind kind,
				  const struct row_key *key)
{
	struct series_row *row, **first;

	if (rows_reserve(series) < 0)
		return NULL;
	row = calloc(1, sizeof(*row) + kinds[kind].n_values * sizeof(row->values[0]) + key->size);
	if (!row)
		return NULL;
	first = hashmap_put(series->by_hash, &key->hash, NULL);
	if (!first) {
		free(row);
		return NULL;
	}
	row->next = *first;
	*first = row;
	row->hash = key->hash;
	row->kind = (uint8_t)kind;
	row->labels_size = (uint16_t)key->size;
	memcpy(row_labels(row), key->labels, key->size);
	row->born = series->born++;
	series->rows[series->n_rows++] = row;
	series->row_bytes += row_size(row);
	return row;
}

struct series_row *series_overflow(struct series *series, enum series_kind kind, const char *role,
				   const char *protocol)
{
	const char *labels[SERIES_LABELS];
	struct series_row *row;
	struct row_key key;

	for (size_t i = 0; i < SERIES_LABELS; i++)
		labels[i] = "";
	labels[LABEL_ROLE] = role;
	labels[LABEL_PROTOCOL] = protocol;
	labels[LABEL_OVERFLOW] = "true";
	key_make(series, kind, labels, &key);
	row = row_find(series, kind, &key);
	if (!row)
		row = row_new(series, kind, &key);
	if (row)
		row->overflow = true;
	return row;
}

struct series_row *series_get(struct series *series, enum series_kind kind,
			      const char *const labels[static SERIES_LABELS])
{
	struct series_row *row;
	struct row_key key;

	key_make(series, kind, labels, &key);
	row = row_find(series, kind, &key);
	if (!row && series->n_series + kinds[kind].n_series > series->max_series)
		return series_overflow(series, kind, labels[LABEL_ROLE], labels[LABEL_PROTOCOL]);
	if (!row) {
		row = row_new(series, kind, &key);
		if (!row)
			return NULL;
		series->n_series += kinds[kind].n_series;
	}
	row->fresh = true;
	return row;
}

/* Takes the row out of its chain and frees it; the array is the caller's. */
static void row_expire(struct series *series, struct series_row *row)
{
	struct series_row **link = hashmap_get(series->by_hash, &row->hash);
	struct series_row **first = link;

	while (*link != row)
		link = &(*link)->next;
	*link = row->next;
	if (!*first)
		hashmap_remove(series->by_hash, &row->hash);
	series->n_series -= kinds[row->kind].n_series;
	series->row_bytes -= row_size(row);
	free(row);
}

void series_step(struct series *series, uint64_t now_ns)
{
	size_t kept = 0;

	for (size_t i = 0; i < series->n_rows; i++) {
		struct series_row *row = series->rows[i];

		if (row->fresh)
			row->added_ns = now_ns;
		row->fresh = false;
		if (row->overflow || now_ns - row->added_ns <= series->ttl_ns)
			series->rows[kept++] = row;
		else
			row_expire(series, row);
	}
	series->n_rows = kept;
}

uint64_t series_end(const struct series *series)
{
	return series->born;
}

/* The index of the first row that was born at `born` or later. */
static size_t rows_search(const struct series *series, uint64_t born)
{
	size_t low = 0, high = series->n_rows;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (series->rows[middle]->born < born)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct series_row *series_next(const struct series *series, uint64_t end, uint64_t *pos)
{
	size_t i = rows_search(series, *pos);

	if (i == series->n_rows || series->rows[i]->born >= end)
		return NULL;
	*pos = series->rows[i]->born + 1;
	return series->rows[i];
}

void series_figures(const struct series *series, struct series_figures *ret)
{
	*ret = (struct series_figures){
		.n_series = series->n_series,
		.n_rows = series->n_rows,
		.bytes = sizeof(*series) + series->row_bytes +
			 series->n_allocated * sizeof(series->rows[0]) +
			 hashmap_bytes(series->by_hash),
	};
}
