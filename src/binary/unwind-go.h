/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows of an unwind table from Go's table of functions: Go writes no call frame information where its
 * own linker is enough, but its runtime has to unwind, too. For the sandboxed child.
 */
#pragma once

#include "binary/cfi.h"
#include "binary/elf.h"
#include "binary/go-program.h"

struct unwind_go {
	const struct elf_file *elf; /* borrowed */
	struct go_program program;
	uint64_t begin, end; /* of Go's text; equal: there is none */
};

/* -ENOMEM. A file without Go, or with a damaged table, is one without text of Go. */
int unwind_go_open(const struct elf_file *elf, struct unwind_go *ret);
void unwind_go_done(struct unwind_go *go);

/* Tells the rows from begin to end, addresses strictly ascending. An error (negative) of row's ends it
 * and is its result. */
int unwind_go_walk(const struct unwind_go *go, cfi_row *row, void *userdata);
