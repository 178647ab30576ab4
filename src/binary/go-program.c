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
#include "binary/go-program.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/util.h"
#include "binary/load.h"

#define MODULE_MINPC 160
#define MODULE_MAXPC 168
#define MODULE_TEXT 176
#define MODULE_BYTES 192 /* that we look at */

/* The table within a section: at each multiple of 8 where its magic is. */
static int find_in(const struct elf_file *elf, const struct elf_section *section,
		   struct go_program *ret)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	unsigned tried = 0;
	size_t size;
	int r;

	r = elf_file_read(elf, section, &bytes, &size);
	if (r < 0)
		return r;
	r = -ENOENT;
	for (size_t at = 0; at + GO_PCLNTAB_HEADER <= size && tried < GO_PROGRAM_HEADERS_MAX;
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

static int find_table(const struct elf_file *elf, struct go_program *ret)
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
static bool is_module(const struct go_program *program, const uint8_t *module)
{
	uint64_t text = load_u64(module + MODULE_TEXT);

	return load_u64(module) == program->address &&
	       load_u64(module + MODULE_MINPC) == text + go_pclntab_start(&program->table, 0) &&
	       load_u64(module + MODULE_MAXPC) ==
		       text + go_pclntab_end(&program->table, program->table.n - 1);
}

static int find_text_in(const struct elf_file *elf, const struct elf_section *section,
			struct go_program *program)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t size;
	int r;

	r = elf_file_read(elf, section, &bytes, &size);
	if (r < 0)
		return r;
	for (size_t at = 0; at + MODULE_BYTES <= size; at += 8)
		if (is_module(program, bytes + at)) {
			program->table.text = load_u64(bytes + at + MODULE_TEXT);
			return 0;
		}
	return -ENODATA;
}

static int find_text(const struct elf_file *elf, struct go_program *program)
{
	static const char *const sections[] = { ".go.module", ".noptrdata", ".data.rel.ro",
						".data" };
	const struct elf_section *section;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		section = elf_file_section(elf, sections[i]);
		r = section ? find_text_in(elf, section, program) : -ENODATA;
		if (r == 0 || r == -ENOMEM)
			return r;
	}
	return -ENODATA;
}

int go_program_open(const struct elf_file *elf, struct go_program *ret)
{
	struct go_program program = { .bytes = NULL };
	int r;

	r = find_table(elf, &program);
	if (r == 0 && program.table.relative && program.table.text == 0)
		r = find_text(elf, &program);
	if (r < 0)
		go_program_done(&program);
	else
		*ret = program;
	return r;
}

void go_program_done(struct go_program *program)
{
	free(TAKE(program->bytes));
}
