/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The input is Go's table of functions, in memory that ends where it does; and it becomes unwind rules. */
#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "binary/go-pclntab.h"
#include "binary/unwind-go.h"

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

struct told {
	const struct unwind_go *go;
	uint64_t next;
};

static int on_row(void *userdata, uint64_t address, const struct wire_unwind_rule *rule)
{
	struct told *told = userdata;

	assert(address >= told->next && address >= told->go->begin && address < told->go->end);
	assert(rule->cfa_offset >= 0 && rule->cfa_offset <= CFI_OFFSET_MAX && rule->steps == 0);
	told->next = address + 1;
	return 0;
}

static void walk(const struct go_pclntab *table, uint16_t machine)
{
	const struct elf_file elf = { .machine = machine, .entry = table->text + 64 };
	struct unwind_go go = {
		.elf = &elf,
		.program.table = *table,
		.begin = table->text + go_pclntab_start(table, 0),
		.end = table->text + go_pclntab_end(table, table->n - 1),
	};

	if (go.begin < go.end)
		unwind_go_walk(&go, on_row, &(struct told){ .go = &go });
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
	if (r == 0) {
		walk(&table, EM_X86_64);
		walk(&table, EM_AARCH64);
	}
	free(copy);
	return 0;
}
