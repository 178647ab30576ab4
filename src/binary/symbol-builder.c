/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A sweep over the address space: symbols enter where they start into a heap whose top is the one
 * that wins; at each start and each end of a winner the range before it is written down. So any tangle
 * of overlaps becomes disjoint ranges in O(n log n), at most two for each symbol.
 */
#include "binary/symbol-builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "binary/array.h"

#define NAMES_MIN ((size_t)4096) /* bytes, to begin with */

struct entry {
	uint64_t start, end; /* end == start: reaches to the next, at most to .reach */
	uint64_t reach;
	uint32_t rank, preference, into;
	uint32_t name; /* offset in names */
	uint32_t new_name; /* offset in the table's names, once shown */
	bool shown;
};

struct range {
	uint64_t start, end;
	struct entry *entry;
};

struct symbol_builder {
	size_t max, max_names;
	struct array entries;
	char *names;
	size_t names_n, names_size;
	struct symbol_counts counts;
	/* of the sweep */
	struct entry **heap;
	size_t heap_n;
	struct range *ranges;
	size_t n_ranges;
};

int symbol_builder_new(size_t max, size_t max_names, struct symbol_builder **ret)
{
	struct symbol_builder *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->max = MIN(max, (size_t)SYMBOLS_MAX);
	b->max_names = MIN(max_names, (size_t)SYMBOL_NAMES_MAX);
	*ret = b;
	return 0;
}

struct symbol_builder *symbol_builder_free(struct symbol_builder *b)
{
	if (b) {
		array_done(&b->entries);
		free(b->names);
		free(b->heap);
		free(b->ranges);
	}
	free(b);
	return NULL;
}

static struct entry *entry_at(const struct symbol_builder *b, size_t i)
{
	return (struct entry *)b->entries.data + i;
}

static int copy_name(struct symbol_builder *b, const char *name, size_t length, uint32_t *ret)
{
	size_t size = b->names_size ? b->names_size : NAMES_MIN;
	char *grown;

	while (size < b->names_n + length + 1)
		size *= 2;
	if (size != b->names_size) {
		grown = realloc(b->names, size);
		if (!grown)
			return -ENOMEM;
		b->names = grown;
		b->names_size = size;
	}
	memcpy(b->names + b->names_n, name, length);
	b->names[b->names_n + length] = '\0';
	*ret = (uint32_t)b->names_n;
	b->names_n += length + 1;
	return 0;
}

/* Neither beyond 32 bits, where the table keeps sizes, nor around the end of the address space. */
static uint64_t end_after(uint64_t start, uint64_t size, uint32_t into)
{
	size = MIN(size, (uint64_t)(UINT32_MAX - into));
	return start + MIN(size, UINT64_MAX - start);
}

int symbol_builder_add(struct symbol_builder *b, const struct symbol *symbol)
{
	size_t length = strnlen(symbol->name, SYMBOL_NAME_MAX + 1);
	bool cut = length > SYMBOL_NAME_MAX;
	struct entry *entry;
	uint32_t name;
	int r;

	if (length == 0)
		return 0;
	length -= cut;
	b->counts.seen++;
	if (b->entries.n == b->max || b->names_n + length + 1 > b->max_names) {
		b->counts.over++;
		return 0;
	}
	r = copy_name(b, symbol->name, length, &name);
	if (r < 0)
		return r;
	entry = array_add(&b->entries, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	b->counts.cut += cut;
	*entry = (struct entry){
		.start = symbol->start,
		.end = end_after(symbol->start, symbol->size, symbol->into),
		.reach = symbol->reach,
		.rank = symbol->rank,
		.preference = symbol->preference,
		.into = symbol->into,
		.name = name,
	};
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static uint64_t end_of_open(const struct entry *e, uint64_t next)
{
	uint64_t end = MIN(next, e->reach);

	return end > e->start ? end_after(e->start, end - e->start, e->into) : e->start;
}

/* Rule 1. The entries are in order. */
static void end_open_ones(struct symbol_builder *b)
{
	uint64_t next = UINT64_MAX; /* the next start that is greater */

	for (size_t i = b->entries.n; i-- > 0;) {
		struct entry *e = entry_at(b, i);

		if (i + 1 < b->entries.n && entry_at(b, i + 1)->start > e->start)
			next = entry_at(b, i + 1)->start;
		if (e->end == e->start)
			e->end = end_of_open(e, next);
	}
}

static size_t underscores(const char *name)
{
	size_t n = strspn(name, "_");

	return n > 0 && (name[n] == 'Z' || name[n] == 'R') ? n - 1 : n;
}

/* Does x win over y where both are? Rules 2 to 4. */
static bool wins(const struct symbol_builder *b, const struct entry *x, const struct entry *y)
{
	const char *x_name = b->names + x->name, *y_name = b->names + y->name;

	if (x->rank != y->rank)
		return x->rank > y->rank;
	if (x->start != y->start)
		return x->start > y->start;
	if (x->preference != y->preference)
		return x->preference > y->preference;
	if (underscores(x_name) != underscores(y_name))
		return underscores(x_name) < underscores(y_name);
	return strcmp(x_name, y_name) < 0;
}

static void swap(struct entry **a, struct entry **b)
{
	struct entry *old = *a;

	*a = *b;
	*b = old;
}

static void heap_push(struct symbol_builder *b, struct entry *e)
{
	size_t i = b->heap_n++, parent;

	b->heap[i] = e;
	for (; i > 0; i = parent) {
		parent = (i - 1) / 2;
		if (!wins(b, b->heap[i], b->heap[parent]))
			return;
		swap(&b->heap[i], &b->heap[parent]);
	}
}

static void heap_pop(struct symbol_builder *b)
{
	size_t i = 0, child;

	b->heap[0] = b->heap[--b->heap_n];
	for (; (child = 2 * i + 1) < b->heap_n; i = child) {
		if (child + 1 < b->heap_n && wins(b, b->heap[child + 1], b->heap[child]))
			child++;
		if (!wins(b, b->heap[child], b->heap[i]))
			return;
		swap(&b->heap[i], &b->heap[child]);
	}
}

static void emit(struct symbol_builder *b, uint64_t start, uint64_t end, struct entry *e)
{
	struct range *last = b->n_ranges ? &b->ranges[b->n_ranges - 1] : NULL;

	e->shown = true;
	if (last && last->entry == e && last->end == start)
		last->end = end;
	else
		b->ranges[b->n_ranges++] = (struct range){ start, end, e };
}

static void sweep(struct symbol_builder *b)
{
	uint64_t here = 0, end;
	size_t i = 0;

	for (;;) {
		while (b->heap_n > 0 && b->heap[0]->end <= here)
			heap_pop(b);
		if (b->heap_n == 0 && i == b->entries.n)
			return;
		if (b->heap_n == 0)
			here = entry_at(b, i)->start;
		for (; i < b->entries.n && entry_at(b, i)->start == here; i++)
			if (entry_at(b, i)->end > here)
				heap_push(b, entry_at(b, i));
		if (b->heap_n == 0)
			continue;
		end = b->heap[0]->end;
		if (end <= here)
			continue;
		if (i < b->entries.n)
			end = MIN(end, entry_at(b, i)->start);
		emit(b, here, end, b->heap[0]);
		here = end;
	}
}

/* The names that are shown, at new offsets. Returns their size. */
static uint64_t place_names(struct symbol_builder *b)
{
	uint64_t size = 0;

	for (size_t i = 0; i < b->entries.n; i++) {
		struct entry *e = entry_at(b, i);

		if (!e->shown) {
			b->counts.hidden++;
			continue;
		}
		e->new_name = (uint32_t)size;
		size += strlen(b->names + e->name) + 1;
	}
	return size;
}

static void write_names(const struct symbol_builder *b, char *text)
{
	for (size_t i = 0; i < b->entries.n; i++)
		if (entry_at(b, i)->shown)
			strcpy(text + entry_at(b, i)->new_name, b->names + entry_at(b, i)->name);
}

static void write_ranges(const struct symbol_builder *b, struct symbol_image *image)
{
	uint64_t *wide = (uint64_t *)(image + 1);
	uint32_t *narrow = (uint32_t *)(image + 1);
	uint32_t *sizes = narrow + image->n * (image->start_size / sizeof(*narrow));
	uint32_t *names = sizes + image->n, *into = names + image->n;

	for (size_t i = 0; i < image->n; i++) {
		const struct range *range = &b->ranges[i];

		if (image->start_size == sizeof(*wide))
			wide[i] = range->start - image->base;
		else
			narrow[i] = (uint32_t)(range->start - image->base);
		sizes[i] = (uint32_t)(range->end - range->start);
		names[i] = range->entry->new_name;
		into[i] = (uint32_t)(range->start - range->entry->start) + range->entry->into;
	}
	write_names(b, (char *)(into + image->n));
}

static int write_image(struct symbol_builder *b, struct symbol_table **ret)
{
	uint64_t base = b->n_ranges ? b->ranges[0].start : 0;
	uint64_t last = b->n_ranges ? b->ranges[b->n_ranges - 1].start : 0;
	uint32_t start_size = last - base > UINT32_MAX ? sizeof(uint64_t) : sizeof(uint32_t);
	uint64_t names_size = place_names(b);
	size_t size = sizeof(struct symbol_image) + b->n_ranges * (start_size + 12) + names_size;
	struct symbol_image *image = malloc(size);

	if (!image)
		return -ENOMEM;
	*image = (struct symbol_image){
		.magic = SYMBOL_IMAGE_MAGIC,
		.version = SYMBOL_IMAGE_VERSION,
		.base = base,
		.n = (uint32_t)b->n_ranges,
		.start_size = start_size,
		.names_size = names_size,
		.counts = b->counts,
	};
	write_ranges(b, image);
	return symbol_table_take(image, size, ret);
}

int symbol_builder_finish(struct symbol_builder *b, struct symbol_table **ret)
{
	b->heap = calloc(b->entries.n + 1, sizeof(struct entry *));
	b->ranges = calloc(2 * (size_t)b->entries.n + 1, sizeof(*b->ranges));
	if (!b->heap || !b->ranges)
		return -ENOMEM;
	if (b->entries.n > 0)
		qsort(b->entries.data, b->entries.n, sizeof(struct entry), by_start);
	end_open_ones(b);
	sweep(b);
	return write_image(b, ret);
}
