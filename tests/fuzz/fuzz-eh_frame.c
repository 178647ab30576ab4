/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The input is a section of call frame information behind a byte of flags (tests/data/eh_frame/README).
 * Its rows must be in order and no more than its bytes can say; the table that is built of the same
 * section must be valid and say the same as the rows, where they begin, end, and in between.
 */
#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "binary/unwind-table.h"

#define SECTION 0x10000 /* address; text goes from 0 to there and on */
#define TEXT_SIZE 0x100000
#define ROWS_MAX (64 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct row {
	uint64_t address;
	struct wire_unwind_rule rule;
} rows[ROWS_MAX];
static size_t n_rows;

static int keep_row(void *userdata, uint64_t address, const struct wire_unwind_rule *rule)
{
	assert(n_rows < ROWS_MAX);
	assert(n_rows == 0 || address > rows[n_rows - 1].address);
	assert(address <= TEXT_SIZE);
	assert(rule->steps == 0 && rule->unused == 0);
	rows[n_rows++] = (struct row){ address, *rule };
	return 0;
}

static void walk(const struct elf_file *elf, const struct cfi_section *section, bool eh,
		 struct cfi_counts *ret_counts)
{
	struct cfi_input input = { .machine = elf->machine, .text = elf->text, .n_text = 1 };
	int r;

	if (eh)
		input.eh_frame = *section;
	else
		input.debug_frame = *section;
	n_rows = 0;
	r = cfi_walk(&input, keep_row, NULL, ret_counts);
	assert(r == 0);
	/* An FDE of at least 14 bytes makes two rows, each byte of instructions one more. */
	assert(n_rows <= section->size + 2);
}

static void check_at(const struct unwind_table *table, uint64_t pc,
		     const struct wire_unwind_rule *rule)
{
	struct wire_unwind_rule found = {};

	assert(unwind_table_find(table, pc, &found) == (rule->cfa != WIRE_CFA_UNKNOWN));
	assert(memcmp(&found, rule, sizeof(found)) == 0);
}

static void check_table(const struct unwind_table *table)
{
	for (size_t i = 0; i + 1 < n_rows; i++) {
		uint64_t last = rows[i + 1].address - 1;

		check_at(table, rows[i].address, &rows[i].rule);
		check_at(table, rows[i].address + (last - rows[i].address) / 2, &rows[i].rule);
		check_at(table, last, &rows[i].rule);
	}
	assert(n_rows == 0 || rows[n_rows - 1].rule.cfa == WIRE_CFA_UNKNOWN);
}

static void build(struct elf_file *elf, const struct cfi_section *section, bool eh)
{
	struct elf_section s = { .name = eh ? ".eh_frame" : ".debug_frame",
				 .addr = section->addr,
				 .size = section->size,
				 .type = SHT_PROGBITS };
	struct unwind_table table;
	void *bytes;
	size_t size;
	int r;

	elf->sections = &s;
	elf->n_sections = 1;
	r = unwind_table_build(elf, &bytes, &size);
	assert(r == 0);
	r = unwind_table_open(bytes, size, &table);
	assert(r == 0);
	check_table(&table);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -EBADF;
	/* No code can be read, so that there are the roots of the section only. */
	struct elf_file elf = { .text = { { 0, INT64_MAX, TEXT_SIZE } }, .n_text = 1 };
	struct cfi_section section = { data + 1, size - 1, SECTION };
	struct cfi_counts counts;
	bool eh;

	if (size < 1)
		return 0;
	if (fd < 0)
		fd = memfd_create("fuzz-eh_frame", MFD_CLOEXEC);
	if (pwrite(fd, section.bytes, section.size, 0) != (ssize_t)section.size)
		return 0;
	eh = !(data[0] & 2);
	elf.fd = fd;
	elf.machine = data[0] & 1 ? EM_AARCH64 : EM_X86_64;
	walk(&elf, &section, eh, &counts);
	build(&elf, &section, eh);
	return 0;
}
