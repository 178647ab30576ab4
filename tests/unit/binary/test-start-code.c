/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Code that calls main() or a thread's function, as in musl 1.2.3, and code that only looks like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "binary/start-code.h"

#define TEXT 0x401000
#define TEXT_SIZE 0x400
#define NOP1 0x90
#define NOP5 0x0f, 0x1f, 0x44, 0x00, 0x00
#define NOP10 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0
#define CALL 0xe8, 1, 2, 3, 4

struct code {
	uint8_t at[TEXT_SIZE];
};

/* Finds in all of text what `bytes` at `offset` make of it; no function ends at what is around. */
static size_t find(uint16_t machine, uint64_t entry, size_t offset, const uint8_t *bytes, size_t n,
		   struct start_code found[static START_CODE_MAX])
{
	struct elf_file elf = { .fd = memfd_create("test-start-code", MFD_CLOEXEC),
				.machine = machine,
				.entry = entry,
				.text = { { TEXT, 0, TEXT_SIZE } },
				.n_text = 1 };
	struct code code;
	size_t r;

	assert_true(elf.fd >= 0);
	memset(&code, 0xc3, sizeof(code));
	memcpy(code.at + offset, bytes, n);
	assert_int_equal(write(elf.fd, &code, sizeof(code)), sizeof(code));
	r = start_code_find(&elf, TEXT, TEXT + TEXT_SIZE, found);
	close(elf.fd);
	return r;
}

/* The code at TEXT + 0x40 has its indirect call's end at `call` and the direct one's at `end`, or none. */
static void check(size_t call, size_t end, const uint8_t *bytes, size_t n)
{
	struct start_code found[START_CODE_MAX];

	assert_int_equal(find(EM_X86_64, 0, 0x40, bytes, n, found), end > 0);
	if (end > 0) {
		assert_int_equal(found[0].begin, TEXT + 0x40 + call - 1);
		assert_int_equal(found[0].end, TEXT + 0x40 + end);
	}
	assert_int_equal(find(EM_AARCH64, 0, 0x40, bytes, n, found), 0);
}

#define CHECK(call, end, ...) \
	check(call, end, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void test_main(void **state)
{
	/* exit(main(argc, argv, environ)): mov %r12,%rsi; call *%rbx; mov %eax,%edi; call; nop */
	CHECK(5, 12, 0x4c, 0x89, 0xe6, 0xff, 0xd3, 0x89, 0xc7, CALL, 0x0f, 0x1f, 0x40, 0);
	CHECK(3, 10, 0x41, 0xff, 0xd5, 0x89, 0xc7, CALL, NOP1, NOP5); /* call *%r13 */
	CHECK(4, 11, 0xff, 0x54, 0x24, 8, 0x89, 0xc7, CALL, NOP5); /* call *8(%rsp) */
	CHECK(3, 10, 0xff, 0x55, 0xf8, 0x89, 0xc7, CALL, NOP1, NOP5); /* call *-8(%rbp) */
	CHECK(5, 12, 0x4c, 0x89, 0xe6, 0xff, 0xd3, 0x89, 0xc7, CALL, 0xcc, 0xcc, 0xcc, 0xcc);
	CHECK(5, 12, 0x4c, 0x89, 0xe6, 0xff, 0xd3, 0x89, 0xc7, CALL, 0xf4); /* hlt */
	CHECK(5, 12, 0x4c, 0x89, 0xe6, 0xff, 0xd3, 0x89, 0xc7, CALL, 0x66, 0x90, 0x66, 0x90);
	CHECK(15, 22, NOP10, 0x4c, 0x89, 0xe6, 0xff, 0xd3, 0x89, 0xc7, CALL, NOP10);
	/* the next function without any padding between */
	CHECK(9, 16, NOP5, NOP1, NOP1, 0xff, 0xd3, 0x89, 0xc7, CALL, 0x55);
	CHECK(9, 16, NOP5, NOP1, NOP1, 0xff, 0xd3, 0x89, 0xc7, CALL, 0x41, 0x57);
	CHECK(9, 16, NOP5, NOP1, NOP1, 0xff, 0xd3, 0x89, 0xc7, CALL, 0x48, 0x83, 0xec, 8);
	CHECK(9, 16, NOP5, NOP1, NOP1, 0xff, 0xd3, 0x89, 0xc7, CALL, 0xf3, 0x0f, 0x1e, 0xfa);
}

static void test_thread(void **state)
{
	/* __pthread_exit(args->start_func(args->start_arg)), and another case of the function behind */
	CHECK(6, 14, 0x48, 0x8b, 0x7b, 8, 0xff, 0x13, 0x48, 0x89, 0xc7, CALL, 0xb9, 1, 0, 0, 0);
	/* that of C11, whose function gives an int; the argument is in another register */
	CHECK(6, 14, 0x48, 0x8b, 0x7f, 8, 0xff, 0x10, 0x48, 0x63, 0xf8, CALL, 0x66, 0x90);
	CHECK(0, 0, 0x48, 0x8b, 0x7b, 8, 0xff, 0x10, 0x48, 0x89, 0xc7, CALL, 0xb9, 1, 0, 0, 0);
	CHECK(0, 0, 0x48, 0x8b, 0x7b, 16, 0xff, 0x13, 0x48, 0x89, 0xc7, CALL, 0xb9, 1, 0, 0, 0);
}

static void test_others(void **state)
{
	/* the function goes on */
	CHECK(0, 0, 0x4c, 0x89, 0xe6, 0xff, 0xd3, 0x89, 0xc7, CALL, 0x85, 0xc0, 0x90, 0x90);
	CHECK(0, 0, NOP5, NOP1, NOP1, 0xff, 0xd3, 0x89, 0xc7, CALL, 0x49, 0x89, 0xc6);
	/* a direct call; a result that goes elsewhere; a jump */
	CHECK(0, 0, NOP1, CALL, 0x89, 0xc7, CALL, NOP1, NOP1, NOP1);
	CHECK(0, 0, 0x4c, 0x89, 0xe6, 0xff, 0xd3, 0x89, 0xc6, CALL, 0x0f, 0x1f, 0x40, 0);
	CHECK(0, 0, 0x4c, 0x89, 0xe6, 0xff, 0xd3, 0x89, 0xc7, 0xe9, 1, 2, 3, 4, 0x0f, 0x1f, 0x40,
	      0);
}

/* At the very begin and end of text, where less can be looked at. */
static void test_ends(void **state)
{
	static const uint8_t code[] = { 0x4c, 0x89, 0xe6, 0xff, 0xd3, 0x89, 0xc7, CALL, NOP1 };
	struct start_code found[START_CODE_MAX];

	for (size_t n = 1; n < sizeof(code); n++)
		find(EM_X86_64, 0, TEXT_SIZE - n, code, n, found);
	for (size_t n = 1; n < sizeof(code); n++)
		find(EM_X86_64, 0, 0, code + n, sizeof(code) - n, found);
	assert_int_equal(find(EM_X86_64, 0, TEXT_SIZE - sizeof(code), code, sizeof(code), found),
			 1);
	assert_int_equal(found[0].end, TEXT + TEXT_SIZE - 1);
}

static void test_entry(void **state)
{
	static const uint8_t code[] = { 0x4c, 0x89, 0xe6, 0xff, 0xd3, 0x89,
					0xc7, CALL, 0x0f, 0x1f, 0x40, 0 };
	struct start_code found[START_CODE_MAX];

	/* the entry point behind the caller of main(), and in front of it */
	assert_int_equal(find(EM_X86_64, TEXT + 0x80, 0x40, code, sizeof(code), found), 2);
	assert_int_equal(found[0].end, TEXT + 0x4c);
	assert_int_equal(found[1].begin, TEXT + 0x80);
	assert_int_equal(found[1].end, TEXT + 0xc0);
	assert_int_equal(find(EM_X86_64, TEXT + 0x20, 0x80, code, sizeof(code), found), 2);
	assert_int_equal(found[0].begin, TEXT + 0x20);
	assert_int_equal(found[1].end, TEXT + 0x8c);
	/* around it, and where text ends */
	assert_int_equal(find(EM_X86_64, TEXT + 0x30, 0x40, code, sizeof(code), found), 1);
	assert_int_equal(find(EM_AARCH64, TEXT + TEXT_SIZE - 4, 0, code, 1, found), 1);
	assert_int_equal(found[0].end, TEXT + TEXT_SIZE);
	assert_int_equal(find(EM_AARCH64, TEXT + TEXT_SIZE, 0, code, 1, found), 0);
	assert_int_equal(find(EM_AARCH64, TEXT - 4, 0, code, 1, found), 0);
}

static void test_many(void **state)
{
	struct start_code found[START_CODE_MAX];
	uint8_t code[TEXT_SIZE];
	size_t n;

	for (size_t at = 0; at < sizeof(code); at += 16)
		memcpy(code + at, (uint8_t[]){ NOP1, NOP1, 0xff, 0xd3, 0x89, 0xc7, CALL, NOP5 },
		       16);
	n = find(EM_X86_64, 0, 0, code, sizeof(code), found);
	assert_int_equal(n, START_CODE_MAX);
	for (size_t i = 1; i < n; i++)
		assert_true(found[i].begin >= found[i - 1].end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_main),   cmocka_unit_test(test_thread),
		cmocka_unit_test(test_others), cmocka_unit_test(test_ends),
		cmocka_unit_test(test_entry),  cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
