/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The linker makes PLT entries and writes no symbols for them. But an entry jumps through a slot of
 * the GOT, and a relocation says whose address goes into that slot:
 *
 *   x86-64   [endbr64;] [bnd] jmp *slot(%rip)
 *   AArch64  [bti c;] adrp x16, slot; ldr x17, [x16, slot]; add; br
 *
 * (System V ABI, AMD64 supplement, section 5.2; ELF for the Arm 64-bit Architecture, section 5.7.)
 * What does not look like that, as the first entry of a lazy PLT, is not named.
 */
#include "binary/symbols-plt.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "binary/load.h"

#define BTI_C 0xd503245f
#define ADRP_X16 0x90000010 /* adrp x16, ... */
#define LDR_X17_X16 0xf9400211 /* ldr x17, [x16, ...] */

struct slot {
	uint64_t address;
	uint32_t symbol; /* number in .dynsym */
};

struct plt {
	const struct elf_file *elf;
	struct symbol_builder *b;
	struct slot *slots; /* ascending */
	size_t n_slots, slots_size;
	uint8_t *symbols, *names; /* .dynsym and its strings */
	size_t symbols_size, names_size;
};

static void plt_done(struct plt *plt)
{
	free(plt->slots);
	free(plt->symbols);
	free(plt->names);
}

static bool fills_slot(const struct elf_file *elf, uint64_t info)
{
	uint64_t type = ELF64_R_TYPE(info);

	if (elf->machine == EM_AARCH64)
		return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT;
	return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
}

/* The relocations of one section; of the thousands in .rela.dyn few fill a slot. */
static int add_slots(struct plt *plt, const char *name)
{
	const struct elf_section *section = elf_file_section(plt->elf, name);
	_cleanup_free_ uint8_t *relocations = NULL;
	struct slot *grown;
	Elf64_Rela rela;
	size_t size;
	int r;

	if (!section || section->type != SHT_RELA)
		return 0;
	r = elf_file_read(plt->elf, section, &relocations, &size);
	if (r < 0)
		return r;
	grown = realloc(plt->slots, (plt->n_slots + size / sizeof(rela) + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	plt->slots = grown;
	for (size_t at = 0; at + sizeof(rela) <= size; at += sizeof(rela)) {
		memcpy(&rela, relocations + at, sizeof(rela));
		if (fills_slot(plt->elf, rela.r_info))
			plt->slots[plt->n_slots++] = (struct slot){
				.address = rela.r_offset,
				.symbol = (uint32_t)ELF64_R_SYM(rela.r_info),
			};
	}
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

static int plt_init(struct plt *plt)
{
	const struct elf_section *dynsym = elf_file_section(plt->elf, ".dynsym");
	int r;

	/* Without it, or in a separate debug file, where it is without contents: -ENODATA. */
	if (!dynsym || dynsym->link >= plt->elf->n_sections)
		return -ENODATA;
	r = elf_file_read(plt->elf, dynsym, &plt->symbols, &plt->symbols_size);
	r = r
		    ?: elf_file_read(plt->elf, &plt->elf->sections[dynsym->link], &plt->names,
				     &plt->names_size);
	r = r ?: add_slots(plt, ".rela.plt");
	r = r ?: add_slots(plt, ".rela.dyn");
	if (r == 0 && plt->n_slots > 0)
		qsort(plt->slots, plt->n_slots, sizeof(*plt->slots), by_address);
	return r;
}

/* The name whose address goes into the slot, or NULL. */
static const char *name_of(const struct plt *plt, uint64_t slot)
{
	struct slot key = { .address = slot };
	const struct slot *found =
		plt->n_slots ? bsearch(&key, plt->slots, plt->n_slots, sizeof(key), by_address)
			     : NULL;
	Elf64_Sym sym;

	if (!found || (found->symbol + UINT64_C(1)) * sizeof(sym) > plt->symbols_size)
		return NULL;
	memcpy(&sym, plt->symbols + found->symbol * sizeof(sym), sizeof(sym));
	return sym.st_name > 0 && sym.st_name < plt->names_size
		       ? (const char *)plt->names + sym.st_name
		       : NULL;
}

/* ff 25 disp32: jmp *disp(%rip), anywhere in the entry. */
static bool slot_x86_64(const uint8_t *code, size_t size, uint64_t address, uint64_t *ret)
{
	for (size_t i = 0; i + 6 <= size; i++)
		if (code[i] == 0xff && code[i + 1] == 0x25) {
			*ret = address + i + 6 + (uint64_t)(int32_t)load_u32(code + i + 2);
			return true;
		}
	return false;
}

/* The number of pages is signed and in two pieces; the offset is in units of 8 bytes. */
static bool slot_aarch64(const uint8_t *code, uint64_t address, uint64_t *ret)
{
	uint32_t adrp = load_u32(code), ldr = load_u32(code + 4);
	uint64_t pages = (adrp >> 5 & 0x7ffff) << 2 | (adrp >> 29 & 3);

	if ((adrp & 0x9f00001f) != ADRP_X16 || (ldr & 0xffc003ff) != LDR_X17_X16)
		return false;
	if (pages >> 20)
		pages -= UINT64_C(1) << 21;
	*ret = (address & ~UINT64_C(0xfff)) + (pages << 12) + (ldr >> 10 & 0xfff) * UINT64_C(8);
	return true;
}

static int add_entry(const struct plt *plt, uint64_t slot, struct symbol *symbol)
{
	char named[SYMBOLS_PLT_NAME_MAX + sizeof("@plt")];
	const char *name = name_of(plt, slot);

	if (!name)
		return 0;
	snprintf(named, sizeof(named), "%.*s@plt", SYMBOLS_PLT_NAME_MAX, name);
	symbol->name = named;
	return symbol_builder_add(plt->b, symbol);
}

static int add_x86_64(const struct plt *plt, const struct elf_section *section, const uint8_t *code,
		      size_t size)
{
	size_t entry = section->entsize == 8 ? 8 : 16; /* lld says 0 */
	uint64_t slot;
	int r = 0;

	for (size_t at = 0; r == 0 && at + entry <= size; at += entry) {
		struct symbol symbol = { .start = section->addr + at, .size = entry };

		if (slot_x86_64(code + at, entry, symbol.start, &slot))
			r = add_entry(plt, slot, &symbol);
	}
	return r;
}

/* Entries of 16 bytes or, with BTI or PAC, 24: each reaches to the next. */
static int add_aarch64(const struct plt *plt, const struct elf_section *section,
		       const uint8_t *code, size_t size)
{
	uint64_t slot;
	int r = 0;

	for (size_t at = 0; r == 0 && at + 8 <= size; at += 4) {
		struct symbol symbol = {
			.start = section->addr + at,
			.reach = section->addr + size,
		};

		if (at >= 4 && load_u32(code + at - 4) == BTI_C)
			symbol.start -= 4;
		if (slot_aarch64(code + at, section->addr + at, &slot))
			r = add_entry(plt, slot, &symbol);
	}
	return r;
}

static int add_section(const struct plt *plt, const struct elf_section *section)
{
	bool is_arm = plt->elf->machine == EM_AARCH64;
	_cleanup_free_ uint8_t *code = NULL;
	size_t size;
	int r;

	r = elf_file_read(plt->elf, section, &code, &size);
	return r ?: (is_arm ? add_aarch64 : add_x86_64)(plt, section, code, size);
}

int symbols_plt_add(const struct elf_file *elf, struct symbol_builder *b)
{
	static const char *const sections[] = { ".plt", ".plt.sec", ".plt.got" };
	_cleanup_(plt_done) struct plt plt = { .elf = elf, .b = b };
	const struct elf_section *section;
	int r;

	r = plt_init(&plt);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sections); i++) {
		section = elf_file_section(elf, sections[i]);
		if (section)
			r = add_section(&plt, section);
	}
	return r == -ENODATA ? 0 : r;
}
