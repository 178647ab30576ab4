/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the program's children build of real files is, byte for byte, what is built here without a
 * sandbox: so it lets them do all that they need. And what they make of files that are none.
 *
 *   tests/unit/binary/test-child [FILE...]      prints what a child costs for these
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/child.h"
#include "base/util.h"
#include "binary/line-answer.h"
#include "binary/symbols-elf.h"
#include "binary/symbols-go.h"
#include "binary/unwind-table.h"

static const struct child_limits limits = {
	.memory = UINT64_C(512) << 20,
	.result = UINT64_C(256) << 20,
	.cpu_s = 60,
	.timeout_ns = 60 * NSEC_PER_SEC,
};

/* Where this program was loaded: the address of its first byte in memory. */
static uintptr_t code_bias(void)
{
	Dl_info info;

	assert_true(dladdr((void *)(uintptr_t)code_bias, &info) != 0);
	return (uintptr_t)info.dli_fbase;
}

static struct child_result run(const char *name, int fd)
{
	struct child_result result;

	assert_int_equal(child_run(name, &(struct child_input){ &fd, 1 }, &limits, &result), 0);
	return result;
}

static void test_unwind(void **state)
{
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	_cleanup_elf_ struct elf_file *elf = NULL;
	_cleanup_free_ void *here = NULL;
	struct child_result result = run("unwind", fd);
	struct unwind_table table;
	size_t size;

	assert_int_equal(result.status, CHILD_OK);
	assert_int_equal(elf_file_open(fd, &elf), 0);
	assert_int_equal(unwind_table_build(elf, &here, &size), 0);
	assert_int_equal(result.size, size);
	assert_memory_equal(result.data, here, size);
	assert_int_equal(unwind_table_open(result.data, result.size, &table), 0);
	assert_true(table.header->n_rows > 100);
	free(result.data);
}

static void test_symbols(void **state)
{
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	_cleanup_symbol_table_ struct symbol_table *here = NULL, *theirs = NULL;
	_cleanup_symbol_builder_ struct symbol_builder *b = NULL;
	_cleanup_elf_ struct elf_file *elf = NULL;
	struct child_result result = run("symbols", fd);
	const void *bytes;
	size_t size;

	assert_int_equal(result.status, CHILD_OK);
	assert_int_equal(elf_file_open(fd, &elf), 0);
	assert_int_equal(symbol_builder_new(SYMBOLS_MAX, SYMBOL_NAMES_MAX, &b), 0);
	assert_int_equal(symbols_elf_add(elf, b), 0);
	assert_int_equal(symbols_go_add(elf, b), -ENOENT);
	assert_int_equal(symbol_builder_finish(b, &here), 0);
	bytes = symbol_table_data(here, &size);
	assert_int_equal(result.size, size);
	assert_memory_equal(result.data, bytes, size);
	assert_int_equal(symbol_table_take(result.data, result.size, &theirs), 0);
	assert_true(symbol_table_size(theirs) > 100);
}

/* libdw within the sandbox: as it answers here. */
static void test_lines(void **state)
{
	uint64_t address = (uint64_t)(uintptr_t)test_lines - code_bias() + 1;
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct child_input input = {
		.fds = &fd,
		.n_fds = 1,
		.request = &address,
		.request_size = sizeof(address),
	};
	_cleanup_lines_ struct lines *lines = NULL;
	_cleanup_free_ void *here = NULL;
	struct child_result result;
	size_t size = 0;
	int r = lines_open(fd, &lines);

	assert_int_equal(child_run("lines", &input, &limits, &result), 0);
	if (r == -ENODATA) { /* built without -g */
		assert_int_equal(result.status, CHILD_REFUSED);
		assert_int_equal(result.error, -ENODATA);
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(line_answer_build(lines, &address, 1, &here, &size), 0);
	assert_non_null(memmem(here, size, "test_lines", sizeof("test_lines")));
	assert_int_equal(result.status, CHILD_OK);
	assert_int_equal(result.size, size);
	assert_memory_equal(result.data, here, size);
	free(result.data);
}

/* Names that are packed in the file (xz, an ELF file within): the sandbox lets them be unpacked. */
static void test_mini_debug_info(void **state)
{
	_cleanup_symbol_table_ struct symbol_table *table = NULL;
	_cleanup_close_ int fd = -EBADF;
	struct child_result result;
	char path[4096];
	uint64_t offset;

	snprintf(path, sizeof(path), "%s/tests/data/symbols/mini", getenv("top_srcdir") ?: "..");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	result = run("symbols", fd);
	assert_int_equal(result.status, CHILD_OK);
	assert_int_equal(symbol_table_take(result.data, result.size, &table), 0);
	/* nm of tests/data/symbols/x86-64, of which it was made */
	assert_string_equal(symbol_table_find(table, 0x222, &offset), "local_one");
}

static void test_no_elf(void **state)
{
	static const char *const names[] = { "unwind", "symbols" };
	int fd = memfd_create("nothing", MFD_CLOEXEC);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct child_result result = run(names[i], fd);

		assert_int_equal(result.status, CHILD_REFUSED);
		assert_int_equal(result.error, -ENOEXEC);
		assert_int_equal(child_run(names[i], &(struct child_input){ 0 }, &limits, &result),
				 0);
		assert_int_equal(result.status, CHILD_REFUSED);
		assert_int_equal(result.error, -EINVAL);
	}
	close(fd);
}

static void print_cost(const char *path, const char *name)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	struct child_result result = run(name, fd);
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	printf("%s %s: %s %d, %zu bytes, %.1f ms, largest child yet %ld KiB\n", name, path,
	       child_status_name(result.status), result.error, result.size,
	       (double)(now_ns(CLOCK_MONOTONIC) - start) / 1e6, usage.ru_maxrss);
	free(result.data);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unwind), cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_lines),  cmocka_unit_test(test_mini_debug_info),
		cmocka_unit_test(test_no_elf),
	};

	if (child_is_asked_for(argc, argv))
		return child_main(argv, child_registry);
	for (int i = 1; i < argc; i++) {
		print_cost(argv[i], "unwind");
		print_cost(argv[i], "symbols");
	}
	return argc > 1 ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
