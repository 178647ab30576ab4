/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's own list, where this user may see it, and lists that kernels would write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "binary/kallsyms.h"

static int read_text(const char *text, struct symbol_table **ret)
{
	_cleanup_close_ int fd = memfd_create("kallsyms", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return kallsyms_read(fd, ret);
}

static void assert_at(const struct symbol_table *table, uint64_t address, const char *name,
		      uint64_t offset)
{
	uint64_t found_offset;
	const char *found = symbol_table_find(table, address, &found_offset);

	if (!name) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_string_equal(found, name);
	assert_int_equal(found_offset, offset);
}

static void test_text(void **state)
{
	_cleanup_symbol_table_ struct symbol_table *table = NULL;

	assert_int_equal(read_text("0000000000000000 A fixed_percpu_data\n"
				   "ffffffff81000000 T _text\n"
				   "ffffffff81000000 T startup_64\n"
				   "ffffffff81000100 t local\n"
				   "ffffffff82000000 D jiffies\n"
				   "ffffffffc0201000 t nf_drop\t[nf_tables]\n"
				   "ffffffffc0301000 t bpf_prog_6deef7357e7b4530\t[bpf]\n"
				   "ffffffffc0302000 t bpf_prog_b72d7f8c8a12e3f4_flows\t[bpf]\n",
				   &table),
			 0);
	assert_at(table, 0xffffffff810000ff, "startup_64", 0xff);
	assert_at(table, 0xffffffff81000100, "local", 0);
	assert_at(table, 0xffffffff81000100 + KALLSYMS_REACH_MAX - 1, "local",
		  KALLSYMS_REACH_MAX - 1);
	assert_at(table, 0xffffffff82000000, NULL, 0);
	assert_at(table, 0xffffffffc0201004, "nf_drop [nf_tables]", 4);
	assert_at(table, 0xffffffffc0302010, "bpf_prog_b72d7f8c8a12e3f4_flows [bpf]", 0x10);
	assert_at(table, 0, NULL, 0);
}

static void test_hidden(void **state)
{
	struct symbol_table *table = NULL;

	assert_int_equal(read_text("0000000000000000 T _text\n0000000000000000 t local\n", &table),
			 -EPERM);
	assert_int_equal(read_text("", &table), -ENODATA);
	assert_int_equal(read_text("ffffffff82000000 D jiffies\nnonsense\n", &table), -ENODATA);
	assert_null(table);
}

/* Every function of the running kernel has its name or that of an alias. */
static void test_kernel(void **state)
{
	_cleanup_symbol_table_ struct symbol_table *table = NULL;
	_cleanup_fclose_ FILE *file = fopen("/proc/kallsyms", "re");
	_cleanup_close_ int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	char line[1024], name[600], type;
	uint64_t address, offset, last = 0;
	const char *found = NULL;
	bool named = true; /* is one of the names at this address the one that was found? */
	unsigned seen = 0;
	int r = kallsyms_read(fd, &table);

	if (r == -EPERM || r == -ENODATA || fd < 0) {
		print_message("%s\n", r == -EPERM ? KALLSYMS_HIDDEN : "no kallsyms");
		skip();
	}
	assert_int_equal(r, 0);
	while (fgets(line, sizeof(line), file)) {
		assert_int_equal(sscanf(line, "%" SCNx64 " %c %599s", &address, &type, name), 3);
		if (!strchr("tTwW", type))
			continue;
		if (address != last) {
			assert_true(named);
			found = symbol_table_find(table, address, &offset);
			assert_non_null(found);
			assert_int_equal(offset, 0);
			named = false;
			last = address;
			seen++;
		}
		/* behind the name may be its module */
		named = named || (strncmp(found, name, strlen(name)) == 0 &&
				  strchr(" ", found[strlen(name)]));
	}
	assert_true(named);
	assert_true(seen > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
