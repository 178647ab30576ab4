/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The function table is n pairs {entry, offset of a struct _func}, and the entry where the last one
 * ends; a _func begins with the entry and, behind it, the offset of the name. All is checked when it
 * is asked for: a program has a hundred thousand functions, and a table may be damaged anywhere.
 */
#include "binary/go-pclntab.h"

#include <errno.h>
#include <string.h>

#include "binary/load.h"

#define GO_1_16 0xfffffffa
#define GO_1_18 0xfffffff0
#define GO_1_20 0xfffffff1

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
	memcpy(words, data + 8, sizeof(words));
	table.text = table.relative ? words[2] : 0;
	table.n = words[0];
	table.names = words[table.relative ? 3 : 2];
	table.functions = words[table.relative ? 7 : 6];
	if (table.names > size || table.functions > size || table.n == 0 || table.n > size)
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

const char *go_pclntab_name(const struct go_pclntab *table, size_t i)
{
	uint64_t func = read_field(table, table->functions + (2 * i + 1) * field_size(table));
	uint64_t at, left = table->size - table->functions, name;

	if (func > left || left - func < field_size(table) + sizeof(uint32_t))
		return NULL;
	at = table->functions + func + field_size(table);
	name = load_u32(table->data + at);
	return name < table->size - table->names ? (const char *)table->data + table->names + name
						 : NULL;
}
