/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The input is an ELF file, whose symbols become a table, as a sandboxed child makes it; and it is a
 * table itself, as the daemon gets it from there or from a disk. A table that is made must be one that
 * is accepted, and whatever is accepted answers in order.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "binary/symbols-elf.h"
#include "binary/symbols-go.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_table(const struct symbol_table *table)
{
	uint64_t end = 0, offset;

	for (size_t i = 0; i < symbol_table_size(table); i++) {
		struct symbol_range range = symbol_table_get(table, i);
		size_t length = strlen(range.name);

		assert(range.start >= end && range.size > 0);
		assert(length > 0 && length <= SYMBOL_NAME_MAX);
		end = range.start + range.size;
		assert(symbol_table_find(table, end - 1, &offset) == range.name);
		assert(offset == (uint64_t)range.into + range.size - 1);
	}
}

static void read_table(const uint8_t *data, size_t size)
{
	struct symbol_table *table = NULL;
	uint8_t *copy = malloc(size + !size);
	int r;

	memcpy(copy, data, size);
	r = symbol_table_take(copy, size, &table);
	assert(r == 0 || r == -EBADMSG);
	if (r == 0)
		check_table(table);
	symbol_table_free(table);
}

static void read_elf(int fd)
{
	_cleanup_symbol_builder_ struct symbol_builder *b = NULL;
	_cleanup_symbol_table_ struct symbol_table *table = NULL;
	_cleanup_elf_ struct elf_file *elf = NULL;
	const struct symbol_counts *counts;
	const void *image;
	size_t size;

	if (elf_file_open(fd, &elf) < 0)
		return;
	assert(symbol_builder_new(SYMBOLS_MAX, SYMBOL_NAMES_MAX, &b) == 0);
	assert(symbols_elf_add(elf, b) >= 0);
	symbols_go_add(elf, b);
	assert(symbol_builder_finish(b, &table) == 0);
	counts = symbol_table_counts(table);
	assert(counts->seen >= counts->hidden + counts->over);
	check_table(table);
	image = symbol_table_data(table, &size);
	read_table(image, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = memfd_create("fuzz", MFD_CLOEXEC);

	read_table(data, size);
	assert(write(fd, data, size) == (ssize_t)size);
	read_elf(fd);
	return 0;
}
