/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The function table is n pairs {entry, offset of a struct _func}, and the entry where the last one
 * ends; a _func begins with the entry and, behind it, the offset of the name. All is checked when it
 * is asked for: a program has a hundred thousand functions, and a table may be damaged anywhere.
 *
 * A table of depths (runtime/symtab.go, pcvalue) is pairs of LEB128 numbers, by how much the depth
 * changes (zigzag, from -1 at first), and how many quanta it holds for; it ends with a depth that does
 * not change.
 */
#include "binary/go-pclntab.h"

#include <errno.h>
#include <string.h>

#include "binary/load.h"

#define GO_1_16 0xfffffffa
#define GO_1_18 0xfffffff0
#define GO_1_20 0xfffffff1

/* In a struct _func, behind the entry (runtime/runtime2.go). */
#define FUNC_NAME 0
#define FUNC_DEPTHS 12
#define FUNC_FLAGS 33 /* and 4 more since 1.20 */

static size_t field_size(const struct go_pclntab *table)
{
	return table->relative ? sizeof(uint32_t) : sizeof(uint64_t);
}

static uint64_t read_field(const struct go_pclntab *table, size_t at)
{
	return table->relative ? load_u32(table->data + at) : load_u64(table->data + at);
}

bool go_pclntab_is_header(const uint8_t *data)
{
	uint32_t magic = load_u32(data);

	/* 1 on x86-64, 4 on AArch64; then the size of a pointer. */
	return (magic == GO_1_16 || magic == GO_1_18 || magic == GO_1_20) && data[4] == 0 &&
	       data[5] == 0 && (data[6] == 1 || data[6] == 4) && data[7] == 8;
}

int go_pclntab_open(const uint8_t *data, size_t size, struct go_pclntab *ret)
{
	struct go_pclntab table = { .data = data, .size = size };
	uint64_t words[8], n_fields;

	if (size < 8 + sizeof(words) || !go_pclntab_is_header(data))
		return -EBADMSG;
	table.relative = load_u32(data) != GO_1_16;
	table.quantum = data[6];
	table.flags = load_u32(data) == GO_1_20 ? FUNC_FLAGS + 4 : FUNC_FLAGS;
	memcpy(words, data + 8, sizeof(words));
	table.text = table.relative ? words[2] : 0;
	table.n = words[0];
	table.names = words[table.relative ? 3 : 2];
	table.pc_tables = words[table.relative ? 6 : 5];
	table.functions = words[table.relative ? 7 : 6];
	if (table.names > size || table.pc_tables > size || table.functions > size ||
	    table.n == 0 || table.n > size)
		return -EBADMSG;
	n_fields = 2 * (uint64_t)table.n + 1;
	if (n_fields * field_size(&table) > size - table.functions)
		return -EBADMSG;
	*ret = table;
	return 0;
}

uint64_t go_pclntab_start(const struct go_pclntab *table, size_t i)
{
	return read_field(table, table->functions + 2 * i * field_size(table));
}

/* size bytes at an offset behind the entry of function i's struct _func, or NULL. */
static const uint8_t *func_field(const struct go_pclntab *table, size_t i, size_t offset,
				 size_t size)
{
	uint64_t func = read_field(table, table->functions + (2 * i + 1) * field_size(table));
	uint64_t left = table->size - table->functions;

	offset += field_size(table);
	if (func > left || left - func < offset + size)
		return NULL;
	return table->data + table->functions + func + offset;
}

const char *go_pclntab_name(const struct go_pclntab *table, size_t i)
{
	const uint8_t *field = func_field(table, i, FUNC_NAME, sizeof(uint32_t));
	uint32_t name = field ? load_u32(field) : UINT32_MAX;

	return name < table->size - table->names ? (const char *)table->data + table->names + name
						 : NULL;
}

uint8_t go_pclntab_flags(const struct go_pclntab *table, size_t i)
{
	const uint8_t *field = func_field(table, i, table->flags, sizeof(uint8_t));

	return field ? *field : 0;
}

bool go_pclntab_depths(const struct go_pclntab *table, size_t i, struct go_depths *ret)
{
	const uint8_t *field = func_field(table, i, FUNC_DEPTHS, sizeof(uint32_t));
	uint32_t offset = field ? load_u32(field) : 0;

	if (offset == 0 || offset >= table->size - table->pc_tables)
		return false;
	*ret = (struct go_depths){
		.left = { .p = table->data + table->pc_tables + offset,
			  .end = table->data + table->size },
		.quantum = table->quantum,
		.depth = -1,
	};
	return true;
}

bool go_depths_next(struct go_depths *depths)
{
	uint32_t change = (uint32_t)cursor_uleb(&depths->left), quanta;

	if (change == 0 && depths->end > 0)
		return false;
	quanta = (uint32_t)cursor_uleb(&depths->left);
	if (depths->left.failed || quanta == 0)
		return false;
	depths->depth = (int32_t)((uint32_t)depths->depth + (-(change & 1) ^ (change >> 1)));
	depths->begin = depths->end;
	depths->end += (uint64_t)quanta * depths->quantum;
	return true;
}
