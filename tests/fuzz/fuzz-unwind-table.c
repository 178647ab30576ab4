/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The input is an unwind table as a cache on disk or a sandboxed child would hand it over. What is
 * accepted must be safe to search, at each row and around each page.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "binary/unwind-table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find_all(const struct unwind_table *t)
{
	struct wire_unwind_rule rule;

	for (uint32_t i = 0; i < t->header->n_pages; i++) {
		const struct unwind_page *page = &t->pages[i];
		uint64_t start = (uint64_t)page->number << WIRE_UNWIND_PAGE_BITS;

		unwind_table_find(t, start - 1, &rule);
		for (uint32_t row = page->first; row < page->first + page->n; row++) {
			bool known = t->rules[t->rule[row]].cfa != WIRE_CFA_UNKNOWN;

			assert(unwind_table_find(t, start + t->pc[row], &rule) == known);
			unwind_table_find(t, start + t->pc[row] + 9, &rule);
		}
		unwind_table_find(t, start + UINT16_MAX, &rule);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unwind_table table;
	void *bytes;
	int r;

	bytes = malloc(size + 1); /* aligned, as data is not */
	if (!bytes)
		return 0;
	memcpy(bytes, data, size);
	r = unwind_table_open(bytes, size, &table);
	assert(r == 0 || r == -EBADMSG);
	if (r == 0)
		find_all(&table);
	free(bytes);
	return 0;
}
