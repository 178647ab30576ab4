/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The input is Go's table of functions, in memory that ends where it does. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "binary/go-pclntab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
		assert(!name || strlen(name) <= size);
	}
	free(copy);
	return 0;
}
