/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "binary/elf.h"
#include "binary/symbol-builder.h"

#define SYMBOLS_PLT_NAME_MAX 1024 /* bytes of a PLT entry's name; longer ones are cut */

/* Adds the entries of the procedure linkage table, each as "NAME@plt". 0 also where nothing tells the
 * names; otherwise an error of elf_file_read(), or -ENOMEM. */
int symbols_plt_add(const struct elf_file *elf, struct symbol_builder *b);
