/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The unwind tables of this machine's libraries against libdw. Both rules of an address are applied to
 * the same made-up machine, whose registers and memory are hashes of their numbers and addresses: CFA,
 * return address and frame pointer of the caller must then be the same, whatever form the rules have.
 * Each row of libdw's is checked at its first 16 addresses and at its last one.
 *
 *   tests/unit/binary/test-unwind-oracle [FILE...]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "binary/unwind-table.h"

#define LIBRARIES "/usr/lib/x86_64-linux-gnu/"
#define STACK_MAX 16

/* DWARF's numbers of the registers that matter. */
static const struct numbers {
	uint64_t sp, fp, ra, pc;
} x86_64 = { 7, 6, 16, 16 }, aarch64 = { 31, 29, 30, 32 };
static const struct numbers *number;

static const char *const usual[] = {
	"/proc/self/exe",
	LIBRARIES "libc.so.6",
	LIBRARIES "libcrypto.so.3",
	LIBRARIES "libdw.so.1",
	"/lib64/ld-linux-x86-64.so.2",
	"/usr/bin/bash",
	"/usr/aarch64-linux-gnu/lib/libc.so.6", /* Debian's libc6-arm64-cross */
};

/* A caller's frame as one of the two sees it. */
struct caller {
	bool root, lost_fp;
	uint64_t cfa, ra, fp;
};

struct share {
	uint64_t rows, known, lost_fp, wrong;
};

static uint64_t hash(uint64_t n)
{
	n = (n ^ n >> 31) * UINT64_C(0x9e3779b97f4a7c15);
	n = (n ^ n >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
	return n ^ n >> 32;
}

static uint64_t memory(uint64_t address)
{
	return hash(address + 1);
}

static uint64_t reg(uint64_t pc, uint64_t n)
{
	return n == number->pc ? pc : hash(~n);
}

/* What our rule says. */

static uint64_t rule_cfa(const struct wire_unwind_rule *rule, uint64_t pc)
{
	uint64_t sp = reg(pc, number->sp), fp = reg(pc, number->fp),
		 offset = (uint64_t)rule->cfa_offset;
	uint64_t inner = (uint64_t)rule->deref_offset;

	switch (rule->cfa) {
	case WIRE_CFA_SP:
		return sp + offset;
	case WIRE_CFA_FP:
		return fp + offset;
	case WIRE_CFA_SP_DEREF:
		return memory(sp + inner) + offset;
	case WIRE_CFA_FP_DEREF:
		return memory(fp + inner) + offset;
	case WIRE_CFA_PLT:
		return sp + offset + ((pc & 15) >= inner ? 8 : 0);
	case WIRE_CFA_REGISTER:
		return reg(pc, inner) + offset;
	case WIRE_CFA_SP_INDEX_DEREF:
		return memory(sp + 8 * reg(pc, rule->index) + inner) + offset;
	case WIRE_CFA_SIGNAL:
		return memory(sp + 160);
	}
	fail();
	return 0;
}

static uint64_t rule_saved(uint64_t n, uint8_t where, int16_t offset, uint64_t cfa, uint64_t pc)
{
	if (where == WIRE_SAVED_SAME)
		return reg(pc, n);
	return memory((where == WIRE_SAVED_CFA ? cfa : reg(pc, number->fp)) + (uint64_t)offset);
}

static struct caller apply_rule(const struct wire_unwind_rule *rule, uint64_t pc)
{
	struct caller caller = { .cfa = rule_cfa(rule, pc) };

	if (rule->cfa == WIRE_CFA_SIGNAL) {
		caller.ra = memory(reg(pc, number->sp) + 168);
		caller.fp = memory(reg(pc, number->sp) + 120);
		return caller;
	}
	caller.root = rule->ra == WIRE_SAVED_UNDEFINED;
	caller.lost_fp = rule->fp == WIRE_SAVED_UNDEFINED;
	if (!caller.root)
		caller.ra = rule_saved(number->ra, rule->ra, rule->ra_offset, caller.cfa, pc);
	if (!caller.lost_fp)
		caller.fp = rule_saved(number->fp, rule->fp, rule->fp_offset, caller.cfa, pc);
	return caller;
}

/* What libdw says: the operations that it gives are run. */

static uint64_t run_operations(const Dwarf_Op *ops, size_t n, uint64_t pc, uint64_t cfa,
			       bool *ret_is_value)
{
	uint64_t stack[STACK_MAX] = {}, *top = stack;

	*ret_is_value = false;
	for (size_t i = 0; i < n; i++) {
		const Dwarf_Op *op = &ops[i];

		assert_true(top - stack < STACK_MAX - 1);
		switch (op->atom) {
		case DW_OP_breg0 ... DW_OP_breg31:
			*++top = reg(pc, op->atom - DW_OP_breg0) + op->number;
			break;
		case DW_OP_bregx:
			*++top = reg(pc, op->number) + op->number2;
			break;
		case DW_OP_regx:
			*++top = reg(pc, op->number);
			*ret_is_value = true;
			break;
		case DW_OP_reg0 ... DW_OP_reg31:
			*++top = reg(pc, op->atom - DW_OP_reg0);
			*ret_is_value = true;
			break;
		case DW_OP_call_frame_cfa:
			*++top = cfa;
			break;
		case DW_OP_lit0 ... DW_OP_lit31:
			*++top = op->atom - DW_OP_lit0;
			break;
		case DW_OP_const1u ... DW_OP_consts:
			*++top = op->number;
			break;
		case DW_OP_plus_uconst:
			*top += op->number;
			break;
		case DW_OP_deref:
			*top = memory(*top);
			break;
		case DW_OP_plus:
			top--, top[0] += top[1];
			break;
		case DW_OP_minus:
			top--, top[0] -= top[1];
			break;
		case DW_OP_mul:
			top--, top[0] *= top[1];
			break;
		case DW_OP_and:
			top--, top[0] &= top[1];
			break;
		case DW_OP_shl:
			top--, top[0] <<= top[1];
			break;
		case DW_OP_ge:
			top--, top[0] = (int64_t)top[0] >= (int64_t)top[1];
			break;
		case DW_OP_stack_value:
			*ret_is_value = true;
			break;
		default:
			fail_msg("operation 0x%x of libdw's", op->atom);
		}
	}
	return *top;
}

/* False: undefined. */
static bool oracle_saved(Dwarf_Frame *frame, uint64_t which, uint64_t pc, uint64_t cfa,
			 uint64_t *ret)
{
	Dwarf_Op mem[3], *ops;
	bool is_value;
	uint64_t n;
	size_t count;

	assert_int_equal(dwarf_frame_register(frame, (int)which, mem, &ops, &count), 0);
	if (count == 0 && ops)
		return false;
	if (count == 0) {
		*ret = reg(pc, which);
		return true;
	}
	n = run_operations(ops, count, pc, cfa, &is_value);
	*ret = is_value ? n : memory(n);
	return true;
}

static struct caller ask_oracle(Dwarf_Frame *frame, uint64_t pc)
{
	struct caller caller = {};
	Dwarf_Op *ops;
	bool is_value;
	size_t n;

	assert_int_equal(dwarf_frame_cfa(frame, &ops, &n), 0);
	caller.cfa = run_operations(ops, n, pc, 0, &is_value);
	caller.root = !oracle_saved(frame, number->ra, pc, caller.cfa, &caller.ra);
	caller.lost_fp = !oracle_saved(frame, number->fp, pc, caller.cfa, &caller.fp);
	return caller;
}

static bool same(const struct caller *ours, const struct caller *theirs)
{
	if (ours->root || theirs->root)
		return ours->root == theirs->root;
	return ours->cfa == theirs->cfa && ours->ra == theirs->ra &&
	       (ours->lost_fp || (!theirs->lost_fp && ours->fp == theirs->fp));
}

static void check_address(const struct unwind_table *table, Dwarf_Frame *frame, uint64_t pc,
			  struct share *share)
{
	struct caller ours, theirs;
	struct wire_unwind_rule rule;

	if (!unwind_table_find(table, pc, &rule))
		return;
	ours = apply_rule(&rule, pc);
	theirs = ask_oracle(frame, pc);
	if (same(&ours, &theirs))
		return;
	if (share->wrong++ < 10)
		print_message("0x%" PRIx64 ": cfa kind %u offset %d, fp %u %d, ra %u %d\n", pc,
			      rule.cfa, rule.cfa_offset, rule.fp, rule.fp_offset, rule.ra,
			      rule.ra_offset);
}

static void check_row(const struct unwind_table *table, Dwarf_Frame *frame, uint64_t start,
		      uint64_t end, struct share *share)
{
	struct wire_unwind_rule rule;

	share->rows++;
	if (unwind_table_find(table, start, &rule)) {
		share->known++;
		share->lost_fp +=
			rule.fp == WIRE_SAVED_UNDEFINED && rule.ra != WIRE_SAVED_UNDEFINED;
	}
	for (uint64_t pc = start; pc < end && pc < start + 16; pc++)
		check_address(table, frame, pc, share);
	check_address(table, frame, end - 1, share);
}

/* Where libdw has nothing we have nothing, but for padding and the entry point. */
static void check_gap(const struct unwind_table *table, uint64_t entry, uint64_t pc, uint64_t last)
{
	struct wire_unwind_rule rule;

	if (!unwind_table_find(table, pc, &rule))
		return;
	if (rule.ra == WIRE_SAVED_UNDEFINED && pc - entry < 64)
		return;
	assert_true(pc - last < CFI_GAP_MAX);
}

static void check_section(const struct unwind_table *table, Dwarf_CFI *cfi, uint64_t entry,
			  const struct elf_section *s, struct share *share)
{
	uint64_t last = 0;

	for (uint64_t pc = s->addr; pc < s->addr + s->size;) {
		Dwarf_Addr start, end;
		Dwarf_Frame *frame;

		if (dwarf_cfi_addrframe(cfi, pc, &frame) != 0) {
			check_gap(table, entry, pc++, last);
			continue;
		}
		dwarf_frame_info(frame, &start, &end, NULL);
		check_row(table, frame, pc, end, share);
		free(frame);
		pc = last = end;
	}
}

static void check_sections(const struct unwind_table *table, const struct elf_file *elf,
			   struct share *share)
{
	Elf *libelf;
	Dwarf_CFI *cfi;

	elf_version(EV_CURRENT);
	libelf = elf_begin(elf->fd, ELF_C_READ_MMAP, NULL);
	cfi = dwarf_getcfi_elf(libelf);
	assert_non_null(cfi);
	for (size_t i = 0; i < elf->n_sections; i++)
		if (elf->sections[i].flags & SHF_EXECINSTR)
			check_section(table, cfi, elf->entry, &elf->sections[i], share);
	dwarf_cfi_end(cfi);
	elf_end(libelf);
}

/* fd is closed. */
static void check_fd(const char *name, int fd)
{
	_cleanup_close_ int closed = fd;
	_cleanup_elf_ struct elf_file *elf = NULL;
	_cleanup_free_ void *bytes = NULL;
	struct unwind_table table;
	struct share share = {};
	size_t size;

	assert_int_equal(elf_file_open(fd, &elf), 0);
	number = elf->machine == EM_X86_64 ? &x86_64 : &aarch64;
	assert_int_equal(unwind_table_build(elf, &bytes, &size), 0);
	assert_int_equal(unwind_table_open(bytes, size, &table), 0);
	check_sections(&table, elf, &share);
	print_message("%s: %" PRIu64 " rows, %.3f%% known, frame pointer lost in %" PRIu64
		      ", %" PRIu64 " addresses disagree\n",
		      name, share.rows, 100. * (double)share.known / (double)share.rows,
		      share.lost_fp, share.wrong);
	assert_true(share.rows > 10);
	assert_true((double)share.known >= 0.995 * (double)share.rows);
	assert_int_equal(share.wrong, 0);
}

static void check_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		print_message("%s: %s\n", path, strerror(errno));
	else
		check_fd(path, fd);
}

/* The kernel's own, which is a file nowhere; its section headers are at its end. */
static void test_vdso(void **state)
{
	const Elf64_Ehdr *h = (const void *)getauxval(AT_SYSINFO_EHDR);
	int fd = memfd_create("vdso", MFD_CLOEXEC);
	size_t size;

	assert_non_null(h);
	size = h->e_shoff + h->e_shnum * sizeof(Elf64_Shdr);
	assert_int_equal(write(fd, h, size), (ssize_t)size);
	check_fd("vDSO", fd);
}

static void test_usual(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		check_file(usual[i]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_usual),
					    cmocka_unit_test(test_vdso) };

	for (int i = 1; i < argc; i++)
		check_file(argv[i]);
	return argc > 1 ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
