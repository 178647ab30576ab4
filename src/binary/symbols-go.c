/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Entries are relative to the start of Go's text, which is not that of .text if C is linked in. The
 * table said it until Go 1.25; since then only the runtime's moduledata does (runtime/symtab.go):
 *
 *   pcHeader *, six slices of 24 bytes, findfunctab, minpc, maxpc, text, etext, ...
 *
 * Go's linker, and GNU ld, write its pointers into the file even where they are relocated. It begins
 * with the address of the table; minpc and maxpc must be those of the table.
 */
#include "binary/symbols-go.h"

#include <elf.h>
#include <string.h>

#include "base/util.h"
#include "binary/go-pclntab.h"
#include "binary/load.h"

#define RANK 3 /* above symbols-elf.c */

#define MODULE_MINPC 160
#define MODULE_MAXPC 168
#define MODULE_TEXT 176
#define MODULE_BYTES 192 /* that we look at */

struct found {
	struct go_pclntab table;
	uint64_t address; /* of the table */
	uint8_t *bytes; /* of the section */
};

/* The table within a section: at each multiple of 8 where its magic is. */
static int find_in(const struct elf_file *elf, const struct elf_section *section, struct found *ret)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	unsigned tried = 0;
	size_t size;
	int r;

	r = elf_file_read(elf, section, &bytes, &size);
	if (r < 0)
		return r;
	r = -ENOENT;
	for (size_t at = 0; at + GO_PCLNTAB_HEADER <= size && tried < SYMBOLS_GO_HEADERS_MAX;
	     at += 8) {
		if (!go_pclntab_is_header(bytes + at))
			continue;
		tried++;
		r = go_pclntab_open(bytes + at, size - at, &ret->table);
		if (r == 0) {
			ret->address = section->addr + at;
			ret->bytes = TAKE(bytes);
			return 0;
		}
	}
	return r;
}

static int find_table(const struct elf_file *elf, struct found *ret)
{
	static const char *const sections[] = {
		".gopclntab",
		".data.rel.ro.gopclntab",
		".data.rel.ro",
		".rodata",
	};
	const struct elf_section *section;
	int r, result = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		section = elf_file_section(elf, sections[i]);
		r = section ? find_in(elf, section, ret) : -ENOENT;
		if (r == 0 || r == -ENOMEM)
			return r;
		if (r != -ENOENT)
			result = r;
	}
	return result;
}

/* Is this the moduledata of the table? */
static bool is_module(const struct found *found, const uint8_t *module)
{
	uint64_t text = load_u64(module + MODULE_TEXT);

	return load_u64(module) == found->address &&
	       load_u64(module + MODULE_MINPC) == text + go_pclntab_start(&found->table, 0) &&
	       load_u64(module + MODULE_MAXPC) ==
		       text + go_pclntab_end(&found->table, found->table.n - 1);
}

static int find_text_in(const struct elf_file *elf, const struct elf_section *section,
			struct found *found)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t size;
	int r;

	r = elf_file_read(elf, section, &bytes, &size);
	if (r < 0)
		return r;
	for (size_t at = 0; at + MODULE_BYTES <= size; at += 8)
		if (is_module(found, bytes + at)) {
			found->table.text = load_u64(bytes + at + MODULE_TEXT);
			return 0;
		}
	return -ENODATA;
}

static int find_text(const struct elf_file *elf, struct found *found)
{
	static const char *const sections[] = { ".go.module", ".noptrdata", ".data.rel.ro",
						".data" };
	const struct elf_section *section;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		section = elf_file_section(elf, sections[i]);
		r = section ? find_text_in(elf, section, found) : -ENODATA;
		if (r == 0 || r == -ENOMEM)
			return r;
	}
	return -ENODATA;
}

static int add_functions(const struct go_pclntab *table, struct symbol_builder *b)
{
	uint64_t start, end;
	const char *name;
	int r = 0;

	for (size_t i = 0; r == 0 && i < table->n; i++) {
		start = go_pclntab_start(table, i);
		end = go_pclntab_end(table, i);
		name = go_pclntab_name(table, i);
		if (end < start || !name)
			return -EBADMSG;
		r = symbol_builder_add(b, &(struct symbol){
						  .name = name,
						  .start = table->text + start,
						  .size = end - start,
						  .reach = table->text + start,
						  .rank = RANK,
					  });
	}
	return r;
}

int symbols_go_add(const struct elf_file *elf, struct symbol_builder *b)
{
	struct found found = { 0 };
	int r;

	r = find_table(elf, &found);
	if (r == 0 && found.table.relative && found.table.text == 0)
		r = find_text(elf, &found);
	r = r ?: add_functions(&found.table, b);
	free(found.bytes);
	return r;
}
