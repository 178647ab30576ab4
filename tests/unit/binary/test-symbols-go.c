/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Go's function table: made here in each of its layouts, whole and damaged; and in programs that the
 * Go at hand builds, stripped and not, position-independent, linked with C. nm says what is in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/util.h"
#include "binary/go-pclntab.h"
#include "binary/symbols-go.h"
#include "tests/unit/binary/go.h"
#include "tests/unit/host/tree.h"

#define TEXT 0x401000

/* --- tables made here ---------------------------------------------------------------------- */

static const struct layout {
	uint32_t magic;
	bool relative;
	uint64_t text; /* that the header says */
	size_t flags; /* in a struct _func, behind the entry */
} layouts[] = {
	{ 0xfffffffa, false, 0, 33 }, /* 1.16 */
	{ 0xfffffff0, true, TEXT, 33 }, /* 1.18 */
	{ 0xfffffff1, true, TEXT, 37 }, /* 1.20 */
	{ 0xfffffff1, true, 0, 37 }, /* 1.26 */
};

static const char names[] = "go:buildid\0main.main\0main.(*box[...]).get";
static const uint64_t starts[] = { 0, 0x40, 0x100, 0x180 }; /* and the end */
static const uint32_t name_offsets[] = { 0, 11, 21 };
#define FUNC_BYTES 40 /* of a struct _func, behind the entry */

/* Depth 0 for a byte, 8 for 300, 0 for 2; the first byte is that of functions without depths. */
static const uint8_t depths[] = { 0, 2, 1, 16, 0xac, 2, 15, 2, 0 };
static const uint32_t depth_offsets[] = { 0, 1, 1 };
static const uint8_t flags[] = { 1, 0, 2 };

struct bytes {
	uint8_t data[1024];
	size_t n;
};

static void put(struct bytes *b, uint64_t n, size_t size)
{
	memcpy(b->data + b->n, &n, size); /* little endian */
	b->n += size;
}

static void put_bytes(struct bytes *b, const void *bytes, size_t size)
{
	memcpy(b->data + b->n, bytes, size);
	b->n += size;
}

static struct bytes make_table(const struct layout *l)
{
	size_t field = l->relative ? 4 : 8, header = l->relative ? 72 : 64;
	size_t pcs = header + sizeof(names), functions = pcs + sizeof(depths);
	size_t functab = 7 * field;
	uint64_t base = l->relative ? 0 : TEXT;
	struct bytes b = { .n = 0 };

	put(&b, l->magic, 4);
	put(&b, 0x08010000, 4); /* 0, 0, 1, 8 */
	put(&b, 3, 8);
	put(&b, 0, 8);
	if (l->relative)
		put(&b, l->text, 8);
	for (unsigned i = 0; i < 3; i++)
		put(&b, header, 8);
	put(&b, pcs, 8);
	put(&b, functions, 8);
	put_bytes(&b, names, sizeof(names));
	put_bytes(&b, depths, sizeof(depths));
	for (unsigned i = 0; i < 3; i++) {
		put(&b, base + starts[i], field);
		put(&b, functab + i * (field + FUNC_BYTES), field);
	}
	put(&b, base + starts[3], field);
	for (unsigned i = 0; i < 3; i++) {
		uint8_t func[FUNC_BYTES] = { 0 };

		put(&b, base + starts[i], field);
		memcpy(func, &name_offsets[i], 4);
		memcpy(func + 12, &depth_offsets[i], 4);
		func[l->flags] = flags[i];
		put_bytes(&b, func, sizeof(func));
	}
	return b;
}

static void check_depths(const struct go_pclntab *table, size_t i)
{
	static const struct {
		uint64_t begin, end;
		int depth;
	} expected[] = { { 0, 1, 0 }, { 1, 301, 8 }, { 301, 303, 0 } };
	struct go_depths run;

	assert_int_equal(go_pclntab_flags(table, i), flags[i]);
	assert_int_equal(go_pclntab_depths(table, i, &run), depth_offsets[i] > 0);
	for (size_t n = 0; n < ARRAY_SIZE(expected) && depth_offsets[i] > 0; n++) {
		assert_true(go_depths_next(&run));
		assert_int_equal(run.begin, expected[n].begin);
		assert_int_equal(run.end, expected[n].end);
		assert_int_equal(run.depth, expected[n].depth);
	}
	assert_true(depth_offsets[i] == 0 || !go_depths_next(&run));
}

static void test_layouts(void **state)
{
	for (size_t l = 0; l < ARRAY_SIZE(layouts); l++) {
		struct bytes b = make_table(&layouts[l]);
		uint64_t base = layouts[l].relative ? 0 : TEXT;
		struct go_pclntab table;

		assert_int_equal(go_pclntab_open(b.data, b.n, &table), 0);
		assert_int_equal(table.n, 3);
		assert_int_equal(table.text, layouts[l].text);
		assert_int_equal(table.relative, layouts[l].relative);
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(go_pclntab_start(&table, i), base + starts[i]);
			assert_int_equal(go_pclntab_end(&table, i), base + starts[i + 1]);
			assert_string_equal(go_pclntab_name(&table, i), names + name_offsets[i]);
			check_depths(&table, i);
		}
	}
}

/* Whatever a byte says, nothing is read beyond the table: in memory that ends with it. */
static void test_damaged(void **state)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0xff };
	unsigned refused = 0, nameless = 0;

	for (size_t l = 0; l < ARRAY_SIZE(layouts); l++) {
		struct bytes b = make_table(&layouts[l]);

		for (size_t i = 0; i < b.n * ARRAY_SIZE(values); i++) {
			size_t at = i / ARRAY_SIZE(values), size = b.n;
			uint8_t *copy = malloc(size + 1);
			struct go_pclntab table;

			memcpy(copy, b.data, size);
			copy[size] = 0;
			copy[at] = values[i % ARRAY_SIZE(values)];
			if (go_pclntab_open(copy, size, &table) < 0)
				refused++;
			else
				for (size_t f = 0; f < table.n; f++) {
					const char *name = go_pclntab_name(&table, f);
					struct go_depths run;

					if (go_pclntab_depths(&table, f, &run))
						while (go_depths_next(&run))
							assert_true(run.begin < run.end);
					(void)go_pclntab_flags(&table, f);
					(void)go_pclntab_end(&table, f);
					nameless += !name;
					assert_true(!name || strlen(name) <= size);
				}
			free(copy);
		}
		for (size_t size = 0; size < 64; size++) {
			struct go_pclntab table;

			assert_int_equal(go_pclntab_open(b.data, size, &table), -EBADMSG);
		}
	}
	assert_true(refused > 100 && nameless > 10);
}

/* --- programs ------------------------------------------------------------------------------ */

static const char program[] = "package main\n"
			      "type box[T any] struct{ v T }\n"
			      "//go:noinline\n"
			      "func (b *box[T]) get() T { return b.v }\n"
			      "//go:noinline\n"
			      "func twice(x int) int { return x * 2 }\n"
			      "func main() {\n"
			      "	f := func(y int) int { return twice(y) + 1 }\n"
			      "	b := &box[int]{f(2)}\n"
			      "	println(b.get())\n"
			      "}\n";

static int read_go(const char *path, struct symbol_table **ret)
{
	_cleanup_symbol_builder_ struct symbol_builder *b = NULL;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_elf_ struct elf_file *elf = NULL;
	int r;

	assert_int_equal(elf_file_open(fd, &elf), 0);
	assert_int_equal(symbol_builder_new(SYMBOLS_MAX, SYMBOL_NAMES_MAX, &b), 0);
	r = symbols_go_add(elf, b);
	return r < 0 ? r : symbol_builder_finish(b, ret);
}

/* Do they name the same function? nm has the linker's name, the runtime its own: without .abi0, and
 * "[...]" for the types of an instance. */
static bool same_function(const char *linker, const char *runtime)
{
	for (; *runtime; linker++, runtime++) {
		if (has_prefix(runtime, "[...]") && *linker == '[') {
			runtime += strlen("[...");
			linker = strrchr(linker, ']');
			if (!linker)
				return true; /* nm.h cut it */
		} else if (has_prefix(runtime, "\xc2\xb7") && *linker == '.') {
			runtime++; /* a middle dot, of names that the compiler made */
		} else if (*linker != *runtime) {
			return false;
		}
	}
	return *linker == '\0' || streq(linker, ".abi0");
}

/* How many of nm's functions are in the table; not those of C, which are none of Go's. */
static size_t count_agreed(const struct nm *nm, const struct symbol_table *table)
{
	size_t agreed = 0;
	uint64_t offset;

	for (size_t i = 0; i < nm->n; i++) {
		const struct nm_symbol *s = &nm->symbols[i];
		const char *name = symbol_table_find(table, s->address, &offset);

		if (!strchr("tT", s->type) || s->size == 0 || !name)
			continue;
		if (offset != 0 || !same_function(s->name, name))
			fail_msg("nm: %s, here: %s+%" PRIu64, s->name, name, offset);
		agreed++;
	}
	return agreed;
}

static void test_programs(void **state)
{
	static const char *const options[] = {
		"",
		"-buildmode=pie",
		"-ldflags=-linkmode=external",
		"-buildmode=pie -ldflags=-linkmode=external",
	};
	_cleanup_free_ char *whole = tree_path(*state, "whole"), *bare = tree_path(*state, "bare");
	char command[1024];

	if (!have_go())
		skip();
	tree_write(*state, "main.go", program);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		_cleanup_symbol_table_ struct symbol_table *before = NULL, *after = NULL;
		struct nm nm;

		go_build(*state, "", options[i], "whole");
		snprintf(command, sizeof(command), "strip -s -o %s %s", bare, whole);
		must_run(command);
		assert_int_equal(read_go(whole, &before), 0);
		assert_int_equal(read_go(bare, &after), 0);
		nm = nm_read("", whole);
		assert_true(count_agreed(&nm, before) > 1000);
		assert_int_equal(count_agreed(&nm, before), count_agreed(&nm, after));
		free(nm.symbols);
	}
}

static bool has_name(const struct symbol_table *table, const char *name)
{
	for (size_t i = 0; i < symbol_table_size(table); i++)
		if (streq(symbol_table_get(table, i).name, name))
			return true;
	return false;
}

/* Stripped by Go itself; its table in .data.rel.ro, as external linkers put it; without moduledata. */
static void test_hidden(void **state)
{
	_cleanup_symbol_table_ struct symbol_table *stripped = NULL, *moved = NULL, *lost = NULL;
	_cleanup_free_ char *p = tree_path(*state, "p"), *q = tree_path(*state, "q");
	_cleanup_free_ char *s = tree_path(*state, "s");
	char command[1024];
	int r;

	if (!have_go())
		skip();
	tree_write(*state, "main.go", program);
	go_build(*state, "", "-ldflags='-s -w'", "p");
	assert_int_equal(read_go(p, &stripped), 0);
	assert_true(has_name(stripped, "main.twice") && has_name(stripped, "runtime.goexit"));

	snprintf(command, sizeof(command), "objcopy --rename-section .gopclntab=.data.rel.ro %s %s",
		 p, q);
	must_run(command);
	assert_int_equal(read_go(q, &moved), 0);
	assert_int_equal(symbol_table_size(moved), symbol_table_size(stripped));

	/* Before 1.26 the table itself says where the text starts. */
	snprintf(command, sizeof(command),
		 "objcopy --rename-section .go.module=.other --rename-section .noptrdata=.other2 "
		 "%s %s",
		 p, s);
	must_run(command);
	r = read_go(s, &lost);
	assert_true(r == -ENODATA || r == 0);
	assert_int_equal(read_go("/bin/sh", &lost), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test_setup_teardown(test_programs, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_hidden, tree_setup, tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
