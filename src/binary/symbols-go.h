/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The functions of a Go program, stripped or not. */
#pragma once

#include "binary/elf.h"
#include "binary/symbol-builder.h"

/*
 * Adds them. They win over the symbols of ELF, so that a function's name does not change when the
 * program is stripped. Errors: those of go_program_open(); with -EBADMSG some functions may have been
 * added; -ENOMEM.
 */
int symbols_go_add(const struct elf_file *elf, struct symbol_builder *b);
