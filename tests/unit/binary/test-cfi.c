/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Call frame information by hand: each instruction, encoding and pattern, and what is hostile. Rows are
 * compared as text, "address CFA, frame pointer, return address"; c is the CFA.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>

#include "binary/cfi.h"
#include "cfi-image.h"

struct text {
	char at[16 << 10];
	size_t n;
	uint64_t last;
	size_t rows;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	t->n += (size_t)vsnprintf(t->at + t->n, sizeof(t->at) - t->n, format, ap);
	va_end(ap);
	assert_true(t->n < sizeof(t->at));
}

static void say_cfa(struct text *t, const struct wire_unwind_rule *rule)
{
	int inner = rule->deref_offset, outer = rule->cfa_offset;

	switch (rule->cfa) {
	case WIRE_CFA_UNKNOWN:
		say(t, "unknown");
		break;
	case WIRE_CFA_SP:
		say(t, "sp%+d", outer);
		break;
	case WIRE_CFA_FP:
		say(t, "fp%+d", outer);
		break;
	case WIRE_CFA_SP_DEREF:
		say(t, "*(sp%+d)%+d", inner, outer);
		break;
	case WIRE_CFA_FP_DEREF:
		say(t, "*(fp%+d)%+d", inner, outer);
		break;
	case WIRE_CFA_PLT:
		say(t, "plt %d sp%+d", inner, outer);
		break;
	case WIRE_CFA_SP_INDEX_DEREF:
		say(t, "*(sp+8*r%d%+d)%+d", rule->index, inner, outer);
		break;
	case WIRE_CFA_REGISTER:
		say(t, "r%d%+d", inner, outer);
		break;
	case WIRE_CFA_SIGNAL:
		say(t, "signal");
		break;
	}
}

static void say_saved(struct text *t, uint8_t where, int offset)
{
	if (where == WIRE_SAVED_SAME)
		say(t, " same");
	else if (where == WIRE_SAVED_UNDEFINED)
		say(t, " undefined");
	else
		say(t, " %c%+d", where == WIRE_SAVED_CFA ? 'c' : 'f', offset);
}

static int say_row(void *userdata, uint64_t address, const struct wire_unwind_rule *rule)
{
	struct text *t = userdata;

	assert_true(t->rows++ == 0 || address > t->last);
	t->last = address;
	say(t, "%lx ", address);
	say_cfa(t, rule);
	if (rule->cfa != WIRE_CFA_UNKNOWN && rule->cfa != WIRE_CFA_SIGNAL) {
		say_saved(t, rule->fp, rule->fp_offset);
		say_saved(t, rule->ra, rule->ra_offset);
	}
	say(t, "\n");
	return 0;
}

static const struct elf_segment text_segment = { TEXT, 0, TEXT_SIZE };

/* What a section of either kind yields. */
static struct cfi_counts check_section(uint16_t machine, bool eh, const struct bytes *b,
				       const char *expected)
{
	struct cfi_input input = { .machine = machine, .text = &text_segment, .n_text = 1 };
	struct cfi_section section = { b->at, b->n, SECTION };
	struct cfi_counts counts;
	struct text text = {};

	if (eh)
		input.eh_frame = section;
	else
		input.debug_frame = section;
	assert_int_equal(cfi_walk(&input, say_row, &text, &counts), 0);
	assert_string_equal(text.at, expected);
	return counts;
}

/* A function of 0x10 bytes with these instructions. */
static struct cfi_counts check_x86_64(const uint8_t *code, size_t n, const char *expected)
{
	struct bytes b = {};

	put_fde(&b, put_x86_64_cie(&b), TEXT, 0x10, code, n);
	return check_section(EM_X86_64, true, &b, expected);
}

static struct cfi_counts check_aarch64(const uint8_t *code, size_t n, const char *expected)
{
	struct bytes b = {};

	put_fde(&b, put_aarch64_cie(&b), TEXT, 0x10, code, n);
	return check_section(EM_AARCH64, true, &b, expected);
}

#define ENTRY "1000 sp+8 same c-8\n"
#define END "1010 unknown\n"

static void test_advance(void **state)
{
	check_x86_64(BYTES(0), ENTRY END);
	/* advance_loc 1, 1, 2, 4; the offset grows each time, or there would be nothing to see */
	check_x86_64(BYTES(0x41, 0x0e, 16, 0x02, 2, 0x0e, 24, 0x03, 3, 0, 0x0e, 32, 0x04, 4, 0, 0,
			   0, 0x0e, 40),
		     ENTRY "1001 sp+16 same c-8\n1003 sp+24 same c-8\n1006 sp+32 same c-8\n"
			   "100a sp+40 same c-8\n" END);
	/* several instructions at one address are one row; no advance is none, either */
	check_x86_64(BYTES(0x0e, 16, 0x40, 0x0e, 24, 0x02, 0, 0x0e, 32),
		     "1000 sp+32 same c-8\n" END);
	/* beyond the function */
	check_x86_64(BYTES(0x50, 0x0e, 16), ENTRY END);
	check_x86_64(BYTES(0x04, 255, 255, 255, 255, 0x0e, 16), ENTRY END);
	/* in units of the CIE's */
	check_aarch64(BYTES(0x41, 0x0e, 16), "1000 sp+0 same same\n1004 sp+16 same same\n" END);
}

static void test_set_loc(void **state)
{
	struct bytes b = {};
	size_t start = open_fde(&b, put_x86_64_cie(&b), TEXT, 0x10);

	PUT(&b, 0x01);
	put_number(&b, TEXT + 5 - (SECTION + b.n), 4);
	PUT(&b, 0x0e, 16, 0x01);
	put_number(&b, TEXT + 3 - (SECTION + b.n), 4); /* not back */
	PUT(&b, 0x0e, 24);
	close_entry(&b, start);
	check_section(EM_X86_64, true, &b, ENTRY "1005 sp+24 same c-8\n" END);
}

static void test_cfa(void **state)
{
	check_x86_64(BYTES(0x0c, 6, 16), "1000 fp+16 same c-8\n" END); /* def_cfa */
	check_x86_64(BYTES(0x0d, 6), "1000 fp+8 same c-8\n" END); /* def_cfa_register */
	check_x86_64(BYTES(0x0e, 0x90, 0x01), "1000 sp+144 same c-8\n" END); /* def_cfa_offset */
	check_x86_64(BYTES(0x12, 7, 0x7e), "1000 sp+16 same c-8\n" END); /* def_cfa_sf -2 */
	check_x86_64(BYTES(0x13, 0x7d), "1000 sp+24 same c-8\n" END); /* def_cfa_offset_sf -3 */
	check_x86_64(BYTES(0x0c, 10, 0), "1000 r10+0 same c-8\n" END);
	check_aarch64(BYTES(0x0c, 29, 32), "1000 fp+32 same same\n" END);
	check_aarch64(BYTES(0x0c, 16, 8), "1000 r16+8 same same\n" END);
}

static void test_saved(void **state)
{
	check_x86_64(BYTES(0x86, 2), "1000 sp+8 c-16 c-8\n" END); /* offset */
	check_x86_64(BYTES(0x05, 6, 3), "1000 sp+8 c-24 c-8\n" END); /* offset_extended */
	check_x86_64(BYTES(0x11, 6, 0x7e), "1000 sp+8 c+16 c-8\n" END); /* offset_extended_sf */
	check_x86_64(BYTES(0x2f, 6, 2), "1000 sp+8 c+16 c-8\n" END); /* GNU_negative_offset */
	check_x86_64(BYTES(0x07, 6), "1000 sp+8 undefined c-8\n" END); /* undefined */
	check_x86_64(BYTES(0x86, 2, 0x08, 6), ENTRY END); /* same_value */
	check_x86_64(BYTES(0x86, 2, 0xc6), ENTRY END); /* restore */
	check_x86_64(BYTES(0x86, 2, 0x06, 6), ENTRY END); /* restore_extended */
	check_x86_64(BYTES(0x83, 2, 0x8c, 3, 0xc3), ENTRY END); /* registers that nobody follows */
	check_aarch64(BYTES(0x9d, 2, 0x9e, 1), "1000 sp+0 c-16 c-8\n" END);
	/* what is restored is what the CIE says */
	check_x86_64(BYTES(0x90, 3, 0xd0), ENTRY END);
}

/* The frame pointer where rules cannot say it: lost, but the stack can be walked. */
static void test_lost_frame_pointer(void **state)
{
	const char *expected = "1000 sp+8 undefined c-8\n" END;

	assert_int_equal(check_x86_64(BYTES(0x09, 6, 11), expected).lost_fp, 1); /* register */
	assert_int_equal(check_x86_64(BYTES(0x14, 6, 2), expected).lost_fp, 1); /* val_offset */
	assert_int_equal(check_x86_64(BYTES(0x15, 6, 2), expected).lost_fp, 1); /* val_offset_sf */
	assert_int_equal(check_x86_64(BYTES(0x16, 6, 2, 0x77, 0), expected).lost_fp, 1);
	assert_int_equal(check_x86_64(BYTES(0x10, 6, 2, 0x77, 0), expected).lost_fp, 1);
	assert_int_equal(check_x86_64(BYTES(0x86, 0x80, 0x40), expected).lost_fp, 1); /* far away */
	assert_int_equal(check_x86_64(BYTES(0x07, 6), expected).lost_fp, 0); /* it says so itself */
}

static void test_states(void **state)
{
	/* remember_state and restore_state have the CFA, too */
	check_x86_64(BYTES(0x41, 0x0e, 16, 0x86, 2, 0x41, 0x0a, 0x0e, 8, 0xc6, 0x41, 0x0b),
		     ENTRY "1001 sp+16 c-16 c-8\n1002 sp+8 same c-8\n1003 sp+16 c-16 c-8\n" END);
	check_x86_64(BYTES(0x0a, 0x0e, 16, 0x0a, 0x0e, 24, 0x41, 0x0b, 0x41, 0x0b),
		     "1000 sp+24 same c-8\n1001 sp+16 same c-8\n1002 sp+8 same c-8\n" END);
}

static void test_no_operation(void **state)
{
	check_x86_64(BYTES(0x2e, 0x90, 0x01, 0, 0), ENTRY END); /* GNU_args_size */
	check_aarch64(BYTES(0x2d, 0x2c, 0x41, 0x2d), /* negate_ra_state, ..._with_pc */
		      "1000 sp+0 same same\n1004 sp+0 same same\n" END);
	assert_int_equal(
		check_x86_64(BYTES(0x2d), "1000 unknown\n" END).unknown[CFI_UNKNOWN_DAMAGED], 1);
}

static void test_plt(void **state)
{
	/* rsp + 8 + (((rip & 15) >= 11) << 3), as ld writes it; 9 with -z ibtplt */
	check_x86_64(BYTES(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22),
		     "1000 plt 11 sp+8 same c-8\n" END);
	check_x86_64(BYTES(0x0f, 11, 0x77, 16, 0x80, 0, 0x3f, 0x1a, 0x39, 0x2a, 0x33, 0x24, 0x22),
		     "1000 plt 9 sp+16 same c-8\n" END);
	/* not quite */
	check_x86_64(BYTES(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x32, 0x24, 0x22),
		     "1000 unknown\n" END);
	check_x86_64(BYTES(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x40, 0x2a, 0x33, 0x24, 0x22),
		     "1000 unknown\n" END);
	check_x86_64(BYTES(0x0f, 12, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22,
			   0x96),
		     "1000 unknown\n" END);
}

static void test_indexed_stack(void **state)
{
	/* *(rsp + 8 * r9 + 8) + 8: libcrypto's bn_mul_mont() */
	check_x86_64(BYTES(0x0f, 10, 0x77, 8, 0x79, 0, 0x38, 0x1e, 0x22, 0x06, 0x23, 8),
		     "1000 *(sp+8*r9+8)+8 same c-8\n" END);
	/* not quite: without the dereference, twice, times 7, an offset to the index, another base */
	check_x86_64(BYTES(0x0f, 7, 0x77, 8, 0x79, 0, 0x38, 0x1e, 0x22), "1000 unknown\n" END);
	check_x86_64(BYTES(0x0f, 13, 0x77, 8, 0x79, 0, 0x38, 0x1e, 0x22, 0x79, 0, 0x38, 0x1e, 0x22,
			   0x06),
		     "1000 unknown\n" END);
	check_x86_64(BYTES(0x0f, 8, 0x77, 8, 0x79, 0, 0x37, 0x1e, 0x22, 0x06),
		     "1000 unknown\n" END);
	check_x86_64(BYTES(0x0f, 8, 0x77, 8, 0x79, 1, 0x38, 0x1e, 0x22, 0x06),
		     "1000 unknown\n" END);
	check_x86_64(BYTES(0x0f, 8, 0x76, 8, 0x79, 0, 0x38, 0x1e, 0x22, 0x06),
		     "1000 unknown\n" END);
	check_x86_64(BYTES(0x0f, 4, 0x77, 8, 0x79, 0), "1000 unknown\n" END);
}

static void test_realigned_stack(void **state)
{
	/* GCC: lea 8(%rsp),%r10; and $-32,%rsp; push -8(%r10); push %rbp; mov %rsp,%rbp; push %r10 */
	check_x86_64(BYTES(0x45, 0x0c, 10, 0, 0x44, 0x10, 6, 2, 0x76, 0, 0x42, 0x0f, 3, 0x76, 0x78,
			   0x06),
		     ENTRY "1005 r10+0 same c-8\n1009 r10+0 f+0 c-8\n100b *(fp-8)+0 f+0 c-8\n" END);
	/* the same in other words: bregx, and constants that are added */
	check_x86_64(BYTES(0x0f, 6, 0x92, 6, 0x70, 0x06, 0x23, 8),
		     "1000 *(fp-16)+8 same c-8\n" END);
	check_x86_64(BYTES(0x0f, 6, 0x77, 8, 0x38, 0x22, 0x06, 0x33), "1000 unknown\n" END);
	check_x86_64(BYTES(0x0f, 7, 0x77, 8, 0x38, 0x22, 0x06, 0x33, 0x1c),
		     "1000 *(sp+16)-3 same c-8\n" END);
	check_x86_64(BYTES(0x0f, 5, 0x77, 0, 0x08, 200, 0x22), "1000 sp+200 same c-8\n" END);
	check_x86_64(BYTES(0x0f, 5, 0x77, 0, 0x09, 200, 0x22), "1000 sp-56 same c-8\n" END);
	check_x86_64(BYTES(0x0f, 6, 0x77, 0, 0x0a, 0, 1, 0x22), "1000 sp+256 same c-8\n" END);
	check_x86_64(BYTES(0x0f, 6, 0x77, 0, 0x0b, 0, 0xff, 0x22), "1000 sp-256 same c-8\n" END);
	check_x86_64(BYTES(0x0f, 8, 0x77, 0, 0x0c, 0, 0, 1, 0, 0x22),
		     "1000 sp+65536 same c-8\n" END);
	check_x86_64(BYTES(0x0f, 8, 0x77, 0, 0x0d, 0, 0, 255, 255, 0x22),
		     "1000 sp-65536 same c-8\n" END);
	check_x86_64(BYTES(0x0f, 5, 0x77, 0, 0x10, 9, 0x22), "1000 sp+9 same c-8\n" END);
	check_x86_64(BYTES(0x0f, 5, 0x77, 0, 0x11, 0x7f, 0x22), "1000 sp-1 same c-8\n" END);
	/* twice, or through a register that nobody follows */
	check_x86_64(BYTES(0x0f, 4, 0x77, 8, 0x06, 0x06), "1000 unknown\n" END);
	check_x86_64(BYTES(0x0f, 3, 0x73, 8, 0x06), "1000 unknown\n" END);
	/* a def_cfa_register behind an expression goes on with the last offset (as libgcc does) */
	check_x86_64(BYTES(0x0f, 3, 0x76, 0x78, 0x06, 0x41, 0x0d, 6),
		     "1000 *(fp-8)+0 same c-8\n1001 fp+8 same c-8\n" END);
}

static void test_unknown(void **state)
{
	struct cfi_counts counts;

	/* vfork: the return address is in a register for a while */
	counts = check_x86_64(BYTES(0x41, 0x09, 16, 5, 0x41, 0xd0),
			      ENTRY "1001 unknown\n1002 sp+8 same c-8\n" END);
	assert_int_equal(counts.unknown[CFI_UNKNOWN_RA], 1);
	assert_int_equal(counts.rows, 3);
	counts = check_x86_64(BYTES(0x90, 2), "1000 unknown\n" END);
	assert_int_equal(counts.unknown[CFI_UNKNOWN_RA], 1);
	counts = check_x86_64(BYTES(0x10, 7, 2, 0x76, 0), "1000 unknown\n" END);
	assert_int_equal(counts.unknown[CFI_UNKNOWN_SP], 1);
	check_x86_64(BYTES(0x14, 7, 0), ENTRY END); /* the CFA, said twice */
	counts = check_x86_64(BYTES(0x0f, 0), "1000 unknown\n" END);
	assert_int_equal(counts.unknown[CFI_UNKNOWN_CFA], 1);
	counts = check_x86_64(BYTES(0x0e, 0x80, 0x80, 0x80, 0x80, 0x08), "1000 unknown\n" END);
	assert_int_equal(counts.unknown[CFI_UNKNOWN_CFA], 1);
	counts = check_x86_64(BYTES(0x0c, 17, 0), "1000 unknown\n" END);
	assert_int_equal(counts.unknown[CFI_UNKNOWN_CFA], 1);
}

static void test_root(void **state)
{
	check_x86_64(BYTES(0x07, 16), "1000 sp+0 same undefined\n" END);
	check_x86_64(BYTES(0x07, 16, 0x0f, 0), "1000 sp+0 same undefined\n" END);
	check_aarch64(BYTES(0x07, 30), "1000 sp+0 same undefined\n" END);
}

/* glibc's __restore_rt: each register at its place in the ucontext. */
static void test_signal_frame(void **state)
{
	struct bytes b = {};
	size_t start = b.n;

	check_x86_64(BYTES(0x0f, 4, 0x77, 0xa0, 0x01, 0x06, 0x10, 6, 3, 0x77, 0xf8, 0x00, 0x10, 7,
			   3, 0x77, 0xa0, 0x01, 0x10, 16, 3, 0x77, 0xa8, 0x01),
		     "1000 signal\n" END);
	/* Linux' vDSO for arm64: 'S', and the frame record below the ucontext */
	put_number(&b, 0, 8);
	PUT(&b, 1, 'z', 'R', 'S', 0, 4, 0x78, 30, 1, 0x1b, 0x0c, 29, 0, 0x9d, 0, 0x11, 30, 0x7f);
	close_entry(&b, start);
	put_fde(&b, start, TEXT, 0x10, BYTES(0));
	check_section(EM_AARCH64, true, &b, "1000 signal\n" END);
	/* on x86-64 'S' alone makes no ucontext */
	b = (struct bytes){};
	put_number(&b, 0, 8);
	PUT(&b, 1, 'z', 'R', 'S', 0, 1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1);
	close_entry(&b, start);
	put_fde(&b, start, TEXT, 0x10, BYTES(0));
	check_section(EM_X86_64, true, &b, ENTRY END);
}

static void test_damaged(void **state)
{
	struct cfi_counts counts;
	uint8_t deep[2 * CFI_STATES_MAX + 2];

	counts = check_x86_64(BYTES(0x41, 0x0e, 16, 0x41, 0x3f), /* no such instruction */
			      ENTRY "1001 sp+16 same c-8\n1002 unknown\n" END);
	assert_int_equal(counts.unknown[CFI_UNKNOWN_DAMAGED], 1);
	check_x86_64(BYTES(0x41, 0x0e), ENTRY "1001 unknown\n" END); /* no operand */
	check_x86_64(BYTES(0x03, 1), "1000 unknown\n" END);
	check_x86_64(BYTES(0x0e, 0x80), "1000 unknown\n" END);
	check_x86_64(BYTES(0x0f, 3, 0x77),
		     "1000 unknown\n" END); /* an expression that is cut off */
	check_x86_64(BYTES(0x41, 0x0b), ENTRY "1001 unknown\n" END); /* nothing was remembered */
	/* a number of more than 64 bits */
	check_x86_64(BYTES(0x0e, 255, 255, 255, 255, 255, 255, 255, 255, 255, 127),
		     "1000 unknown\n" END);
	memset(deep, 0x0a, sizeof(deep));
	deep[0] = 0x41;
	memset(deep + 1 + CFI_STATES_MAX, 0x0b, CFI_STATES_MAX);
	check_x86_64(deep, 1 + 2 * CFI_STATES_MAX, ENTRY "1001 sp+8 same c-8\n" END);
	deep[1 + CFI_STATES_MAX] = 0x0a;
	check_x86_64(deep, sizeof(deep), ENTRY "1001 unknown\n" END);
}

/* A pointer of each encoding to TEXT, and a size of 0x10. */
static void check_encoding(uint8_t encoding, const uint8_t *pointers, size_t n)
{
	struct bytes b = {};
	size_t start;

	put_number(&b, 0, 8);
	PUT(&b, 1, 'z', 'R', 0, 1, 0x78, 16, 1, encoding, 0x0c, 7, 8, 0x90, 1);
	close_entry(&b, 0);
	start = b.n;
	put_number(&b, 0, 4);
	put_number(&b, b.n, 4);
	put(&b, pointers, n);
	PUT(&b, 0);
	close_entry(&b, start);
	check_section(EM_X86_64, true, &b, ENTRY END);
}

static void test_encodings(void **state)
{
	check_encoding(0x00, BYTES(0, 0x10, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0));
	check_encoding(0x01, BYTES(0x80, 0x20, 0x10));
	check_encoding(0x02, BYTES(0, 0x10, 0x10, 0));
	check_encoding(0x03, BYTES(0, 0x10, 0, 0, 0x10, 0, 0, 0));
	check_encoding(0x04, BYTES(0, 0x10, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0));
	check_encoding(0x09, BYTES(0x80, 0x20, 0x10));
	check_encoding(0x0a, BYTES(0, 0x10, 0x10, 0));
	check_encoding(0x0b, BYTES(0, 0x10, 0, 0, 0x10, 0, 0, 0));
	check_encoding(0x0c, BYTES(0, 0x10, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0));
}

static void check_cie(const uint8_t *cie, size_t n, const char *expected)
{
	struct cfi_counts counts;
	struct bytes b = {};
	size_t start;

	put_number(&b, 0, 8);
	put(&b, cie, n);
	close_entry(&b, 0);
	start = b.n;
	put_number(&b, 0, 4);
	put_number(&b, b.n, 4);
	put(&b, BYTES(0, 0x10, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0));
	close_entry(&b, start);
	counts = check_section(EM_X86_64, true, &b, expected);
	assert_int_equal(counts.unknown[CFI_UNKNOWN_CIE], expected[0] == 0);
}

static void test_augmentations(void **state)
{
	const char *good = ENTRY END;
	uint8_t large[CFI_CIE_MAX + 1] = { 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1 };

	check_cie(BYTES(1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1), good);
	check_cie(BYTES(1, 'z', 0, 1, 0x78, 16, 0, 0x0c, 7, 8, 0x90, 1), good);
	check_cie(BYTES(1, 'e', 'h', 0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1),
		  good);
	/* C++: personality (indirect, pcrel, sdata4) and language specific data */
	check_cie(BYTES(1, 'z', 'P', 'L', 'R', 0, 1, 0x78, 16, 7, 0x9b, 1, 2, 3, 4, 0x1b, 0, 0x0c,
			7, 8, 0x90, 1),
		  good);
	/* an aligned pointer: this one begins 6 bytes before an address that is divisible by 8 */
	check_cie(BYTES(1, 'z', 'P', 'R', 0, 1, 0x78, 16, 16, 0x50, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5,
			6, 7, 8, 0, 0x0c, 7, 8, 0x90, 1),
		  good);
	/* no personality; bytes behind the data that the letters have */
	check_cie(BYTES(1, 'z', 'P', 0, 1, 0x78, 16, 3, 0xff, 9, 9, 0x0c, 7, 8, 0x90, 1), good);
	check_cie(BYTES(1, 'z', 'B', 'G', 0, 1, 0x78, 16, 0, 0x0c, 7, 8, 0x90, 1), good);
	check_cie(BYTES(1, 'z', 'X', 'R', 0, 1, 0x78, 16, 1, 0, 0x0c, 7, 8, 0x90, 1), "");
	check_cie(BYTES(1, 'R', 0, 1, 0x78, 16, 0, 0x0c, 7, 8, 0x90, 1), "");
	check_cie(BYTES(1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x80, 0x0c, 7, 8, 0x90, 1),
		  ""); /* indirect */
	check_cie(BYTES(1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x3b, 0x0c, 7, 8, 0x90, 1),
		  ""); /* datarel */
	check_cie(BYTES(1, 'z', 'R', 0, 1, 0x78, 16, 9, 0), ""); /* data that are not there */
	check_cie(BYTES(2, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1), ""); /* version */
	check_cie(BYTES(3, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1), good);
	check_cie(BYTES(4, 0, 8, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1), good);
	check_cie(BYTES(4, 0, 4, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1), ""); /* size of addresses */
	check_cie(BYTES(4, 0, 8, 2, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1), ""); /* segments */
	check_cie(BYTES(1, 0, 1, 0x78, 3, 0x0c, 7, 8, 0x90, 1), ""); /* another return address */
	check_cie(BYTES(1, 1, 1, 1), ""); /* no end of the augmentation */
	check_cie(large, sizeof(large) - 1, good);
	check_cie(large, sizeof(large), "");
}

/* The way to the CIE is an offset in the section, in 4 or 8 bytes. */
static void test_debug_frame(void **state)
{
	static const uint8_t cie[] = { 4, 0, 8, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1 };
	static const uint8_t range[] = { 0, 0x10, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0 };
	struct bytes b = {};

	PUT(&b, 0, 0, 0, 0, 0, 0, 0, 0);
	put_number(&b, 4 + sizeof(cie), 4);
	put_number(&b, UINT32_MAX, 4);
	put(&b, cie, sizeof(cie));
	put_number(&b, 4 + sizeof(range), 4);
	put_number(&b, 8, 4);
	put(&b, range, sizeof(range));
	check_section(EM_X86_64, false, &b, ENTRY END);

	b = (struct bytes){};
	put_number(&b, UINT32_MAX, 4);
	put_number(&b, 8 + sizeof(cie), 8);
	put_number(&b, UINT64_MAX, 8);
	put(&b, cie, sizeof(cie));
	put_number(&b, UINT32_MAX, 4);
	put_number(&b, 8 + sizeof(range), 8);
	put_number(&b, 0, 8);
	put(&b, range, sizeof(range));
	check_section(EM_X86_64, false, &b, ENTRY END);
}

/* A length of 64 bits in .eh_frame; the CIE pointer has 32 still. */
static void test_wide_eh_frame(void **state)
{
	struct bytes b = {};
	size_t cie = put_x86_64_cie(&b);

	put_number(&b, UINT32_MAX, 4);
	put_number(&b, 13, 8);
	put_number(&b, b.n - cie, 4);
	put_number(&b, TEXT - (SECTION + b.n), 4);
	put_number(&b, 0x10, 4);
	PUT(&b, 0);
	check_section(EM_X86_64, true, &b, ENTRY END);
}

static void test_order(void **state)
{
	struct cfi_counts counts;
	struct bytes b = {};
	size_t cie = put_x86_64_cie(&b);

	put_fde(&b, cie, TEXT + 0x100, 0x10, BYTES(0x0e, 24));
	PUT(&b, 0, 0, 0, 0); /* the end of an object file's list */
	put_fde(&b, cie, TEXT + 0x20, 0x11, BYTES(0x0e, 16)); /* 15 bytes of padding behind it */
	put_fde(&b, cie, TEXT + 0x40, 0x10, BYTES(0x0e, 32)); /* 16 and more: a gap */
	put_fde(&b, cie, TEXT + 0x80, 0x40, BYTES(0x0e, 40)); /* holds from its begin on */
	put_fde(&b, cie, TEXT + 0x70, 0x40, BYTES(0x0e, 48, 0x50, 0x0e, 56));
	put_fde(&b, cie, TEXT + 0x80, 0x80, BYTES(0x0e, 64)); /* a second one of the same begin */
	put_fde(&b, cie, 0, 0x10, BYTES(0)); /* thrown away by the linker */
	put_fde(&b, cie, TEXT + 0x110, 0, BYTES(0));
	put_fde(&b, cie, TEXT + TEXT_SIZE - 8, 0x10, BYTES(0)); /* the end is none of text */
	counts = check_section(EM_X86_64, true, &b,
			       "1020 sp+16 same c-8\n1040 sp+32 same c-8\n1050 unknown\n"
			       "1070 sp+48 same c-8\n1080 sp+40 same c-8\n10c0 unknown\n"
			       "1100 sp+24 same c-8\n1110 unknown\n"
			       "100ff8 sp+8 same c-8\n101000 unknown\n");
	assert_int_equal(counts.fdes, 9);
	assert_int_equal(counts.unknown[CFI_UNKNOWN_OVERLAP], 1);
	assert_int_equal(counts.unknown[CFI_UNKNOWN_TEXT], 1);
	assert_int_equal(counts.rows, 6);
}

/* .debug_frame is for what .eh_frame does not have. */
static void test_both(void **state)
{
	static const uint8_t cie[] = { 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1, 0x0e, 80 };
	struct cfi_input input = { .machine = EM_X86_64, .text = &text_segment, .n_text = 1 };
	struct bytes eh = {}, debug = {};
	struct cfi_counts counts;
	struct text text = {};

	put_fde(&eh, put_x86_64_cie(&eh), TEXT, 0x10, BYTES(0));
	put_number(&debug, 4 + sizeof(cie), 4);
	put_number(&debug, UINT32_MAX, 4);
	put(&debug, cie, sizeof(cie));
	for (uint64_t begin = TEXT; begin <= TEXT + 0x10; begin += 0x10) {
		put_number(&debug, 20, 4);
		put_number(&debug, 0, 4);
		put_number(&debug, begin, 8);
		put_number(&debug, 0x10, 8);
	}
	input.eh_frame = (struct cfi_section){ eh.at, eh.n, SECTION };
	input.debug_frame = (struct cfi_section){ debug.at, debug.n, 0 };
	assert_int_equal(cfi_walk(&input, say_row, &text, &counts), 0);
	assert_string_equal(text.at, ENTRY "1010 sp+80 same c-8\n1020 unknown\n");
}

/* What GCC wrote; 0x1000 is added to each address. The frame of `large` is out of reach for a rule. */
static void test_gcc_aarch64(void **state)
{
	struct cfi_input input = { .machine = EM_AARCH64, .text = &text_segment, .n_text = 1 };
	struct cfi_counts counts;
	struct text text = {};
	uint8_t bytes[1024];
	char path[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/data/eh_frame/aarch64-gcc",
		 getenv("top_srcdir") ?: "..");
	f = fopen(path, "re");
	assert_non_null(f);
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	assert_int_equal(bytes[0], 1);
	input.eh_frame = (struct cfi_section){ bytes + 1, n - 1, 0x1570 };
	assert_int_equal(cfi_walk(&input, say_row, &text, &counts), 0);
	assert_string_equal(text.at,
			    "13d0 sp+0 same same\n13e0 sp+0 same same\n13e4 sp+0 same same\n"
			    "13e8 sp+32 c-32 c-24\n13f0 sp+32 c-32 c-24\n141c sp+0 same same\n"
			    "1420 sp+0 same same\n1424 sp+0 same same\n1428 sp+0 same same\n"
			    "142c sp+32 c-32 c-24\n1434 fp+32 c-32 c-24\n1438 fp+32 c-32 c-24\n"
			    "1470 sp+0 same same\n1474 sp+0 same same\n1480 sp+0 same same\n"
			    "1484 sp+0 same same\n1488 sp+416 same same\n148c sp+70048 same same\n"
			    "1490 unknown\n1498 unknown\n14a4 unknown\n14cc sp+70048 same same\n"
			    "14d0 sp+69632 same same\n14d4 sp+0 same same\n14d8 sp+0 same same\n"
			    "14e0 sp+0 same same\n14e4 sp+0 same same\n14e8 sp+48 c-48 c-40\n"
			    "14f0 sp+48 c-48 c-40\n1500 sp+48 c-48 c-40\n1524 sp+48 c-48 c-40\n"
			    "1530 sp+0 same same\n1534 sp+0 same same\n1538 unknown\n");
	assert_int_equal(counts.unknown[CFI_UNKNOWN_RA], 3);
}

/* Entries that lead nowhere end the section or cost themselves. */
static void test_bad_entries(void **state)
{
	struct cfi_counts counts;
	struct bytes b = {};
	size_t cie = put_x86_64_cie(&b), good;

	check_section(EM_X86_64, true, &(struct bytes){}, "");
	put_fde(&b, b.n + 4096, TEXT, 0x10, BYTES(0)); /* the CIE is elsewhere */
	put_fde(&b, b.n, TEXT, 0x10, BYTES(0)); /* or is no CIE */
	put_fde(&b, cie, TEXT, 0x10, BYTES(0));
	good = b.n;
	PUT(&b, 8, 0, 0); /* no room for a length */
	counts = check_section(EM_X86_64, true, &b, ENTRY END);
	assert_int_equal(counts.unknown[CFI_UNKNOWN_CIE], 2);
	b.n = good;
	put_number(&b, 3, 4); /* no room for a CIE pointer */
	put_number(&b, 0, 8);
	check_section(EM_X86_64, true, &b, ENTRY END);
	b.n = good;
	put_number(&b, UINT32_MAX, 4);
	put_number(&b, UINT64_MAX - 8, 8); /* a length that leaves the section */
	check_section(EM_X86_64, true, &b, ENTRY END);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_advance),
		cmocka_unit_test(test_set_loc),
		cmocka_unit_test(test_cfa),
		cmocka_unit_test(test_saved),
		cmocka_unit_test(test_lost_frame_pointer),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_no_operation),
		cmocka_unit_test(test_plt),
		cmocka_unit_test(test_indexed_stack),
		cmocka_unit_test(test_realigned_stack),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_signal_frame),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_encodings),
		cmocka_unit_test(test_augmentations),
		cmocka_unit_test(test_debug_frame),
		cmocka_unit_test(test_wide_eh_frame),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_both),
		cmocka_unit_test(test_gcc_aarch64),
		cmocka_unit_test(test_bad_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
