/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Separate debug files as objcopy makes and links them, in the places that GDB looks at, below a root
 * of the test's own; and those that only look as if they belonged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/open.h"
#include "base/util.h"
#include "binary/debug-file.h"
#include "tests/unit/binary/nm.h"
#include "tests/unit/host/tree.h"

#define PROGRAM "/opt/bin/program"

struct fixture {
	char *dir;
	int root;
	char build_id_path[128]; /* where the debug file belongs, by build id */
};

static void run(const struct fixture *f, const char *command)
{
	char line[1024];

	snprintf(line, sizeof(line), "cd %s && %s", f->dir, command);
	must_run(line);
}

/* A program without symbols, linked to ./program.debug, which is somewhere else yet. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char line[256];
	FILE *out;

	tree_setup((void **)&f->dir);
	run(f,
	    "mkdir -p opt/bin/.debug usr/lib/debug/opt/bin && echo 'int main(void){return 0;}' |"
	    " gcc -g -Wl,--build-id -x c - -o whole && objcopy --only-keep-debug whole "
	    "program.debug && objcopy -S --add-gnu-debuglink=program.debug whole opt/bin/program");
	f->root = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(line, sizeof(line),
		 "cd %s && LC_ALL=C readelf -n whole | sed -n 's,.*Build ID: \\(..\\),\\1/,p'",
		 f->dir);
	out = popen(line, "re");
	assert_non_null(fgets(line, sizeof(line), out));
	assert_int_equal(pclose(out), 0);
	line[strcspn(line, "\n")] = '\0';
	snprintf(f->build_id_path, sizeof(f->build_id_path), "usr/lib/debug/.build-id/%.90s.debug",
		 line);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close_fd(f->root);
	tree_teardown((void **)&f->dir);
	free(f);
	return 0;
}

/* 0 and a file of the right contents, or the error. */
static int find(const struct fixture *f)
{
	_cleanup_close_ int program = open_regular_in_root(f->root, PROGRAM, 0), debug = -EBADF;
	_cleanup_elf_ struct elf_file *elf = NULL, *opened = NULL;
	int r;

	assert_int_equal(elf_file_open(program, &elf), 0);
	r = debug_file_open(elf, f->root, PROGRAM, &debug);
	if (r < 0) {
		assert_int_equal(debug, -EBADF);
		return r;
	}
	assert_int_equal(elf_file_open(debug, &opened), 0);
	assert_non_null(elf_file_section(opened, ".symtab"));
	assert_non_null(elf_file_section(opened, ".debug_info"));
	return 0;
}

static void test_places(void **state)
{
	const struct fixture *f = *state;
	char command[512];

	assert_int_equal(find(f), -ENOENT);
	run(f, "cp program.debug opt/bin/program.debug");
	assert_int_equal(find(f), 0);
	run(f, "mv opt/bin/program.debug opt/bin/.debug/program.debug");
	assert_int_equal(find(f), 0);
	run(f, "mv opt/bin/.debug/program.debug usr/lib/debug/opt/bin/program.debug");
	assert_int_equal(find(f), 0);
	run(f, "rm usr/lib/debug/opt/bin/program.debug");
	assert_int_equal(find(f), -ENOENT);
	snprintf(command, sizeof(command), "mkdir -p $(dirname %s) && cp program.debug %s",
		 f->build_id_path, f->build_id_path);
	run(f, command);
	assert_int_equal(find(f), 0);
}

/* Of another build, with another sum, through a link that leaves the root, a FIFO. */
static void test_strangers(void **state)
{
	const struct fixture *f = *state;
	char command[512];

	run(f, "cp program.debug opt/bin/program.debug && echo >>opt/bin/program.debug");
	assert_int_equal(find(f), -ENOENT);
	run(f, "rm opt/bin/program.debug && mkfifo opt/bin/program.debug");
	assert_int_equal(find(f), -ENOENT);
	run(f, "rm opt/bin/program.debug && ln -s $PWD/program.debug opt/bin/program.debug");
	assert_int_equal(find(f), -ENOENT);
	run(f, "ln -sf ../../../../../../../../program.debug opt/bin/program.debug");
	assert_int_equal(find(f), 0); /* / is the root, so this is the right file */
	run(f, "rm opt/bin/program.debug");
	snprintf(command, sizeof(command),
		 "echo 'int main(void){return 1;}' | gcc -g -Wl,--build-id -x c - -o other && "
		 "mkdir -p $(dirname %s) && mv other %s",
		 f->build_id_path, f->build_id_path);
	run(f, command);
	assert_int_equal(find(f), -ENOENT);
}

/* Contents of .gnu_debuglink that objcopy would not write. */
static void test_damaged_link(void **state)
{
	static const char *const links[] = {
		"../whole\\0\\0\\0\\0\\0\\0\\0\\0",
		"a\\0\\0\\0",
		"aaaaaaaaaaaaaaaa",
		"\\0\\0\\0\\0\\0\\0\\0\\0",
	};
	const struct fixture *f = *state;
	char command[512];

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		snprintf(command, sizeof(command),
			 "printf '%s' >link && objcopy --update-section .gnu_debuglink=link "
			 "opt/bin/program",
			 links[i]);
		run(f, command);
		assert_int_equal(find(f), -EBADMSG);
	}
	run(f, "objcopy --remove-section .gnu_debuglink opt/bin/program");
	assert_int_equal(find(f), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_link, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
