/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Go's table says for each address how much a function has pushed (its depth); the rest is convention
 * (runtime/traceback.go, cmd/internal/obj/{x86/obj6,arm64/obj7}.go):
 *
 *   x86-64   the return address is at SP + depth, the caller's frame pointer in the word below it, and
 *            the frame pointer points there
 *   AArch64  without depth the return address is in the link register, else at SP; the caller's frame
 *            pointer is in the word below SP, and the frame pointer points there
 *
 * Assembly may push something else first. Of 5,896 functions of an HTTP server (Go 1.26) 8 do: sigtramp
 * has the frame pointer there all the same, and the others call nothing that changes stacks later.
 *
 * Stacks begin in functions with GO_TOP_FRAME (goexit, mstart, rt0_go), and in the entry point. The
 * runtime says so of sigtramp, too, but the kernel called that one, and a signal frame is above.
 *
 * Functions with GO_SP_WRITE leave the stack that their depth is about. Those with a frame keep their
 * frame pointer while they are on the other one: systemstack, asmcgocall, cgocallback, time.now; so
 * stacks go on from the system stack to the goroutine that asked for it, and through C. mcall and
 * morestack set it to 0 since Go 1.21, as the goroutine may go on elsewhere: roots. (The runtime's own
 * traceback finds the goroutine in morestack, by ways that rules cannot say.) Before, systemstack and
 * asmcgocall had no frame on x86-64: the frame pointer is their caller's, and that one frame is left
 * out; and mcall left the frame pointer as it was. Of others without a frame nothing is known.
 */
#include "binary/unwind-go.h"

#include <elf.h>

#include "base/util.h"

#define WORD 8
#define DEPTH_MAX (CFI_OFFSET_MAX - 2 * WORD)
#define SET_FRAME_POINTER 3 /* bytes of mov %rsp,%rbp, behind push %rbp; since Go 1.21 */

static const struct wire_unwind_rule unknown,
	caller_switches = { .cfa = WIRE_CFA_FP_SWITCH,
			    .cfa_offset = 2 * WORD,
			    .ra = WIRE_SAVED_CFA,
			    .ra_offset = -WORD,
			    .fp = WIRE_SAVED_CFA,
			    .fp_offset = -2 * WORD },
	root = { .cfa = WIRE_CFA_SP, .ra = WIRE_SAVED_UNDEFINED },
	signal_frame = { .cfa = WIRE_CFA_SIGNAL };

static struct wire_unwind_rule rule_x86_64(int32_t depth, bool switches)
{
	struct wire_unwind_rule rule = { .cfa = WIRE_CFA_SP,
					 .cfa_offset = depth + WORD,
					 .ra = WIRE_SAVED_CFA,
					 .ra_offset = -WORD };

	if (depth == 0)
		return rule;
	rule.fp = WIRE_SAVED_CFA;
	rule.fp_offset = -2 * WORD;
	if (switches) {
		rule.cfa = WIRE_CFA_FP_SWITCH;
		rule.cfa_offset = 2 * WORD;
	}
	return rule;
}

static struct wire_unwind_rule rule_aarch64(int32_t depth, bool switches)
{
	if (depth == 0)
		return (struct wire_unwind_rule){ .cfa = WIRE_CFA_SP };
	if (depth + WORD > -INT16_MIN)
		return unknown; /* a rule's offsets end there */
	return (struct wire_unwind_rule){
		.cfa = switches ? WIRE_CFA_FP_SWITCH : WIRE_CFA_SP,
		.cfa_offset = switches ? depth + WORD : depth,
		.ra = WIRE_SAVED_CFA,
		.ra_offset = (int16_t)-depth,
		.fp = WIRE_SAVED_CFA,
		.fp_offset = (int16_t)(-depth - WORD),
	};
}

struct walk {
	const struct unwind_go *go;
	cfi_row *row;
	void *userdata;
	uint64_t next; /* lowest address that may be told */
};

static int tell(struct walk *w, uint64_t address, const struct wire_unwind_rule *rule)
{
	if (address < w->next || address >= w->go->end)
		return 0;
	w->next = address + 1;
	return w->row(w->userdata, address, rule);
}

static bool is_root(const struct walk *w, size_t i, uint64_t start, uint64_t end, const char *name)
{
	uint64_t entry = w->go->elf->entry;

	if (entry >= start && entry < end)
		return true;
	return go_pclntab_flags(&w->go->program.table, i) & GO_TOP_FRAME &&
	       !streq(name, "runtime.sigtramp");
}

/* What the kernel lets a signal handler return to. */
static bool is_sigreturn(const char *name)
{
	return streq(name, "runtime.sigreturn__sigaction") || streq(name, "runtime.sigreturn");
}

/* Of a function that changes stacks without a frame of its own, as these did before Go 1.21. */
static const struct wire_unwind_rule *rule_without_frame(const struct walk *w, size_t i)
{
	const char *name = go_pclntab_name(&w->go->program.table, i) ?: "";

	if (w->go->elf->machine != EM_X86_64)
		return &unknown;
	if (streq(name, "runtime.systemstack") || streq(name, "runtime.asmcgocall"))
		return &caller_switches;
	return streq(name, "runtime.mcall") ? &root : &unknown;
}

static bool has_frame(struct go_depths depths)
{
	bool found = false;

	while (!found && go_depths_next(&depths))
		found = depths.depth > 0;
	return found;
}

static int tell_run(struct walk *w, uint64_t start, const struct go_depths *run, bool switches)
{
	struct wire_unwind_rule rule = unknown;
	uint64_t at = start + run->begin;
	int r;

	if (run->depth < 0 || run->depth > DEPTH_MAX)
		return tell(w, at, &rule);
	if (w->go->elf->machine == EM_AARCH64) {
		rule = rule_aarch64(run->depth, switches);
		return tell(w, at, &rule);
	}
	if (switches && run->depth == WORD) { /* the frame pointer is pushed, but not yet set */
		rule = rule_x86_64(run->depth, false);
		r = tell(w, at, &rule);
		if (r < 0 || run->end - run->begin <= SET_FRAME_POINTER)
			return r;
		at += SET_FRAME_POINTER;
	}
	rule = rule_x86_64(run->depth, switches);
	return tell(w, at, &rule);
}

static int tell_depths(struct walk *w, size_t i, uint64_t start, uint64_t end)
{
	const struct go_pclntab *table = &w->go->program.table;
	struct go_depths depths;
	bool switches;
	int r = 0;

	if (!go_pclntab_depths(table, i, &depths))
		return tell(w, start, &unknown);
	switches = go_pclntab_flags(table, i) & GO_SP_WRITE;
	if (switches && !has_frame(depths))
		return tell(w, start, rule_without_frame(w, i));
	while (r == 0 && go_depths_next(&depths) && depths.begin < end - start)
		r = tell_run(w, start, &depths, switches);
	return r;
}

static int tell_function(struct walk *w, size_t i, uint64_t start, uint64_t end)
{
	const char *name = go_pclntab_name(&w->go->program.table, i) ?: "";

	/* It is returned to, but was not called: the address that is looked for is the byte before. */
	if (is_sigreturn(name))
		return tell(w, start - 1, &signal_frame);
	if (is_root(w, i, start, end, name))
		return tell(w, start, &root);
	return tell_depths(w, i, start, end);
}

int unwind_go_walk(const struct unwind_go *go, cfi_row *row, void *userdata)
{
	const struct go_pclntab *table = &go->program.table;
	struct walk w = { .go = go, .row = row, .userdata = userdata, .next = go->begin };
	uint64_t start, end;
	int r = 0;

	for (size_t i = 0; i < table->n && r == 0; i++) {
		start = table->text + go_pclntab_start(table, i);
		end = table->text + go_pclntab_end(table, i);
		if (start < go->begin || end < start || end > go->end)
			break; /* damaged */
		r = tell_function(&w, i, start, end);
	}
	return r;
}

/* Is it in the file, as text? So a walk is within the file's size, whatever the table says. */
static bool is_text(const struct elf_file *elf, uint64_t begin, uint64_t end)
{
	for (size_t i = 0; i < elf->n_text; i++) {
		const struct elf_segment *text = &elf->text[i];

		if (begin >= text->vaddr && begin < end && end - text->vaddr <= text->size)
			return true;
	}
	return false;
}

int unwind_go_open(const struct elf_file *elf, struct unwind_go *ret)
{
	struct unwind_go go = { .elf = elf };
	const struct go_pclntab *table = &go.program.table;
	int r = -ENOENT;

	/* Not to search all of each library for a table. */
	if (elf_file_section(elf, ".go.buildinfo"))
		r = go_program_open(elf, &go.program);
	if (r == -ENOMEM)
		return r;
	if (r == 0) {
		go.begin = table->text + go_pclntab_start(table, 0);
		go.end = table->text + go_pclntab_end(table, table->n - 1);
		if (!is_text(elf, go.begin, go.end))
			go.begin = go.end = 0;
	}
	*ret = go;
	return 0;
}

void unwind_go_done(struct unwind_go *go)
{
	go_program_done(&go->program);
}
