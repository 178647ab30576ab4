/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The functions of Go's table (go-program.h) as symbols. */
#include "binary/symbols-go.h"

#include <errno.h>

#include "binary/go-program.h"

#define RANK 3 /* above symbols-elf.c */

static int add_functions(const struct go_pclntab *table, struct symbol_builder *b)
{
	uint64_t start, end;
	const char *name;
	int r = 0;

	for (size_t i = 0; r == 0 && i < table->n; i++) {
		start = go_pclntab_start(table, i);
		end = go_pclntab_end(table, i);
		name = go_pclntab_name(table, i);
		if (end < start || !name)
			return -EBADMSG;
		r = symbol_builder_add(b, &(struct symbol){
						  .name = name,
						  .start = table->text + start,
						  .size = end - start,
						  .reach = table->text + start,
						  .rank = RANK,
					  });
	}
	return r;
}

int symbols_go_add(const struct elf_file *elf, struct symbol_builder *b)
{
	_cleanup_go_program_ struct go_program program = { .bytes = NULL };
	int r;

	r = go_program_open(elf, &program);
	return r ?: add_functions(&program.table, b);
}
