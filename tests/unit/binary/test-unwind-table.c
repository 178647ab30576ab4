/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables against the rows that they are made of, at each address of text: random functions with many
 * pushes and pops, pages, entry points. And tables that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "binary/unwind-table.h"
#include "cfi-image.h"

/* The rules of all text as the rows say them, one for each byte. */
struct reference {
	struct wire_unwind_rule at[TEXT_SIZE];
	struct wire_unwind_rule now;
	uint64_t address;
};

static void extend(struct reference *reference, uint64_t address)
{
	for (; reference->address < address; reference->address++)
		if (reference->address >= TEXT && reference->address < TEXT + TEXT_SIZE)
			reference->at[reference->address - TEXT] = reference->now;
}

static int refer_row(void *userdata, uint64_t address, const struct wire_unwind_rule *rule)
{
	struct reference *reference = userdata;

	extend(reference, address);
	reference->now = *rule;
	return 0;
}

/* A file of which only .eh_frame is there. */
static void make_elf(struct elf_file *elf, struct elf_section *section, const struct bytes *b)
{
	*section = (struct elf_section){
		.name = ".eh_frame", .addr = SECTION, .size = b->n, .type = SHT_PROGBITS
	};
	*elf = (struct elf_file){ .fd = memfd_create("test-unwind-table", MFD_CLOEXEC),
				  .machine = EM_X86_64,
				  .build_id = { 1, 2, 3 },
				  .build_id_size = 3,
				  .text = { { TEXT, 0, TEXT_SIZE } },
				  .n_text = 1,
				  .sections = section,
				  .n_sections = 1 };
	assert_true(elf->fd >= 0);
	assert_int_equal(write(elf->fd, b->at, b->n), (ssize_t)b->n);
}

static void *build(const struct bytes *b, uint64_t entry, struct unwind_table *ret,
		   size_t *ret_size)
{
	struct elf_section section;
	struct elf_file elf;
	void *bytes;

	make_elf(&elf, &section, b);
	elf.entry = entry;
	assert_int_equal(unwind_table_build(&elf, &bytes, ret_size), 0);
	close(elf.fd);
	assert_int_equal(unwind_table_open(bytes, *ret_size, ret), 0);
	return bytes;
}

/* The table says at each address what the rows say. */
static uint32_t check(const struct bytes *b)
{
	static struct reference reference;
	struct cfi_input input = { .machine = EM_X86_64,
				   .eh_frame = { b->at, b->n, SECTION },
				   .text = &(struct elf_segment){ TEXT, 0, TEXT_SIZE },
				   .n_text = 1 };
	_cleanup_free_ void *bytes = NULL;
	struct unwind_table table;
	struct cfi_counts counts;
	size_t size;

	reference = (struct reference){};
	assert_int_equal(cfi_walk(&input, refer_row, &reference, &counts), 0);
	extend(&reference, TEXT + TEXT_SIZE);
	bytes = build(b, 0, &table, &size);
	for (uint64_t pc = TEXT - 16; pc < TEXT + TEXT_SIZE + 16; pc++) {
		struct wire_unwind_rule rule = {}, expected = {};

		if (pc >= TEXT && pc < TEXT + TEXT_SIZE)
			expected = reference.at[pc - TEXT];
		assert_int_equal(unwind_table_find(&table, pc, &rule),
				 expected.cfa != WIRE_CFA_UNKNOWN);
		assert_memory_equal(&rule, &expected, sizeof(rule));
	}
	return table.header->n_rows;
}

/* Instructions that mostly push and pop, by a byte or two each, and now and then do something else. */
static void put_random_code(struct bytes *b)
{
	int n = rand() % 30, offset = 8;

	for (int i = 0; i < n; i++) {
		int what = rand() % 16, advance = what < 13 ? 1 + rand() % 4 : 1 + rand() % 40;

		PUT(b, (uint8_t)(0x40 + advance));
		if (what < 6)
			offset += 8;
		else if (what < 12)
			offset -= 8;
		else if (what == 12)
			PUT(b, 0x86, (uint8_t)(rand() % 4)); /* frame pointer saved */
		else if (what == 13)
			PUT(b, 0x0d, (uint8_t)(6 + rand() % 2)); /* CFA on rbp or rsp */
		else if (what == 14)
			PUT(b, 0x0f, 3, 0x76, 0x78, 0x06); /* *(rbp - 8) */
		else
			offset += 8 * (rand() % 4);
		offset = offset < 0 ? 0 : offset > 120 ? 120 : offset;
		if (what != 14)
			PUT(b, 0x0e, (uint8_t)offset);
	}
}

static void test_random(void **state)
{
	for (unsigned seed = 1; seed <= 20; seed++) {
		struct bytes b = {};
		size_t cie = put_x86_64_cie(&b);
		uint64_t pc = TEXT + 0xe000; /* the first page ends at 0x10000 */

		srand(seed);
		while (b.n < 40000 && pc < TEXT + TEXT_SIZE - 0x1000) {
			/* some functions are longer than a page, some gaps, too */
			uint32_t length = rand() % 50 == 0 ? 0x18000 : 1 + (uint32_t)rand() % 300;
			size_t start = open_fde(&b, cie, pc, length);

			put_random_code(&b);
			close_entry(&b, start);
			pc += length + (rand() % 50 == 0 ? 0x19000 : (uint32_t)rand() % 20);
		}
		assert_true(check(&b) > 500);
	}
}

/* push %r15, %r14, %r13 (2 bytes each), %rbp, %rbx, and back: what is not of the frame pointer folds. */
static void test_steps(void **state)
{
	static const uint8_t code[] = {
		0x42, 0x0e, 16,	  0x42, 0x0e, 24,   0x42, 0x0e, 32,   0x41, 0x0e,
		40,   0x86, 5,	  0x41, 0x0e, 48,   0x48, 0x0e, 40,   0x41, 0x0e,
		32,   0x42, 0x0e, 24,	0x42, 0x0e, 16,	  0x42, 0x0e, 8,
	};
	_cleanup_free_ void *bytes = NULL;
	struct unwind_table table;
	struct bytes b = {};
	size_t size;

	put_fde(&b, put_x86_64_cie(&b), TEXT, 0x20, code, sizeof(code));
	check(&b);
	bytes = build(&b, 0, &table, &size);
	/* nothing up to TEXT; +0 with 3 pushes, +7 with one; +16 with 5 pops; nothing */
	assert_int_equal(table.header->n_rows, 5);
	assert_int_equal(table.header->n_rules, 4);
	assert_int_equal(table.header->n_pages, 1);
	assert_int_equal(table.pc[1], TEXT);
	assert_int_equal(table.rules[table.rule[1]].steps, 1 << 1 | 1 << 3 | 1 << 5);
	assert_int_equal(table.pc[2], TEXT + 7);
	assert_int_equal(table.rules[table.rule[2]].steps, 1 << 0);
	assert_int_equal(table.pc[3], TEXT + 16);
	assert_int_equal(table.rules[table.rule[3]].steps,
			 WIRE_STEP_POP | 1 << 0 | 1 << 2 | 1 << 4 | 1 << 6);
	assert_int_equal(table.rules[table.rule[3]].cfa_offset, 40);
	assert_int_equal(table.rule[4], WIRE_RULE_NONE);
}

/* Only what differs is a row, and equal functions share one. */
static void test_equal_rows(void **state)
{
	_cleanup_free_ void *bytes = NULL;
	struct unwind_table table;
	struct bytes b = {};
	size_t cie = put_x86_64_cie(&b), size;

	for (uint64_t pc = TEXT; pc < TEXT + 0x1000; pc += 0x10)
		put_fde(&b, cie, pc, 0x10, BYTES(0x41, 0x83, 2, 0x41, 0x8c, 3)); /* %rbx, %r12 */
	assert_int_equal(check(&b), 3);
	bytes = build(&b, 0, &table, &size);
	assert_int_equal(table.header->counts.fdes, 0x100);
	assert_int_equal(table.header->build_id_size, 3);
	assert_int_equal(table.header->build_id[2], 3);
	assert_int_equal(size, sizeof(struct unwind_header) + 2 * 16 + 12 + 3 * 4);
}

static bool is_root(const struct unwind_table *table, uint64_t pc)
{
	struct wire_unwind_rule rule;

	return unwind_table_find(table, pc, &rule) && rule.ra == WIRE_SAVED_UNDEFINED;
}

static void check_entry(const struct bytes *b, uint64_t entry, uint64_t end)
{
	_cleanup_free_ void *bytes = NULL;
	struct unwind_table table;
	size_t size;

	bytes = build(b, entry, &table, &size);
	for (uint64_t pc = TEXT; pc < TEXT + TEXT_SIZE; pc++)
		assert_int_equal(is_root(&table, pc), pc >= entry && pc < end);
}

/* musl's _start is assembly without call frame information: in front of a function, behind one, and
 * alone. Where there is information it holds, as for __libc_main, libc.so.6's entry point. */
static void test_entry(void **state)
{
	struct bytes b = {};
	size_t cie = put_x86_64_cie(&b);

	put_fde(&b, cie, TEXT + 0x200, 0x40, BYTES(0));
	put_fde(&b, cie, TEXT + 0x300, 0x10, BYTES(0x07, 16));
	check_entry(&b, TEXT + 0x300, TEXT + 0x310);
	check_entry(&(struct bytes){}, TEXT + 0x20, TEXT + 0x60);
	check_entry(&(struct bytes){}, TEXT + TEXT_SIZE - 0x20, TEXT + TEXT_SIZE);
	check_entry(&(struct bytes){}, TEXT + TEXT_SIZE, 0);
	b = (struct bytes){};
	put_fde(&b, put_x86_64_cie(&b), TEXT + 0x200, 0x40, BYTES(0));
	check_entry(&b, TEXT + 0x100, TEXT + 0x140);
	check_entry(&b, TEXT + 0x1e0, TEXT + 0x200);
	check_entry(&b, TEXT + 0x240, TEXT + 0x280);
	check_entry(&b, TEXT + 0x220, 0);
}

static void test_none(void **state)
{
	_cleanup_free_ void *bytes = NULL;
	struct wire_unwind_rule rule;
	struct unwind_table table;
	size_t size;

	bytes = build(&(struct bytes){}, 0, &table, &size);
	assert_int_equal(table.header->n_rows, 0);
	assert_int_equal(table.header->n_pages, 0);
	assert_false(unwind_table_find(&table, TEXT, &rule));
}

static void test_errors(void **state)
{
	struct elf_section section;
	struct bytes b = {};
	struct elf_file elf;
	void *bytes = NULL;
	size_t size;

	put_fde(&b, put_x86_64_cie(&b), TEXT, UINT32_MAX, BYTES(0)); /* 2^64 - 1 */
	make_elf(&elf, &section, &b);
	section.size = b.n + 1; /* beyond the file */
	assert_int_equal(unwind_table_build(&elf, &bytes, &size), -EBADMSG);
	section.size = ELF_SECTION_BYTES_MAX + 1;
	assert_int_equal(unwind_table_build(&elf, &bytes, &size), -E2BIG);
	section.size = b.n;
	section.type = SHT_NOBITS; /* as in a file that has debug information alone */
	assert_int_equal(unwind_table_build(&elf, &bytes, &size), 0);
	free(TAKE(bytes));
	section.type = SHT_PROGBITS;
	elf.text[0].size = UINT64_MAX - TEXT; /* and the function ends with the text */
	assert_int_equal(unwind_table_build(&elf, &bytes, &size), -E2BIG);
	assert_null(bytes);
	close(elf.fd);
}

/* Whatever one changes in a table, it is refused or still safe to use. */
static void test_damaged(void **state)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	struct unwind_table table, other;
	struct wire_unwind_rule rule;
	struct unwind_header *header;
	struct bytes b = {};
	size_t cie = put_x86_64_cie(&b), size, refused = 0;

	put_fde(&b, cie, TEXT, 0x20, BYTES(0x41, 0x0e, 16, 0x4a, 0x86, 2));
	put_fde(&b, cie, TEXT + 0x20000, 0x20, BYTES(0x41, 0x0e, 16));
	bytes = build(&b, 0, &table, &size);
	for (size_t i = 0; i < size * 8; i++) {
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		if (unwind_table_open(bytes, size, &other) == -EBADMSG)
			refused++;
		else
			for (uint64_t pc = TEXT; pc < TEXT + 0x30000; pc += 7)
				unwind_table_find(&other, pc, &rule);
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_true(refused > size);
	header = (struct unwind_header *)bytes;
	assert_int_equal(unwind_table_open(bytes, size - 1, &other), -EBADMSG);
	assert_int_equal(unwind_table_open(bytes, 0, &other), -EBADMSG);
	assert_int_equal(unwind_table_open(bytes + 1, size - 1, &other), -EBADMSG);
	assert_int_equal(unwind_table_open(bytes, size, &other), 0);
	header->n_rows = UINT32_MAX;
	assert_int_equal(unwind_table_open(bytes, size, &other), -EBADMSG);
}

static void refuse(void *bytes, size_t size, void *at, uint16_t value)
{
	struct unwind_table table;
	uint16_t good;

	memcpy(&good, at, 2);
	memcpy(at, &value, 2);
	assert_int_equal(unwind_table_open(bytes, size, &table), -EBADMSG);
	memcpy(at, &good, 2);
	assert_int_equal(unwind_table_open(bytes, size, &table), 0);
}

static void test_refused(void **state)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	struct wire_unwind_rule *rules;
	struct unwind_header *header;
	struct unwind_page *pages;
	struct unwind_table table;
	struct bytes b = {};
	size_t cie = put_x86_64_cie(&b), size;
	uint16_t *pc, *rule;

	put_fde(&b, cie, TEXT, 0x20, BYTES(0x41, 0x0e, 16, 0x4a, 0x86, 2));
	put_fde(&b, cie, TEXT + 0x20000, 0x20, BYTES(0x41, 0x0e, 16));
	bytes = build(&b, 0, &table, &size);
	header = (void *)bytes;
	rules = (void *)(header + 1);
	pages = (void *)(rules + header->n_rules);
	pc = (void *)(pages + header->n_pages);
	rule = pc + header->n_rows;
	assert_int_equal(header->n_pages, 2);
	refuse(bytes, size, &header->version, UNWIND_VERSION + 1);
	refuse(bytes, size, &header->machine, EM_RISCV);
	refuse(bytes, size, &header->build_id_size, ELF_BUILD_ID_MAX + 1);
	refuse(bytes, size, &rules[0].cfa, WIRE_CFA_SP);
	refuse(bytes, size, &rules[1].cfa, WIRE_CFA_SP_INDEX_DEREF + 1);
	refuse(bytes, size, &rules[1].index, 1);
	refuse(bytes, size, &rules[1].fp, WIRE_SAVED_UNDEFINED + 1);
	refuse(bytes, size, &rules[1].ra, WIRE_SAVED_UNDEFINED + 1);
	refuse(bytes, size, &rules[1].ra, WIRE_SAVED_SAME);
	refuse(bytes, size, &rules[1].ra_offset, 8);
	refuse(bytes, size, (uint16_t *)&rules[1].cfa_offset + 1, 0x7fff);
	refuse(bytes, size, &pages[1].number, 0);
	refuse(bytes, size, &pages[1].first, 0);
	refuse(bytes, size, &pages[0].n, 0);
	refuse(bytes, size, &pages[1].n, 9);
	refuse(bytes, size, &pc[0], 1);
	refuse(bytes, size, &pc[2], 0);
	refuse(bytes, size, &rule[1], (uint16_t)header->n_rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),	   cmocka_unit_test(test_steps),
		cmocka_unit_test(test_equal_rows), cmocka_unit_test(test_entry),
		cmocka_unit_test(test_none),	   cmocka_unit_test(test_errors),
		cmocka_unit_test(test_damaged),	   cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
