/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The symbols of this very program, of libc and of an AArch64 library against nm and objdump; the
 * same once they are stripped and only the mini debug info has them; damaged files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <sys/mman.h>

#include "base/util.h"
#include "binary/symbols-elf.h"
#include "tests/unit/binary/nm.h"
#include "tests/unit/host/tree.h"

static struct symbol_table *table_of(int fd, int *ret_failed)
{
	_cleanup_symbol_builder_ struct symbol_builder *b = NULL;
	_cleanup_elf_ struct elf_file *elf = NULL;
	struct symbol_table *table = NULL;

	assert_int_equal(elf_file_open(fd, &elf), 0);
	assert_int_equal(symbol_builder_new(SYMBOLS_MAX, SYMBOL_NAMES_MAX, &b), 0);
	*ret_failed = symbols_elf_add(elf, b);
	assert_int_equal(symbol_builder_finish(b, &table), 0);
	return table;
}

static struct symbol_table *read_symbols(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct symbol_table *table;
	int failed;

	assert_true(fd >= 0);
	table = table_of(fd, &failed);
	assert_int_equal(failed, 0);
	return table;
}

/* This program, also for those that we run. */
static const char *self_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", getpid());
	return path;
}

/* The libc in use. */
static const char *libc_path(void)
{
	static Dl_info info;

	assert_true(dladdr((void *)(uintptr_t)gnu_get_libc_version, &info) != 0);
	return info.dli_fname;
}

/* Each name of ours is one of nm's. */
static void assert_known(const struct nm *nm, const struct symbol_table *table)
{
	for (size_t i = 0; i < symbol_table_size(table); i++) {
		struct symbol_range range = symbol_table_get(table, i);

		if (!strchr(range.name, '@') && !nm_has(nm, range.start - range.into, range.name))
			fail_msg("nm does not know %s at 0x%" PRIx64, range.name, range.start);
	}
}

static void test_self(void **state)
{
	_cleanup_symbol_table_ struct symbol_table *table = read_symbols(self_path());
	struct nm nm = nm_read("", self_path());
	uint64_t offset;

	assert_true(nm_assert_covered(&nm, table) > 50);
	assert_known(&nm, table);
	assert_null(symbol_table_find(table, 0, &offset));
	free(nm.symbols);
}

static void test_libc(void **state)
{
	_cleanup_symbol_table_ struct symbol_table *table = read_symbols(libc_path());
	struct nm nm = nm_read("-D", libc_path());
	uint64_t offset;

	assert_true(nm_assert_covered(&nm, table) > 1500);
	for (size_t i = 0; i < nm.n; i++) {
		const char *name = symbol_table_find(table, nm.symbols[i].address, &offset);

		/* weak, and "__newlocale" is global */
		if (streq(nm.symbols[i].name, "newlocale"))
			assert_string_equal(name, "newlocale");
		/* an ifunc's address is not the function */
		if (nm.symbols[i].type == 'i' && name)
			assert_string_not_equal(name, nm.symbols[i].name);
	}
	free(nm.symbols);
}

/* objdump makes names for the PLT by its own means. Returns how many it made. */
static size_t assert_plt(const char *objdump, const struct symbol_table *table)
{
	FILE *f = popen(objdump, "re");
	uint64_t address, offset;
	char line[512], name[256];
	const char *found;
	size_t n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 " <%255[^>]>:", &address, name) != 2 ||
		    strcmp(name + strcspn(name, "@"), "@plt") != 0)
			continue;
		found = symbol_table_find(table, address, &offset);
		if (!found || !streq(found, name) || offset != 0)
			fail_msg("objdump: %s, here: %s+%" PRIu64, name, found ? found : "nothing",
				 offset);
		n++;
	}
	pclose(f);
	return n;
}

static void check_choice(const char *path)
{
	_cleanup_symbol_table_ struct symbol_table *table = read_symbols(path);
	struct nm nm = nm_read("", path);
	uint64_t offset = 0;

	for (size_t i = 0; i < nm.n; i++) {
		const struct nm_symbol *s = &nm.symbols[i];
		const char *name = symbol_table_find(table, s->address, &offset);

		if (streq(s->name, "api") || streq(s->name, "alias") || streq(s->name, "inner"))
			assert_string_equal(name, "api");
		if (streq(s->name, "inner"))
			assert_true(offset > 0);
		if (streq(s->name, "after"))
			assert_string_equal(name, "after");
	}
	assert_true(nm.n >= 4);
	free(nm.symbols);
}

/* A version in a name; a local alias; labels within and behind a function. In a debug file, which has
 * no .dynsym that could be read, too. */
static void test_choice(void **state)
{
	static const char source[] =
		".text\n.globl impl, after\n.type impl, %function\n.type alias, %function\n"
		".symver impl, api@@V1\n"
		"alias:\nimpl: nop\nnop\ninner: nop\nnop\n.size impl, .-impl\n.size alias, "
		".-alias\n"
		"after: nop\nnop\n";
	static const char *const files[] = { "choice.so", "choice.debug" };
	char command[512];

	tree_write(*state, "choice.s", source);
	tree_write(*state, "map", "V1 { global: api; local: *; };");
	snprintf(command, sizeof(command),
		 "cd %s && gcc -nostdlib -shared -Wl,--version-script=map -o choice.so choice.s && "
		 "objcopy --only-keep-debug choice.so choice.debug",
		 (char *)*state);
	must_run(command);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = tree_path(*state, files[i]);

		check_choice(path);
	}
}

static void test_plt(void **state)
{
	_cleanup_symbol_table_ struct symbol_table *self = read_symbols(self_path());
	char command[256];

	snprintf(command, sizeof(command),
		 "LC_ALL=C objdump -d -j .plt -j .plt.sec -j .plt.got %s 2>/dev/null", self_path());
	assert_true(assert_plt(command, self) > 10);
}

/* One program with each kind of linker output that names its PLT otherwise. */
static void test_plt_kinds(void **state)
{
	static const char *const options[] = { "-Wl,-z,lazy", "-Wl,-z,now",
					       "-fcf-protection=full -Wl,-z,ibtplt", "-no-pie" };
	char command[1024];

#ifndef __x86_64__
	skip();
#endif
	snprintf(command, sizeof(command),
		 "printf '#include <stdio.h>\\nint main(int n, char **v)"
		 "{ puts(*v); return getchar(); }' >%s/p.c",
		 (char *)*state);
	must_run(command);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		_cleanup_symbol_table_ struct symbol_table *table = NULL;
		_cleanup_free_ char *path = tree_path(*state, "p");

		snprintf(command, sizeof(command), "cd %s && gcc %s -o p p.c", (char *)*state,
			 options[i]);
		must_run(command);
		table = read_symbols(path);
		snprintf(command, sizeof(command),
			 "LC_ALL=C objdump -d -j .plt -j .plt.sec -j .plt.got %s 2>/dev/null",
			 path);
		assert_in_range(assert_plt(command, table), 2, 4);
	}
}

/* Stripped, the rest in .gnu_debugdata as the GDB manual makes it ("MiniDebugInfo"). */
static void make_mini(const char *dir)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "cp %s %s/whole && cd %s && objcopy -S --remove-section .gnu_debugdata "
		 "whole stripped && objcopy --only-keep-debug whole debug && "
		 "objcopy -S --keep-symbols=/dev/stdin debug mini <names && xz -k mini && "
		 "objcopy --add-section .gnu_debugdata=mini.xz stripped packed",
		 self_path(), dir, dir);
	must_run(command);
}

static void test_mini_debug_info(void **state)
{
	_cleanup_symbol_table_ struct symbol_table *whole = NULL, *stripped = NULL, *packed = NULL;
	_cleanup_free_ char *names = tree_path(*state, "names");
	char path[4][256];
	struct nm nm = nm_read("", self_path());
	FILE *f = fopen(names, "we");
	uint64_t offset;

	assert_non_null(f);
	for (size_t i = 0; i < nm.n; i++)
		if (strchr("tTwW", nm.symbols[i].type))
			fprintf(f, "%s\n", nm.symbols[i].name);
	fclose(f);
	make_mini(*state);
	for (unsigned i = 0; i < ARRAY_SIZE(path); i++)
		snprintf(path[i], sizeof(path[i]), "%s/%s", (char *)*state,
			 ((const char *[]){ "whole", "stripped", "packed", "" })[i]);
	whole = read_symbols(path[0]);
	stripped = read_symbols(path[1]);
	packed = read_symbols(path[2]);
	assert_true(symbol_table_size(stripped) + 50 < symbol_table_size(whole));
	assert_true(nm_assert_covered(&nm, packed) > 50);
	assert_known(&nm, packed);
	for (size_t i = 0; i < nm.n; i++)
		if (streq(nm.symbols[i].name, "test_mini_debug_info")) {
			assert_null(symbol_table_find(stripped, nm.symbols[i].address, &offset));
			assert_string_equal(symbol_table_find(packed, nm.symbols[i].address,
							      &offset),
					    "test_mini_debug_info");
		}
	free(nm.symbols);
}

/* What nm and objdump of AArch64 say: tests/data/binary/README. */
static const struct {
	const char *file;
	uint64_t address;
	const char *name;
	uint64_t offset;
} aarch64[] = {
	{ "aarch64.so", 0x2e0, "puts@plt", 0 },	     { "aarch64.so", 0x2fc, "twice@plt", 12 },
	{ "aarch64.so", 0x300, "exported", 0 },	     { "aarch64.so", 0x363, "local_one", 0x33 },
	{ "aarch64.so", 0x374, "handmade", 12 },     { "aarch64.so", 0x378, "label", 0 },
	{ "aarch64-bti", 0x400370, "puts@plt", 0 },  { "aarch64-bti", 0x400387, "puts@plt", 23 },
	{ "aarch64-bti", 0x400388, "twice@plt", 0 }, { "aarch64-bti", 0x4003a0, "exported", 0 },
};

static void test_aarch64(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(aarch64); i++) {
		_cleanup_symbol_table_ struct symbol_table *table = NULL;
		const char *name;
		uint64_t offset;
		char path[4096];

		snprintf(path, sizeof(path), "%s/tests/data/binary/%s",
			 getenv("top_srcdir") ?: "..", aarch64[i].file);
		table = read_symbols(path);
		name = symbol_table_find(table, aarch64[i].address, &offset);
		assert_non_null(name);
		assert_string_equal(name, aarch64[i].name);
		assert_int_equal(offset, aarch64[i].offset);
		for (size_t j = 0; j < symbol_table_size(table); j++)
			assert_int_not_equal(*symbol_table_get(table, j).name, '$');
	}
}

/* A part that is damaged costs itself: the others are there, and it is told. */
static void test_damaged_part(void **state)
{
	_cleanup_symbol_table_ struct symbol_table *table = NULL;
	_cleanup_close_ int fd = -EBADF;
	char command[512], path[256];
	uint64_t offset;
	int failed;

	snprintf(path, sizeof(path), "%s/damaged", (char *)*state);
	snprintf(command, sizeof(command), "objcopy --add-section .gnu_debugdata=/etc/passwd %s %s",
		 self_path(), path);
	must_run(command);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	table = table_of(fd, &failed);
	assert_int_equal(failed, 1);
	assert_non_null(symbol_table_find(table, symbol_table_get(table, 0).start, &offset));
	assert_true(symbol_table_size(table) > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_libc),
		cmocka_unit_test_setup_teardown(test_choice, tree_setup, tree_teardown),
		cmocka_unit_test(test_plt),
		cmocka_unit_test_setup_teardown(test_plt_kinds, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_mini_debug_info, tree_setup, tree_teardown),
		cmocka_unit_test(test_aarch64),
		cmocka_unit_test_setup_teardown(test_damaged_part, tree_setup, tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
