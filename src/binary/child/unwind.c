/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In a child: the unwind table (binary/unwind-table.h) of the file fds[0]. */
#include "base/child.h"
#include "binary/unwind-table.h"

static int build_unwind_table(const struct child_input *input, void **ret, size_t *ret_size)
{
	_cleanup_elf_ struct elf_file *elf = NULL;
	int r;

	if (input->n_fds != 1)
		return -EINVAL;
	r = elf_file_open(input->fds[0], &elf);
	return r < 0 ? r : unwind_table_build(elf, ret, ret_size);
}

const struct child_ops child_unwind = { "unwind", build_unwind_table };
