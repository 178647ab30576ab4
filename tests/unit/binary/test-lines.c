/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Programs that gcc, clang and g++ make, each address of them against addr2line -f -i, which reads
 * DWARF by its own means (libbfd); the same from a separate debug file; files without and with damaged
 * debug info.
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
#include "binary/line-answer.h"
#include "tests/unit/binary/nm.h"
#include "tests/unit/host/tree.h"

static const char cxx[] =
	"#include <cstdio>\n"
	"#include <vector>\n"
	"#include <algorithm>\n"
	"namespace app {\n"
	"template<typename T> struct Sum {\n"
	"	T total{};\n"
	"	inline void add(T x) { total += x * 3; }\n"
	"};\n"
	"__attribute__((noinline)) int work(std::vector<int> &v)\n"
	"{\n"
	"	Sum<long> sum;\n"
	"	std::sort(v.begin(), v.end(), [](int a, int b) { return a % 7 < b % 7; });\n"
	"	for (int x : v)\n"
	"		sum.add(x);\n"
	"	return int(sum.total);\n"
	"}\n"
	"}\n"
	"int main(int n, char **argv)\n"
	"{\n"
	"	std::vector<int> v(100, n);\n"
	"	std::printf(\"%d\\n\", app::work(v));\n"
	"}\n";

static const char c[] = "#include <stdio.h>\n"
			"static inline __attribute__((always_inline)) int deep(int x)\n"
			"{\n"
			"	for (int i = 0; i < x; i++)\n"
			"		x ^= getchar();\n"
			"	return x;\n"
			"}\n"
			"static inline __attribute__((always_inline)) int middle(int x)\n"
			"{\n"
			"	return deep(x + 1) *\n"
			"	       deep(x + 2);\n"
			"}\n"
			"__attribute__((noinline)) int outer(int x)\n"
			"{\n"
			"	return middle(x) + 1;\n"
			"}\n"
			"int main(void)\n"
			"{\n"
			"	return outer(getchar());\n"
			"}\n";

/* What addr2line said of the next address. */
struct oracle {
	FILE *out;
	char line[4096]; /* read ahead */
};

/* Frames as "FUNCTION FILE:LINE\n", files without directory: binutils and libdw join them otherwise. */
static void put_frame(char *text, size_t size, const char *function, const char *file,
		      unsigned line)
{
	const char *slash = strrchr(file, '/');
	size_t n = strlen(text);
	int added = snprintf(text + n, size - n, "%s %s:%u\n", function, slash ? slash + 1 : file,
			     line);

	assert_in_range(added, 1, size - n - 1);
}

static void oracle_open(struct oracle *o, const char *dir, const char *tool)
{
	char command[512];

	/* Without .symtab: they shall take names from DWARF as we do. */
	snprintf(command, sizeof(command),
		 "cd %s && objcopy --strip-all --keep-section='.debug_*' p bare && "
		 "LC_ALL=C %s -a -f -i -e bare <addresses",
		 dir, tool);
	o->out = popen(command, "re");
	assert_non_null(o->out);
	assert_non_null(fgets(o->line, sizeof(o->line), o->out));
}

static uint64_t oracle_next(struct oracle *o, char *text, size_t size)
{
	uint64_t address = strtoull(o->line, NULL, 16);
	char function[4096], *colon;

	*text = '\0';
	while (fgets(function, sizeof(function), o->out) && !has_prefix(function, "0x")) {
		assert_non_null(fgets(o->line, sizeof(o->line), o->out));
		function[strcspn(function, "\n")] = '\0';
		colon = strrchr(o->line, ':');
		assert_non_null(colon);
		*colon = '\0';
		put_frame(text, size, function, o->line, (unsigned)strtoul(colon + 1, NULL, 10));
	}
	strcpy(o->line, function);
	return address;
}

static void find(struct lines *lines, uint64_t address, char *text, size_t size)
{
	struct line_frame frames[LINES_FRAMES_MAX];
	int n = lines_find(lines, address, frames);

	assert_in_range(n, 0, LINES_FRAMES_MAX);
	*text = '\0';
	for (int i = 0; i < n; i++)
		put_frame(text, size, frames[i].function ?: "??", frames[i].file ?: "??",
			  frames[i].line);
	if (n == 0)
		put_frame(text, size, "??", "??", 0);
}

static struct lines *open_lines(const char *dir, const char *name, int *ret_fd)
{
	_cleanup_free_ char *path = tree_path(dir, name);
	struct lines *lines = NULL;

	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(*ret_fd >= 0);
	assert_int_equal(lines_open(*ret_fd, &lines), 0);
	return lines;
}

/* All addresses of functions that have lines. */
static void write_addresses(const char *dir, const char *program)
{
	_cleanup_free_ char *path = tree_path(dir, program), *list = tree_path(dir, "addresses");
	struct nm nm = nm_read("", path);
	FILE *out = fopen(list, "we");

	assert_non_null(out);
	for (size_t i = 0; i < nm.n; i++)
		for (uint64_t at = 0; strchr("tTwW", nm.symbols[i].type) && at < nm.symbols[i].size;
		     at++)
			fprintf(out, "0x%" PRIx64 "\n", nm.symbols[i].address + at);
	fclose(out);
	free(nm.symbols);
}

/* Compares the addresses of the program p, as tool sees them, with the lines of file. */
static size_t compare(const char *dir, const char *tool, const char *file)
{
	_cleanup_lines_ struct lines *lines = NULL;
	_cleanup_close_ int fd = -EBADF;
	char expected[8192], found[8192];
	struct oracle oracle;
	size_t n = 0, inlined = 0;

	lines = open_lines(dir, file, &fd);
	write_addresses(dir, "p");
	oracle_open(&oracle, dir, tool);
	for (; has_prefix(oracle.line, "0x"); n++) {
		uint64_t address = oracle_next(&oracle, expected, sizeof(expected));

		find(lines, address, found, sizeof(found));
		/* Where there is no debug info, addr2line takes names from .symtab. */
		if (strstr(expected, " ??:0"))
			assert_string_equal(found, "?? ??:0\n");
		else if (!streq(found, expected))
			fail_msg("%s 0x%" PRIx64 ":\n%saddr2line:\n%s", file, address, found,
				 expected);
		inlined += strchr(found, '\n') != strrchr(found, '\n');
	}
	pclose(oracle.out);
	assert_true(n > 50);
	return inlined;
}

static void test_compilers(void **state)
{
	static const struct {
		const char *compiler, *source, *tool;
	} builds[] = {
		{ "gcc -O2 -gdwarf-4", "c.c", "addr2line" },
		{ "gcc -O2 -gdwarf-5", "c.c", "addr2line" },
		{ "gcc -O2 -g -gz=zlib", "c.c", "addr2line" },
		{ "clang -O2 -gdwarf-4", "c.c", "addr2line" },
		{ "clang -O2 -gdwarf-5", "c.c", "addr2line" },
		/* libbfd gives some lines of std::sort to the wrong file */
		{ "g++ -O2 -gdwarf-5", "cxx.cc", "llvm-addr2line" },
		{ "g++ -O0 -gdwarf-4", "cxx.cc", "llvm-addr2line" },
		{ "clang++ -O2 -g", "cxx.cc", "llvm-addr2line" },
	};
	char command[512];

	tree_write(*state, "c.c", c);
	tree_write(*state, "cxx.cc", cxx);
	for (size_t i = 0; i < ARRAY_SIZE(builds); i++) {
		snprintf(command, sizeof(command), "%s --version >/dev/null 2>&1", builds[i].tool);
		if (system(command) != 0) {
			print_message("no %s to compare with\n", builds[i].tool);
			continue;
		}
		snprintf(command, sizeof(command), "cd %s && %s %s -o p", (char *)*state,
			 builds[i].compiler, builds[i].source);
		must_run(command);
		print_message("%s: %zu inlined\n", builds[i].compiler,
			      compare(*state, builds[i].tool, "p"));
	}
}

/* The program is stripped, the debug file has no code. */
static void test_debug_file(void **state)
{
	char command[512];

	tree_write(*state, "c.c", c);
	snprintf(command, sizeof(command),
		 "cd %s && gcc -O2 -g c.c -o p && objcopy --only-keep-debug p p.debug",
		 (char *)*state);
	must_run(command);
	assert_true(compare(*state, "addr2line", "p.debug") > 10);
}

/* The answer to many addresses at once says what one look-up each does; damaged, it is refused or
 * answers within its bytes. */
static void check_answer(const void *data, size_t size, struct lines *lines,
			 const uint64_t *addresses, size_t n)
{
	struct line_frame one[LINES_FRAMES_MAX], many[LINES_FRAMES_MAX];
	struct line_answer answer;

	assert_int_equal(line_answer_open(data, size, &answer), 0);
	assert_int_equal(answer.header->n, n);
	for (size_t i = 0; i < n; i++) {
		int frames = lines_find(lines, addresses[i], one);

		assert_int_equal(line_answer_get(&answer, i, many), frames);
		for (int f = 0; f < frames; f++) {
			assert_string_equal(many[f].function ?: "?", one[f].function ?: "?");
			assert_string_equal(many[f].file ?: "?", one[f].file ?: "?");
			assert_int_equal(many[f].line, one[f].line);
		}
	}
}

static void check_damaged(const uint8_t *data, size_t size)
{
	struct line_frame frames[LINES_FRAMES_MAX];
	struct line_answer answer;
	unsigned refused = 0;

	for (size_t at = 0; at < size; at++) {
		uint8_t *copy = malloc(size);

		memcpy(copy, data, size);
		copy[at] ^= 0xff;
		if (line_answer_open(copy, size, &answer) < 0)
			refused++;
		else
			for (size_t i = 0; i < answer.header->n; i++) {
				size_t n = line_answer_get(&answer, i, frames);

				for (size_t f = 0; f < n; f++)
					assert_true(strlen(frames[f].function ?: "") < size &&
						    strlen(frames[f].file ?: "") < size);
			}
		free(copy);
		assert_int_equal(line_answer_open(data, at, &answer), -EBADMSG);
	}
	assert_true(refused > 100);
}

static void test_answer(void **state)
{
	_cleanup_lines_ struct lines *lines = NULL;
	uint64_t addresses[LINE_ANSWER_ADDRESSES_MAX + 1];
	_cleanup_free_ char *path = tree_path(*state, "p");
	_cleanup_free_ void *data = NULL;
	_cleanup_close_ int fd = -EBADF;
	char command[512];
	size_t n = 0, size;
	struct nm nm;

	tree_write(*state, "c.c", c);
	snprintf(command, sizeof(command), "cd %s && gcc -O2 -g c.c -o p", (char *)*state);
	must_run(command);
	lines = open_lines(*state, "p", &fd);
	nm = nm_read("", path);
	for (size_t i = 0; i < nm.n; i++)
		for (uint64_t at = 0;
		     strchr("tTwW", nm.symbols[i].type) && at < nm.symbols[i].size && n < 300; at++)
			addresses[n++] = nm.symbols[i].address + at;
	free(nm.symbols);
	assert_true(n > 50);
	assert_int_equal(line_answer_build(lines, addresses, n, &data, &size), 0);
	check_answer(data, size, lines, addresses, n);
	check_damaged(data, size);
	assert_int_equal(line_answer_build(lines, addresses, ARRAY_SIZE(addresses), &data, &size),
			 -E2BIG);
}

static void test_none(void **state)
{
	_cleanup_free_ char *path = tree_path(*state, "p");
	_cleanup_close_ int fd = -EBADF, text = -EBADF;
	struct lines *lines = NULL;
	char command[512];

	tree_write(*state, "c.c", c);
	snprintf(command, sizeof(command), "cd %s && gcc -O2 c.c -o p", (char *)*state);
	must_run(command);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(lines_open(fd, &lines), -ENODATA);
	text = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	assert_int_equal(lines_open(text, &lines), -ENOEXEC);
	assert_null(lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_compilers, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_debug_file, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_answer, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_none, tree_setup, tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
