/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another opinion on the symbols of a file: what nm says of it. */
#pragma once

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binary/symbol-table.h"

struct nm_symbol {
	uint64_t address, size; /* size 0: nm gives none */
	char type; /* T, t, W, i, ... */
	char name[240];
};

struct nm {
	struct nm_symbol *symbols; /* by address */
	size_t n;
};

/* Runs command, of a tool that this test cannot go without. */
static inline void must_run(const char *command)
{
	int status = system(command);

	if (status != 0)
		print_message("%s: status %d\n", command, status);
	assert_int_equal(status, 0);
}

static inline bool nm_parse(char *line, struct nm_symbol *ret)
{
	char *version;

	ret->size = 0;
	if (sscanf(line, "%" SCNx64 " %" SCNx64 " %c %239[^\n]", &ret->address, &ret->size,
		   &ret->type, ret->name) != 4) {
		ret->size = 0;
		if (sscanf(line, "%" SCNx64 " %c %239[^\n]", &ret->address, &ret->type,
			   ret->name) != 3)
			return false;
	}
	version = strchr(ret->name, '@');
	if (version)
		*version = '\0';
	return true;
}

/* options: "", or "-D" for the dynamic symbols. */
static inline struct nm nm_read(const char *options, const char *path)
{
	struct nm nm = { 0 };
	char line[4096];
	FILE *f;

	snprintf(line, sizeof(line), "LC_ALL=C nm -n -S --defined-only %s '%s'", options, path);
	f = popen(line, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if ((nm.n & (nm.n - 1)) == 0)
			nm.symbols =
				realloc(nm.symbols, (nm.n ? 2 * nm.n : 1) * sizeof(*nm.symbols));
		assert_non_null(nm.symbols);
		nm.n += nm_parse(line, &nm.symbols[nm.n]);
	}
	assert_int_equal(pclose(f), 0);
	return nm;
}

static inline bool nm_has(const struct nm *nm, uint64_t address, const char *name)
{
	for (size_t i = 0; i < nm->n; i++)
		if (nm->symbols[i].address == address && strcmp(nm->symbols[i].name, name) == 0)
			return true;
	return false;
}

/* Each function that nm gives a size has one of nm's names at its first and at its last byte. The
 * number of them. */
static inline size_t nm_assert_covered(const struct nm *nm, const struct symbol_table *table)
{
	size_t seen = 0;

	for (size_t i = 0; i < nm->n; i++) {
		const struct nm_symbol *s = &nm->symbols[i];
		uint64_t offset = 0;
		const char *name;

		if (!strchr("tTwW", s->type) || s->size == 0)
			continue;
		name = symbol_table_find(table, s->address, &offset);
		if (!name || offset != 0 || !nm_has(nm, s->address, name))
			fail_msg("nm: %s, here: %s+%" PRIu64, s->name, name ? name : "nothing",
				 offset);
		name = symbol_table_find(table, s->address + s->size - 1, &offset);
		if (!name || !nm_has(nm, s->address + s->size - 1 - offset, name))
			fail_msg("end of %s: %s+%" PRIu64, s->name, name ? name : "nothing",
				 offset);
		seen++;
	}
	return seen;
}
