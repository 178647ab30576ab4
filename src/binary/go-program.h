/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Go's table of functions in a program, stripped or not: pclntab is in .gopclntab, or, as external
 * linkers leave it, somewhere in .rodata or .data.rel.ro, where its magic tells.
 */
#pragma once

#include "base/cleanup.h"
#include "binary/elf.h"
#include "binary/go-pclntab.h"

#define GO_PROGRAM_HEADERS_MAX 64 /* that look like the beginning of a table and are tried */

struct go_program {
	struct go_pclntab table; /* .text + what it says is an address, of all versions */
	uint64_t address; /* of the table */
	uint8_t *bytes; /* of its section */
};

/*
 * Reads a program's table, to be freed with go_program_done(). -ENOENT: this is no Go program, or of
 * before Go 1.16; -ENODATA: where its text starts is not to be found (a position-independent one that
 * lld linked); -EBADMSG: the table is damaged; -ENOMEM and what elf_file_read() says.
 */
int go_program_open(const struct elf_file *elf, struct go_program *ret);
void go_program_done(struct go_program *program); /* takes an empty one */

#define _cleanup_go_program_ _cleanup_(go_program_done)
