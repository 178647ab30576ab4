/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From the state of a row to the rule that the unwinder in the kernel can follow, and which expressions
 * (DWARF 5 section 2.5) are among those: what linkers write for .plt, compilers for realigned stacks,
 * and libcs for the frame of a signal handler.
 */
#include "binary/cfi-internal.h"

#include <elf.h>

enum dwarf_operation {
	DW_OP_deref = 0x06,
	DW_OP_const1u = 0x08,
	DW_OP_const1s = 0x09,
	DW_OP_const2u = 0x0a,
	DW_OP_const2s = 0x0b,
	DW_OP_const4u = 0x0c,
	DW_OP_const4s = 0x0d,
	DW_OP_constu = 0x10,
	DW_OP_consts = 0x11,
	DW_OP_and = 0x1a,
	DW_OP_minus = 0x1c,
	DW_OP_mul = 0x1e,
	DW_OP_plus = 0x22,
	DW_OP_plus_uconst = 0x23,
	DW_OP_shl = 0x24,
	DW_OP_ge = 0x2a,
	DW_OP_lit0 = 0x30,
	DW_OP_lit3 = 0x33,
	DW_OP_lit8 = 0x38,
	DW_OP_lit15 = 0x3f,
	DW_OP_lit31 = 0x4f,
	DW_OP_breg0 = 0x70,
	DW_OP_breg31 = 0x8f,
	DW_OP_bregx = 0x92,
};

/* The stack pointer of the interrupted code is at this offset of the ucontext that is at the stack
 * pointer of __restore_rt; its instruction pointer follows (x86-64, <asm/sigcontext.h>). */
#define X86_64_UCONTEXT_SP 160

const struct cfi_machine *cfi_machine(uint16_t machine)
{
	static const struct cfi_machine x86_64 = {
		.sp = 7, .fp = 6, .ra = 16, .pc = 16, .pushes_return = true
	};
	static const struct cfi_machine aarch64 = {
		.sp = 31, .fp = 29, .ra = 30, .pc = 32, .link_register = true
	};

	return machine == EM_X86_64 ? &x86_64 : &aarch64;
}

static bool read_constant(struct cursor *c, uint8_t op, int64_t *ret)
{
	switch (op) {
	case DW_OP_lit0 ... DW_OP_lit31:
		*ret = op - DW_OP_lit0;
		return true;
	case DW_OP_const1u:
		*ret = cursor_u8(c);
		return true;
	case DW_OP_const1s:
		*ret = (int8_t)cursor_u8(c);
		return true;
	case DW_OP_const2u:
		*ret = cursor_u16(c);
		return true;
	case DW_OP_const2s:
		*ret = (int16_t)cursor_u16(c);
		return true;
	case DW_OP_const4u:
		*ret = cursor_u32(c);
		return true;
	case DW_OP_const4s:
		*ret = (int32_t)cursor_u32(c);
		return true;
	case DW_OP_constu:
		*ret = (int64_t)cursor_uleb(c);
		return true;
	case DW_OP_consts:
		*ret = cursor_sleb(c);
		return true;
	default:
		return false;
	}
}

static bool read_register(struct cursor *c, uint8_t op, struct cfi_expression *ret)
{
	if (op >= DW_OP_breg0 && op <= DW_OP_breg31)
		ret->reg = op - DW_OP_breg0;
	else if (op == DW_OP_bregx)
		ret->reg = cursor_uleb(c);
	else
		return false;
	ret->form = CFI_FORM_REGISTER;
	ret->offset = cursor_sleb(c);
	return true;
}

/* ((pc & 15) >= N) << 3, added: from that byte of a .plt entry on, something has been pushed. N is 11,
 * and 9 in entries that begin with ENDBR64. */
static bool read_plt(struct cursor *c, uint8_t pc, struct cfi_expression *e)
{
	const uint8_t *op = cursor_skip(c, 9);
	uint8_t n;

	if (!op || cursor_left(c) > 0 || e->form != CFI_FORM_REGISTER)
		return false;
	n = (uint8_t)(op[4] - DW_OP_lit0);
	if (op[0] != DW_OP_breg0 + pc || op[1] != 0 || op[2] != DW_OP_lit15 || op[3] != DW_OP_and ||
	    n > 15 || op[5] != DW_OP_ge || op[6] != DW_OP_lit3 || op[7] != DW_OP_shl ||
	    op[8] != DW_OP_plus)
		return false;
	e->form = CFI_FORM_PLT;
	e->inner = n;
	return true;
}

/* 8 * a register, added: libcrypto's bn_mul_mont() has an array of that length on its stack. */
static bool read_index(struct cursor *c, const struct cfi_machine *machine,
		       struct cfi_expression *e)
{
	uint8_t reg = cursor_u8(c) - DW_OP_breg0;

	if (e->form != CFI_FORM_REGISTER || reg >= machine->pc || cursor_sleb(c) != 0 ||
	    cursor_u8(c) != DW_OP_lit8 || cursor_u8(c) != DW_OP_mul || cursor_u8(c) != DW_OP_plus)
		return false;
	e->form = CFI_FORM_INDEX;
	e->index = reg;
	return true;
}

/* One operation on the value so far. */
static bool apply(struct cursor *c, uint8_t op, struct cfi_expression *e)
{
	int64_t n;

	if (op == DW_OP_deref) {
		if (e->form != CFI_FORM_REGISTER && e->form != CFI_FORM_INDEX)
			return false;
		e->form = e->form == CFI_FORM_INDEX ? CFI_FORM_INDEX_DEREF : CFI_FORM_DEREF;
		e->inner = e->offset;
		e->offset = 0;
		return true;
	}
	if (op == DW_OP_plus_uconst) {
		n = (int64_t)cursor_uleb(c);
		return !__builtin_add_overflow(e->offset, n, &e->offset);
	}
	if (!read_constant(c, op, &n))
		return false;
	op = cursor_u8(c);
	if (op == DW_OP_plus)
		return !__builtin_add_overflow(e->offset, n, &e->offset);
	return op == DW_OP_minus && !__builtin_sub_overflow(e->offset, n, &e->offset);
}

struct cfi_expression cfi_read_expression(const struct cfi_machine *machine, struct cursor c)
{
	struct cfi_expression e = {}, other = { .form = CFI_FORM_OTHER };

	if (!read_register(&c, cursor_u8(&c), &e))
		return other;
	while (cursor_left(&c) > 0) {
		if (*c.p == DW_OP_breg0 + machine->pc)
			return read_plt(&c, machine->pc, &e) ? e : other;
		if (*c.p >= DW_OP_breg0 && *c.p <= DW_OP_breg31) {
			if (!read_index(&c, machine, &e))
				return other;
		} else if (!apply(&c, cursor_u8(&c), &e)) {
			return other;
		}
	}
	return c.failed ? other : e;
}

static bool fits16(int64_t n)
{
	return n >= INT16_MIN && n <= INT16_MAX;
}

static bool set_cfa(const struct cfi_machine *m, const struct cfi_state *s,
		    struct wire_unwind_rule *rule)
{
	const struct cfi_expression *e = &s->cfa;
	bool sp = e->reg == m->sp, fp = e->reg == m->fp;

	if (!s->cfa_set || e->offset > CFI_OFFSET_MAX || e->offset < -CFI_OFFSET_MAX ||
	    !fits16(e->inner))
		return false;
	rule->cfa_offset = (int32_t)e->offset;
	rule->deref_offset = (int16_t)e->inner;
	switch (e->form) {
	case CFI_FORM_REGISTER:
		rule->cfa = sp ? WIRE_CFA_SP : fp ? WIRE_CFA_FP : WIRE_CFA_REGISTER;
		if (rule->cfa == WIRE_CFA_REGISTER)
			rule->deref_offset = (int16_t)e->reg;
		return e->reg < m->pc;
	case CFI_FORM_DEREF:
		rule->cfa = sp ? WIRE_CFA_SP_DEREF : WIRE_CFA_FP_DEREF;
		return sp || fp;
	case CFI_FORM_PLT:
		rule->cfa = WIRE_CFA_PLT;
		return sp && m->pushes_return;
	case CFI_FORM_INDEX_DEREF:
		rule->cfa = WIRE_CFA_SP_INDEX_DEREF;
		rule->index = (uint8_t)e->index;
		return sp;
	case CFI_FORM_INDEX:
	case CFI_FORM_OTHER:
		break;
	}
	return false;
}

/* Where a register is, if a rule can say it. */
static bool set_saved(const struct cfi_machine *m, const struct cfi_saved *saved, uint8_t *where,
		      int16_t *offset)
{
	if (!fits16(saved->offset))
		return false;
	switch (saved->place) {
	case CFI_PLACE_DEFAULT:
	case CFI_PLACE_SAME:
		*where = WIRE_SAVED_SAME;
		return true;
	case CFI_PLACE_UNDEFINED:
		*where = WIRE_SAVED_UNDEFINED;
		return true;
	case CFI_PLACE_CFA:
		*where = WIRE_SAVED_CFA;
		break;
	case CFI_PLACE_ADDRESS:
		if (saved->reg != m->fp)
			return false;
		*where = WIRE_SAVED_FP;
		break;
	default:
		return false;
	}
	*offset = (int16_t)saved->offset;
	return true;
}

static bool set_ra(const struct cfi_machine *m, const struct cfi_state *s,
		   struct wire_unwind_rule *rule)
{
	if (!set_saved(m, &s->saved[CFI_RA], &rule->ra, &rule->ra_offset))
		return false;
	if (m->pushes_return)
		return rule->ra == WIRE_SAVED_CFA && rule->ra_offset == -8;
	return true;
}

static bool is_signal_frame(const struct cfi_machine *m, const struct cfi_state *s, bool signal)
{
	const struct cfi_saved *ra = &s->saved[CFI_RA];

	if (!m->pushes_return)
		return signal;
	/* 'S' alone says no more than that the address is that of an instruction that was not run. */
	return ra->place == CFI_PLACE_ADDRESS && ra->reg == m->sp &&
	       ra->offset == X86_64_UCONTEXT_SP + 8;
}

/* The caller's stack pointer is the CFA, where it is not said otherwise. */
static bool sp_is_cfa(const struct cfi_saved *sp)
{
	return sp->place == CFI_PLACE_DEFAULT || (sp->place == CFI_PLACE_VALUE && sp->offset == 0);
}

enum cfi_unknown cfi_make_rule(const struct cfi_machine *m, const struct cfi_state *s, bool signal,
			       struct wire_unwind_rule *ret_rule, bool *ret_lost_fp)
{
	struct wire_unwind_rule rule = {};

	*ret_rule = rule;
	*ret_lost_fp = false;
	if (is_signal_frame(m, s, signal)) {
		ret_rule->cfa = WIRE_CFA_SIGNAL;
		return CFI_UNKNOWN_NONE;
	}
	if (s->saved[CFI_RA].place == CFI_PLACE_UNDEFINED) {
		/* There is no caller, so its frame is nowhere: one rule for all roots. */
		ret_rule->cfa = WIRE_CFA_SP;
		ret_rule->ra = WIRE_SAVED_UNDEFINED;
		return CFI_UNKNOWN_NONE;
	}
	if (!set_cfa(m, s, &rule))
		return CFI_UNKNOWN_CFA;
	if (!sp_is_cfa(&s->saved[CFI_SP]))
		return CFI_UNKNOWN_SP;
	if (!set_ra(m, s, &rule))
		return CFI_UNKNOWN_RA;
	if (!set_saved(m, &s->saved[CFI_FP], &rule.fp, &rule.fp_offset)) {
		rule.fp = WIRE_SAVED_UNDEFINED;
		*ret_lost_fp = true;
	}
	*ret_rule = rule;
	return CFI_UNKNOWN_NONE;
}
