/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The functions of a Go program, stripped or not: pclntab is in .gopclntab, or, as external linkers
 * leave it, somewhere in .rodata or .data.rel.ro, where its magic tells.
 */
#pragma once

#include "binary/elf.h"
#include "binary/symbol-builder.h"

#define SYMBOLS_GO_HEADERS_MAX 64 /* that look like the beginning of a table and are tried */

/*
 * Adds them. They win over the symbols of ELF, so that a function's name does not change when the
 * program is stripped. -ENOENT: this is no Go program, or of before Go 1.16; -ENODATA: where its text
 * starts is not to be found (a position-independent one that lld linked); -EBADMSG: the table is
 * damaged, and perhaps some functions were added; -ENOMEM and what elf_file_read() says.
 */
int symbols_go_add(const struct elf_file *elf, struct symbol_builder *b);
