/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an ELF file says of the names of its functions (System V ABI, chapter 4, "Symbol Table").
 * Addresses are those of the file (st_value), not of a process.
 *
 * The contents of sections are parsed: that is for a sandboxed child. Which other file has the rest is
 * found with debug-file.h, before, by somebody who may open files.
 */
#pragma once

#include "binary/elf.h"
#include "binary/symbol-builder.h"

#define SYMBOLS_DEBUGDATA_MAX \
	((size_t)64 << 20) /* bytes of a .gnu_debugdata, unpacked: libstdc++'s
						    has 0.3 MB */

/*
 * Adds the functions and labels of .symtab, .dynsym and of the mini debug info (.gnu_debugdata, an ELF
 * file in xz), and the entries of the PLT as "NAME@plt". No version ("@@GLIBC_2.2.5") stays in a name.
 * Left out are ifuncs, whose address is that of their resolver, and AArch64's mapping symbols ($x, $d).
 *
 * A part that is damaged costs itself. Returns the number of parts that could not be read, or -ENOMEM.
 */
int symbols_elf_add(const struct elf_file *elf, struct symbol_builder *b);
