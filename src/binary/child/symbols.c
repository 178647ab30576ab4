/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In a child: the symbol table (binary/symbol-table.h) of the file fds[0] and of its debug file, if
 * there is one, fds[1]. What is damaged costs its own names only. */
#include "base/child.h"
#include "binary/symbols-elf.h"
#include "binary/symbols-go.h"

static int add_file(int fd, struct symbol_builder *b)
{
	_cleanup_elf_ struct elf_file *elf = NULL;
	int r = elf_file_open(fd, &elf);

	if (r < 0)
		return r;
	r = symbols_elf_add(elf, b);
	if (r >= 0)
		r = symbols_go_add(elf, b);
	return r == -ENOMEM ? r : 0;
}

static int build_symbol_table(const struct child_input *input, void **ret, size_t *ret_size)
{
	_cleanup_symbol_builder_ struct symbol_builder *b = NULL;
	struct symbol_table *table;
	int r;

	if (input->n_fds < 1 || input->n_fds > 2)
		return -EINVAL;
	r = symbol_builder_new(SYMBOLS_MAX, SYMBOL_NAMES_MAX, &b);
	if (r == 0)
		r = add_file(input->fds[0], b);
	if (r == 0 && input->n_fds == 2 && add_file(input->fds[1], b) == -ENOMEM)
		r = -ENOMEM;
	if (r == 0)
		r = symbol_builder_finish(b, &table);
	if (r < 0)
		return r;
	*ret = (void *)symbol_table_data(table, ret_size);
	return 0;
}

const struct child_ops child_symbols = { "symbols", build_symbol_table };
