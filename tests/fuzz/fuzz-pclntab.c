/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The input is Go's table of functions, in memory that ends where it does. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "binary/go-pclntab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A run is two bytes at least, and none is empty. */
static void read_depths(const struct go_pclntab *table, size_t i, size_t size)
{
	struct go_depths run;
	size_t runs = 0;

	if (!go_pclntab_depths(table, i, &run))
		return;
	for (uint64_t end = 0; go_depths_next(&run); end = run.end) {
		assert(run.begin == end && run.end > end);
		runs++;
	}
	assert(2 * runs <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct go_pclntab table;
	uint8_t *copy = malloc(size + 1);
	int r;

	memcpy(copy, data, size);
	copy[size] = 0;
	r = go_pclntab_open(copy, size, &table);
	assert(r == 0 || r == -EBADMSG);
	for (size_t i = 0; r == 0 && i < table.n; i++) {
		const char *name = go_pclntab_name(&table, i);

		go_pclntab_start(&table, i);
		go_pclntab_end(&table, i);
		go_pclntab_flags(&table, i);
		if (i < 16) /* each function may have all of the table as its depths */
			read_depths(&table, i, size);
		assert(!name || strlen(name) <= size);
	}
	free(copy);
	return 0;
}
