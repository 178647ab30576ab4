/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a symbol table that may be anything: a child that read a hostile file made it, or a disk
 * kept it. It is checked once, whole, so that a look-up is a binary search and nothing else.
 */
#include "binary/symbol-table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

struct symbol_table {
	const struct symbol_image *image;
	size_t size;
	const uint32_t *narrow; /* start[]: one of these two */
	const uint64_t *wide;
	const uint32_t *sizes, *names, *into;
	const char *text;
	void *owned; /* or NULL */
};

static uint64_t start_of(const struct symbol_table *table, size_t i)
{
	return table->image->base + (table->wide ? table->wide[i] : table->narrow[i]);
}

/* Do the header's sizes add up to the bytes that are there? */
static bool header_holds(const struct symbol_image *image, size_t size)
{
	if (size < sizeof(*image) || image->magic != SYMBOL_IMAGE_MAGIC ||
	    image->version != SYMBOL_IMAGE_VERSION)
		return false;
	/* Each symbol may be split once by each that it holds: at most two ranges for one. */
	if (image->n > 2 * SYMBOLS_MAX || image->names_size > SYMBOL_NAMES_MAX ||
	    (image->start_size != sizeof(uint32_t) && image->start_size != sizeof(uint64_t)))
		return false;
	return size ==
	       sizeof(*image) + (size_t)image->n * (image->start_size + 12) + image->names_size;
}

static void lay_out(struct symbol_table *table)
{
	const uint8_t *p = (const uint8_t *)(table->image + 1);
	size_t n = table->image->n;

	if (table->image->start_size == sizeof(uint64_t))
		table->wide = (const uint64_t *)p;
	else
		table->narrow = (const uint32_t *)p;
	table->sizes = (const uint32_t *)(p + n * table->image->start_size);
	table->names = table->sizes + n;
	table->into = table->names + n;
	table->text = (const char *)(table->into + n);
}

/* Ascending, disjoint, not around the end of the address space. */
static bool ranges_hold(const struct symbol_table *table)
{
	uint64_t start, end = 0;

	for (size_t i = 0; i < table->image->n; i++) {
		start = start_of(table, i);
		if (start < table->image->base || start < end || table->sizes[i] == 0 ||
		    __builtin_add_overflow(start, table->sizes[i], &end) ||
		    table->sizes[i] > UINT32_MAX - table->into[i])
			return false;
	}
	return true;
}

/* All text is strings of at most SYMBOL_NAME_MAX. */
static bool text_holds(const char *text, uint64_t size)
{
	for (uint64_t at = 0, length; at < size; at += length + 1) {
		length = strnlen(text + at, MIN(size - at, SYMBOL_NAME_MAX + UINT64_C(1)));
		if (length == size - at || length > SYMBOL_NAME_MAX)
			return false;
	}
	return true;
}

/* A name is one of these strings, not the rest of one, or checking could take n times its length. */
static bool names_hold(const struct symbol_table *table)
{
	uint64_t size = table->image->names_size;

	if (!text_holds(table->text, size))
		return false;
	for (size_t i = 0; i < table->image->n; i++) {
		uint32_t name = table->names[i];

		if (name >= size || !table->text[name] || (name > 0 && table->text[name - 1]))
			return false;
	}
	return true;
}

int symbol_table_load(const void *data, size_t size, struct symbol_table **ret)
{
	struct symbol_table *table;

	if ((uintptr_t)data % sizeof(uint64_t) || !header_holds(data, size))
		return -EBADMSG;
	table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	table->image = data;
	table->size = size;
	lay_out(table);
	if (!ranges_hold(table) || !names_hold(table)) {
		free(table);
		return -EBADMSG;
	}
	*ret = table;
	return 0;
}

int symbol_table_take(void *data, size_t size, struct symbol_table **ret)
{
	int r = symbol_table_load(data, size, ret);

	if (r < 0)
		free(data);
	else
		(*ret)->owned = data;
	return r;
}

struct symbol_table *symbol_table_free(struct symbol_table *table)
{
	if (table)
		free(table->owned);
	free(table);
	return NULL;
}

const void *symbol_table_data(const struct symbol_table *table, size_t *ret_size)
{
	*ret_size = table->size;
	return table->image;
}

const struct symbol_counts *symbol_table_counts(const struct symbol_table *table)
{
	return &table->image->counts;
}

size_t symbol_table_size(const struct symbol_table *table)
{
	return table->image->n;
}

struct symbol_range symbol_table_get(const struct symbol_table *table, size_t i)
{
	return (struct symbol_range){
		.name = table->text + table->names[i],
		.start = start_of(table, i),
		.size = table->sizes[i],
		.into = table->into[i],
	};
}

const char *symbol_table_find(const struct symbol_table *table, uint64_t address,
			      uint64_t *ret_offset)
{
	size_t low = 0, high = table->image->n, middle;
	uint64_t behind;

	/* low: how many ranges start at or before address */
	while (low < high) {
		middle = low + (high - low) / 2;
		if (start_of(table, middle) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	behind = address - start_of(table, low - 1);
	if (behind >= table->sizes[low - 1])
		return NULL;
	*ret_offset = behind + table->into[low - 1];
	return table->text + table->names[low - 1];
}
