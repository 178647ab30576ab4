/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rank and preference (symbol-builder.h) of a symbol:
 *
 * - A function with a size knows best where it is. Then come functions without one (assembly) and
 *   labels with one, last bare labels: those stand within functions as well as before them.
 * - Global and weak are alike, local is less. Weak is no lesser name: libc's "newlocale" is weak and
 *   its alias "__newlocale" global. A local one ("__GI___newlocale") is nobody's interface.
 */
#include "binary/symbols-elf.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "base/compress.h"
#include "base/util.h"
#include "binary/symbols-plt.h"

/* $x, $d and their like, alone or with .ANYTHING behind it (ELF for the Arm 64-bit Architecture,
 * section 5.5.2): where code begins and where data. */
static bool is_mapping_symbol(const struct elf_file *elf, const char *name)
{
	return elf->machine == EM_AARCH64 && name[0] == '$' && (name[1] == 'x' || name[1] == 'd') &&
	       (name[2] == '\0' || name[2] == '.');
}

/* The section of code that the symbol is in, or NULL. */
static const struct elf_section *code_of(const struct elf_file *elf, const Elf64_Sym *sym)
{
	const struct elf_section *section;

	if (sym->st_shndx == SHN_UNDEF || sym->st_shndx >= elf->n_sections)
		return NULL;
	section = &elf->sections[sym->st_shndx];
	return section->flags & SHF_EXECINSTR ? section : NULL;
}

/* name, or what is before its "@VERSION", in buf. Looks no further than a name may be long: a table
 * could have a million symbols that begin in one string of a hundred megabytes. */
static const char *without_version(const char *name, char buf[static SYMBOL_NAME_MAX + 1])
{
	const char *version = memchr(name, '@', strnlen(name, SYMBOL_NAME_MAX));

	if (!version)
		return name;
	snprintf(buf, SYMBOL_NAME_MAX + 1, "%.*s", (int)(version - name), name);
	return buf;
}

static int add_symbol(const struct elf_file *elf, const Elf64_Sym *sym, const char *name,
		      struct symbol_builder *b)
{
	const struct elf_section *code = code_of(elf, sym);
	unsigned type = ELF64_ST_TYPE(sym->st_info);
	char buf[SYMBOL_NAME_MAX + 1];

	if (!code || (type != STT_FUNC && type != STT_NOTYPE) || is_mapping_symbol(elf, name))
		return 0;
	return symbol_builder_add(b, &(struct symbol){
					     .name = without_version(name, buf),
					     .start = sym->st_value,
					     .size = sym->st_size,
					     .reach = code->addr + code->size,
					     .rank = (type == STT_FUNC) + (sym->st_size > 0),
					     .preference = ELF64_ST_BIND(sym->st_info) != STB_LOCAL,
				     });
}

static int add_symbols(const struct elf_file *elf, const struct elf_section *section,
		       struct symbol_builder *b)
{
	_cleanup_free_ uint8_t *symbols = NULL, *names = NULL;
	size_t size, names_size;
	int r;

	if (section->link >= elf->n_sections || section->entsize != sizeof(Elf64_Sym))
		return -EBADMSG;
	r = elf_file_read(elf, section, &symbols, &size);
	r = r ?: elf_file_read(elf, &elf->sections[section->link], &names, &names_size);
	for (size_t at = 0; r == 0 && at + sizeof(Elf64_Sym) <= size; at += sizeof(Elf64_Sym)) {
		Elf64_Sym sym;

		memcpy(&sym, symbols + at, sizeof(sym));
		if (sym.st_name < names_size)
			r = add_symbol(elf, &sym, (const char *)names + sym.st_name, b);
	}
	return r;
}

/* Mini debug info: the local functions of a stripped file (Fedora's "MiniDebugInfo"), as an ELF file
 * that has only a .symtab. */
static int add_debugdata(const struct elf_file *elf, const struct elf_section *section,
			 struct symbol_builder *b)
{
	_cleanup_free_ uint8_t *packed = NULL, *unpacked = NULL;
	_cleanup_elf_ struct elf_file *inner = NULL;
	const struct elf_section *symtab;
	size_t packed_size, size;
	int r;

	r = elf_file_read(elf, section, &packed, &packed_size);
	r = r ?: xz_decompress(packed, packed_size, SYMBOLS_DEBUGDATA_MAX, &unpacked, &size);
	r = r ?: elf_file_open_memory(unpacked, size, &inner);
	if (r < 0)
		return r;
	symtab = elf_file_section(inner, ".symtab");
	return symtab ? add_symbols(inner, symtab, b) : 0;
}

int symbols_elf_add(const struct elf_file *elf, struct symbol_builder *b)
{
	static const struct {
		const char *section;
		int (*add)(const struct elf_file *elf, const struct elf_section *section,
			   struct symbol_builder *b);
	} parts[] = {
		{ ".symtab", add_symbols },
		{ ".dynsym", add_symbols },
		{ ".gnu_debugdata", add_debugdata },
	};
	int r, failed;

	r = symbols_plt_add(elf, b);
	failed = r < 0;
	for (size_t i = 0; r != -ENOMEM && i < ARRAY_SIZE(parts); i++) {
		const struct elf_section *section = elf_file_section(elf, parts[i].section);

		/* NOBITS: this is a separate debug file, the contents are in the other. */
		r = section && section->type != SHT_NOBITS ? parts[i].add(elf, section, b) : 0;
		failed += r < 0;
	}
	return r == -ENOMEM ? r : failed;
}
