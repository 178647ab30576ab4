/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The input is a perf map. It is read at once, and in two pieces as a runtime appends them, cut where
 * the first byte says: both must give the same names.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "binary/perf-map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
	struct perf_map map;
	struct symbol_table *table;
	int fd;
};

static void append(struct reading *reading, const uint8_t *data, size_t size)
{
	struct symbol_table *table = NULL;
	int r;

	assert(write(reading->fd, data, size) == (ssize_t)size);
	r = perf_map_read(&reading->map, reading->fd, reading->table, &table);
	assert(r == 0);
	if (!table)
		return;
	symbol_table_free(reading->table);
	reading->table = table;
}

static void assert_same(const struct reading *a, const struct reading *b)
{
	size_t n = symbol_table_size(a->table);

	assert(n == symbol_table_size(b->table));
	for (size_t i = 0; i < n; i++) {
		struct symbol_range x = symbol_table_get(a->table, i);
		struct symbol_range y = symbol_table_get(b->table, i);

		assert(x.start == y.start && x.size == y.size && x.into == y.into);
		assert(streq(x.name, y.name));
	}
	assert(a->map.lines == b->map.lines && a->map.malformed == b->map.malformed);
	assert(a->map.offset == b->map.offset && b->map.restarts == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reading once = { .fd = memfd_create("once", MFD_CLOEXEC) };
	struct reading twice = { .fd = memfd_create("twice", MFD_CLOEXEC) };
	size_t cut = size > 0 ? MIN((size_t)data[0] * 8, size) : 0;

	append(&once, data, size);
	append(&twice, data, cut);
	append(&twice, data + cut, size - cut);
	assert_same(&once, &twice);
	symbol_table_free(once.table);
	symbol_table_free(twice.table);
	close(once.fd);
	close(twice.fd);
	return 0;
}
