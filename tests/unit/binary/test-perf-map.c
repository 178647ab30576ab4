/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Perf maps as runtimes write them: appended to, written anew, in the middle of a line, too long, too
 * many; and random ones against a memory in which each entry paints its bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "binary/perf-map.h"

struct fixture {
	int fd;
	struct perf_map map;
	struct symbol_table *table;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->fd = memfd_create("perf.map", MFD_CLOEXEC);
	*state = f;
	return f->fd < 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	symbol_table_free(f->table);
	close_fd(f->fd);
	free(f);
	return 0;
}

static void append(const struct fixture *f, const char *text)
{
	assert_int_equal(write(f->fd, text, strlen(text)), strlen(text));
}

/* Reads all that is there. Was anything new? */
static bool read_all(struct fixture *f)
{
	bool any = false;
	int r;

	do {
		struct symbol_table *table = NULL;

		r = perf_map_read(&f->map, f->fd, f->table, &table);
		assert_true(r >= 0);
		if (!table)
			continue;
		any = true;
		symbol_table_free(f->table);
		f->table = table;
	} while (r > 0);
	return any;
}

static void assert_at(const struct fixture *f, uint64_t address, const char *name, uint64_t offset)
{
	uint64_t found_offset;
	const char *found = symbol_table_find(f->table, address, &found_offset);

	if (!name) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_string_equal(found, name);
	assert_int_equal(found_offset, offset);
}

static void test_append(void **state)
{
	struct fixture *f = *state;

	append(f, "7f0010 20 LazyCompile:*run /srv/my app.js:12\n"
		  "0x7f0040 0x10 Builtin:ArrayMap\n"
		  "7F00A0 1c py::f:/a b.py\n"
		  "7f0100 10 half");
	assert_true(read_all(f));
	assert_at(f, 0x7f0010, "LazyCompile:*run /srv/my app.js:12", 0);
	assert_at(f, 0x7f002f, "LazyCompile:*run /srv/my app.js:12", 0x1f);
	assert_at(f, 0x7f0030, NULL, 0);
	assert_at(f, 0x7f004f, "Builtin:ArrayMap", 0xf);
	assert_at(f, 0x7f00a0, "py::f:/a b.py", 0);
	assert_at(f, 0x7f0100, NULL, 0);
	assert_false(read_all(f));

	/* The rest of the line; and code that took the place of other code. */
	append(f, "way\n7f0018 10 inner\n");
	assert_true(read_all(f));
	assert_at(f, 0x7f0100, "halfway", 0);
	assert_at(f, 0x7f0017, "LazyCompile:*run /srv/my app.js:12", 7);
	assert_at(f, 0x7f0018, "inner", 0);
	assert_at(f, 0x7f0028, "LazyCompile:*run /srv/my app.js:12", 0x18);
	assert_false(read_all(f));
	assert_int_equal(f->map.lines, 5);
	assert_int_equal(f->map.malformed, 0);
	assert_int_equal(f->map.restarts, 0);
}

static void test_rewritten(void **state)
{
	struct fixture *f = *state;
	int other;

	append(f, "1000 10 old\n2000 10 old too\n");
	read_all(f);

	/* Shorter. */
	assert_int_equal(ftruncate(f->fd, 0), 0);
	assert_true(read_all(f));
	assert_at(f, 0x1000, NULL, 0);
	lseek(f->fd, 0, SEEK_SET);
	append(f, "1000 10 new\n");
	assert_true(read_all(f));
	assert_at(f, 0x1000, "new", 0);
	assert_at(f, 0x2000, NULL, 0);
	assert_int_equal(f->map.restarts, 1);

	/* As long as before, and longer: only what was read last tells. */
	assert_int_equal(pwrite(f->fd, "3000 10 now\n4000 10 new\n", 24, 0), 24);
	assert_true(read_all(f));
	assert_at(f, 0x1000, NULL, 0);
	assert_at(f, 0x3000, "now", 0);
	assert_at(f, 0x4000, "new", 0);
	assert_int_equal(f->map.restarts, 2);

	/* Another file with the same beginning. */
	other = memfd_create("perf.map", MFD_CLOEXEC);
	assert_int_equal(write(other, "3000 10 now\n4000 10 new\n5000 1 x\n", 33), 33);
	close_fd(f->fd);
	f->fd = other;
	assert_true(read_all(f));
	assert_at(f, 0x5000, "x", 0);
	assert_int_equal(f->map.restarts, 3);
}

static void test_malformed(void **state)
{
	static const char *const lines[] = {
		"",
		" ",
		"1000",
		"1000 10",
		"1000 10 ",
		"x 10 a",
		"1000 y a",
		"1000 0 a",
		"-1 10 a",
		"0x 10 a",
		"11112222333344445 10 a",
		"1000\t10\ta",
		"1000  10 a",
		"ffff 1z a",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		append(f, lines[i]);
		append(f, "\n");
	}
	append(f, "fffffffffffffff0 100 end\n");
	read_all(f);
	assert_int_equal(f->map.lines, ARRAY_SIZE(lines) + 1);
	assert_int_equal(f->map.malformed, ARRAY_SIZE(lines));
	assert_int_equal(symbol_table_size(f->table), 1);
	assert_at(f, 0xfffffffffffffff8, "end", 8);
}

/* A line longer than one step: its name is cut, the next line is read. */
static void test_long_line(void **state)
{
	struct fixture *f = *state;
	size_t size = 2 * PERF_MAP_STEP_BYTES;
	char *name = malloc(size + 1);

	memset(name, 'n', size);
	name[size] = '\0';
	append(f, "1000 10 ");
	append(f, name);
	read_all(f);
	assert_int_equal(strlen(symbol_table_get(f->table, 0).name), SYMBOL_NAME_MAX);
	append(f, name);
	append(f, " tail\n2000 10 next\n");
	read_all(f);
	assert_int_equal(symbol_table_size(f->table), 2);
	assert_at(f, 0x2000, "next", 0);
	assert_int_equal(f->map.lines, 2);
	assert_int_equal(f->map.malformed, 0);
	free(name);
}

/* More live entries than are kept: the new ones stay, the others are counted. */
static void test_too_many(void **state)
{
	struct fixture *f = *state;
	FILE *out = fdopen(dup(f->fd), "a");
	unsigned n = PERF_MAP_ENTRIES_MAX + 1000;
	uint64_t last = 0x10000000 + 16 * (uint64_t)(n - 1);

	for (unsigned i = 0; i < n; i++)
		fprintf(out, "%x 10 f%u\n", 0x10000000 + 16 * i, i);
	fclose(out);
	read_all(f);
	assert_int_equal(f->map.lines, n);
	assert_int_equal(symbol_table_size(f->table), PERF_MAP_ENTRIES_MAX);
	assert_int_equal(f->map.over, 1000);
	assert_non_null(symbol_table_find(f->table, last, &last));
	append(f, "1000 10 newest\n");
	read_all(f);
	assert_at(f, 0x1000, "newest", 0);
	assert_int_equal(f->map.over, 1001);
}

/* Each entry paints its bytes, the last one wins; read in pieces of any length. */
static void test_painted(void **state)
{
	enum { SPACE = 512, ENTRIES = 3000 };
	struct fixture *f = *state;
	char line[64], painted[SPACE][8] = { 0 };
	uint64_t starts[SPACE] = { 0 };

	srandom(2);
	for (unsigned i = 0; i < ENTRIES; i++) {
		unsigned start = (unsigned)random() % SPACE;
		unsigned size = 1 + (unsigned)random() % 40;

		snprintf(line, sizeof(line), "%x %x e%u\n", start, size, i);
		append(f, line);
		for (unsigned a = start; a < start + size && a < SPACE; a++) {
			snprintf(painted[a], sizeof(painted[a]), "e%u", i);
			starts[a] = start;
		}
		if (random() % 5 == 0)
			read_all(f);
	}
	read_all(f);
	for (unsigned a = 0; a < SPACE; a++)
		assert_at(f, a, *painted[a] ? painted[a] : NULL, a - starts[a]);
	assert_int_equal(f->map.lines, ENTRIES);
	assert_int_equal(f->map.restarts, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_append, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rewritten, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_painted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
