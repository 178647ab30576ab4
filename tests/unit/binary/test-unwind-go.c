/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unwind tables of Go's functions: of programs that the Go at hand builds, for both machines, linked
 * by Go and with C, stripped, position-independent. The CFI that Go's linker writes for debuggers
 * (.debug_frame) says how deep the stack is; what it does not know is looked up by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/util.h"
#include "binary/array.h"
#include "binary/load.h"
#include "binary/unwind-go.h"
#include "binary/unwind-table.h"
#include "tests/unit/binary/go.h"
#include "tests/unit/host/tree.h"

static const char program[] = "package main\n"
			      "import (\"crypto/sha256\"; \"fmt\"; \"time\")\n"
			      "func main() { fmt.Println(sha256.Sum256(nil), time.Now()) }\n";

struct row {
	uint64_t address;
	struct wire_unwind_rule rule;
};

static int keep_row(void *userdata, uint64_t address, const struct wire_unwind_rule *rule)
{
	struct row *row = array_add(userdata, sizeof(*row));

	assert_non_null(row);
	*row = (struct row){ address, *rule };
	return 0;
}

static struct elf_file *open_elf(const char *dir, const char *name, int *ret_fd)
{
	_cleanup_free_ char *path = tree_path(dir, name);
	struct elf_file *elf;

	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(elf_file_open(*ret_fd, &elf), 0);
	return elf;
}

static struct array debugger_rows(const struct elf_file *elf)
{
	const struct elf_section *section = elf_file_section(elf, ".debug_frame");
	struct cfi_input input = { .machine = elf->machine,
				   .text = elf->text,
				   .n_text = elf->n_text };
	_cleanup_free_ uint8_t *bytes = NULL;
	struct array rows = {};
	struct cfi_counts counts;

	assert_non_null(section);
	assert_int_equal(elf_file_read(elf, section, &bytes, &input.debug_frame.size), 0);
	input.debug_frame.bytes = bytes;
	assert_int_equal(cfi_walk(&input, keep_row, &rows, &counts), 0);
	return rows;
}

static struct array go_rows(const struct elf_file *elf)
{
	struct array rows = {};
	struct unwind_go go;
	const struct row *row;

	assert_int_equal(unwind_go_open(elf, &go), 0);
	assert_true(go.begin < go.end);
	assert_int_equal(unwind_go_walk(&go, keep_row, &rows), 0);
	row = rows.data;
	for (uint32_t i = 0; i < rows.n; i++) {
		assert_true(row[i].address >= go.begin && row[i].address < go.end);
		assert_true(i == 0 || row[i].address > row[i - 1].address);
	}
	unwind_go_done(&go);
	return rows;
}

/* Stack pointer + offset, as the debugger's; and where the caller's registers are. */
static bool agrees(uint16_t machine, const struct wire_unwind_rule *ours,
		   const struct wire_unwind_rule *theirs)
{
	int depth = ours->cfa_offset - (machine == EM_X86_64 ? 8 : 0);
	int ra_offset = machine == EM_X86_64 ? -8 : -depth;

	if (ours->cfa != WIRE_CFA_SP || ours->cfa_offset != theirs->cfa_offset)
		return false;
	if (depth == 0)
		return ours->fp == WIRE_SAVED_SAME &&
		       (machine == EM_X86_64 ? ours->ra_offset == -8 : ours->ra == WIRE_SAVED_SAME);
	return ours->ra == WIRE_SAVED_CFA && ours->ra_offset == ra_offset &&
	       ours->fp == WIRE_SAVED_CFA && ours->fp_offset == ra_offset - 8;
}

/* At each row of either: how many agree, and how many have a rule of which debuggers know nothing. */
static void compare(const struct elf_file *elf, unsigned *ret_agreed, unsigned *ret_special)
{
	struct array theirs = debugger_rows(elf), ours = go_rows(elf);
	const struct row *t = theirs.data, *o = ours.data;
	uint32_t i = 0;

	*ret_agreed = *ret_special = 0;
	for (uint32_t k = 0; k < ours.n; k++) {
		while (i + 1 < theirs.n && t[i + 1].address <= o[k].address)
			i++;
		if (t[i].rule.cfa != WIRE_CFA_SP)
			continue; /* no function, or a debugger would not know */
		if (o[k].rule.cfa != WIRE_CFA_SP || o[k].rule.ra == WIRE_SAVED_UNDEFINED ||
		    t[i].rule.ra == WIRE_SAVED_UNDEFINED) /* as they say of sigtramp */
			++*ret_special;
		else if (agrees(elf->machine, &o[k].rule, &t[i].rule))
			++*ret_agreed;
		else
			fail_msg("%#" PRIx64 ": CFA %u + %d, debuggers: %d", o[k].address,
				 o[k].rule.cfa, o[k].rule.cfa_offset, t[i].rule.cfa_offset);
	}
	array_done(&theirs);
	array_done(&ours);
}

static void test_depths(void **state)
{
	static const char *const machines[] = { "GOARCH=amd64", "GOARCH=arm64" };

	if (!have_go())
		skip();
	tree_write(*state, "main.go", program);
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		_cleanup_elf_ struct elf_file *elf = NULL;
		char environment[64];
		_cleanup_close_ int fd = -EBADF;
		unsigned agreed, special;

		snprintf(environment, sizeof(environment), "CGO_ENABLED=0 %s", machines[i]);
		go_build(*state, environment, "-ldflags=-compressdwarf=false", "p");
		elf = open_elf(*state, "p", &fd);
		compare(elf, &agreed, &special);
		print_message("%s: %u rows agree, %u are special\n", machines[i], agreed, special);
		assert_true(agreed > 5000);
		assert_true(special > 10 && special < 200);
	}
}

static uint64_t address_of(const struct nm *nm, const char *name, const char *alias)
{
	for (size_t i = 0; i < nm->n; i++)
		if (streq(nm->symbols[i].name, name) || streq(nm->symbols[i].name, alias))
			return nm->symbols[i].address;
	fail_msg("nm: no %s", name);
	return 0;
}

static struct wire_unwind_rule rule_at(const struct unwind_table *table, uint64_t address)
{
	struct wire_unwind_rule rule = {};

	unwind_table_find(table, address, &rule);
	return rule;
}

static void check_names(const struct unwind_table *table, const struct nm *nm)
{
	uint64_t goexit = address_of(nm, "runtime.goexit", "runtime.goexit.abi0");
	uint64_t systemstack = address_of(nm, "runtime.systemstack", "runtime.systemstack.abi0");
	uint64_t sigtramp = address_of(nm, "runtime.sigtramp", "runtime.sigtramp.abi0");
	uint64_t sigreturn =
		address_of(nm, "runtime.sigreturn__sigaction", "runtime.sigreturn__sigaction.abi0");
	uint64_t morestack = address_of(nm, "runtime.morestack", "runtime.morestack.abi0");

	assert_int_equal(rule_at(table, goexit).ra, WIRE_SAVED_UNDEFINED);
	assert_int_equal(rule_at(table, goexit + 1).ra, WIRE_SAVED_UNDEFINED);
	assert_int_equal(rule_at(table, systemstack).cfa, WIRE_CFA_SP);
	assert_int_equal(rule_at(table, systemstack).cfa_offset, 8);
	assert_int_equal(rule_at(table, systemstack + 1).cfa_offset, 16); /* push %rbp; mov */
	assert_int_equal(rule_at(table, systemstack + 1).cfa, WIRE_CFA_SP);
	assert_int_equal(rule_at(table, systemstack + 4).cfa, WIRE_CFA_FP_SWITCH);
	assert_int_equal(rule_at(table, systemstack + 4).cfa_offset, 16);
	assert_int_equal(rule_at(table, sigtramp).ra, WIRE_SAVED_CFA);
	assert_int_equal(rule_at(table, sigreturn - 1).cfa, WIRE_CFA_SIGNAL);
	assert_int_equal(rule_at(table, sigreturn).cfa, WIRE_CFA_SIGNAL);
	assert_int_not_equal(rule_at(table, sigreturn - 2).cfa, WIRE_CFA_SIGNAL);
	assert_int_equal(rule_at(table, morestack).cfa, WIRE_CFA_UNKNOWN);
	assert_int_not_equal(rule_at(table, address_of(nm, "main.main", "")).cfa, WIRE_CFA_UNKNOWN);
}

static void *build_table(const char *dir, const char *name, struct unwind_table *ret)
{
	_cleanup_elf_ struct elf_file *elf = NULL;
	_cleanup_close_ int fd = -EBADF;
	size_t size;
	void *bytes;

	elf = open_elf(dir, name, &fd);
	assert_int_equal(unwind_table_build(elf, &bytes, &size), 0);
	assert_int_equal(unwind_table_open(bytes, size, ret), 0);
	return bytes;
}

static void test_programs(void **state)
{
	static const struct {
		const char *options;
		bool has_c;
	} builds[] = {
		{ "", false },
		{ "-buildmode=pie", false },
		{ "-ldflags=-linkmode=external", true },
		{ "-buildmode=pie -ldflags=-linkmode=external", true },
	};
	_cleanup_free_ char *whole = tree_path(*state, "whole"), *bare = tree_path(*state, "bare");
	char command[1024];

	if (!have_go())
		skip();
	tree_write(*state, "main.go", program);
	for (size_t i = 0; i < ARRAY_SIZE(builds); i++) {
		_cleanup_free_ void *before = NULL, *after = NULL;
		struct unwind_table table, stripped;
		struct nm nm;

		go_build(*state, "GOARCH=amd64", builds[i].options, "whole");
		snprintf(command, sizeof(command), "strip -s -o %s %s", bare, whole);
		must_run(command);
		nm = nm_read("", whole);
		before = build_table(*state, "whole", &table);
		after = build_table(*state, "bare", &stripped);
		check_names(&table, &nm);
		check_names(&stripped, &nm);
		if (builds[i].has_c) /* behind Go's text CFI is in force again */
			assert_int_equal(rule_at(&stripped, address_of(&nm, "_start", "")).ra,
					 WIRE_SAVED_UNDEFINED);
		free(nm.symbols);
	}
}

static size_t find_function(const struct go_pclntab *table, const char *name)
{
	for (size_t i = 0; i < table->n; i++)
		if (streq(go_pclntab_name(table, i), name))
			return i;
	fail_msg("no %s", name);
	return 0;
}

/* Where the struct _func of function i has the offset of its name, behind the entry. */
static uint8_t *name_field(const struct unwind_go *go, size_t i)
{
	uint8_t *functions = go->program.bytes + go->program.table.functions;

	return functions + load_u32(functions + (2 * i + 1) * 4) + 4;
}

static struct wire_unwind_rule walked_rule(const struct unwind_go *go, uint64_t address)
{
	struct wire_unwind_rule rule = {};
	struct array rows = {};
	const struct row *row;

	assert_int_equal(unwind_go_walk(go, keep_row, &rows), 0);
	row = rows.data;
	for (uint32_t i = 0; i < rows.n && row[i].address <= address; i++)
		rule = row[i].rule;
	array_done(&rows);
	return rule;
}

/* Functions that change stacks without a frame go by their names: morestack is one, and gets them. */
static void test_frameless(void **state)
{
	static const struct {
		const char *name;
		struct wire_unwind_rule rule;
	} cases[] = {
		{ "runtime.morestack", {} },
		{ "runtime.systemstack",
		  { WIRE_CFA_FP_SWITCH, WIRE_SAVED_CFA, WIRE_SAVED_CFA, 0, 16, 0, -16, -8, 0 } },
		{ "runtime.asmcgocall",
		  { WIRE_CFA_FP_SWITCH, WIRE_SAVED_CFA, WIRE_SAVED_CFA, 0, 16, 0, -16, -8, 0 } },
		{ "runtime.mcall", { .cfa = WIRE_CFA_SP, .ra = WIRE_SAVED_UNDEFINED } },
	};
	_cleanup_elf_ struct elf_file *elf = NULL;
	_cleanup_close_ int fd = -EBADF;
	const struct go_pclntab *table;
	struct unwind_go go;
	size_t morestack;

	if (!have_go())
		skip();
	tree_write(*state, "main.go", program);
	go_build(*state, "GOARCH=amd64", "", "p");
	elf = open_elf(*state, "p", &fd);
	assert_int_equal(unwind_go_open(elf, &go), 0);
	table = &go.program.table;
	assert_ptr_equal(table->data, go.program.bytes);
	morestack = find_function(table, "runtime.morestack");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t other = find_function(table, cases[i].name);
		struct wire_unwind_rule rule;

		memcpy(name_field(&go, morestack), name_field(&go, other), 4);
		rule = walked_rule(&go, table->text + go_pclntab_start(table, morestack) + 9);
		assert_memory_equal(&rule, &cases[i].rule, sizeof(rule));
	}
	unwind_go_done(&go);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_depths, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_programs, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_frameless, tree_setup, tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
