/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs the instructions of an FDE behind those of its CIE (DWARF 5 section 6.4.2): they change the
 * state of a row, and each that advances the location ends a row. An instruction is read once; what it
 * costs is bounded by its own bytes.
 */
#include "binary/cfi-internal.h"

#include "base/util.h"

enum dwarf_cfa_instruction {
	DW_CFA_advance_loc = 0x40, /* these three have their operand in the low 6 bits */
	DW_CFA_offset = 0x80,
	DW_CFA_restore = 0xc0,
	DW_CFA_nop = 0x00,
	DW_CFA_set_loc = 0x01,
	DW_CFA_advance_loc1 = 0x02,
	DW_CFA_advance_loc2 = 0x03,
	DW_CFA_advance_loc4 = 0x04,
	DW_CFA_offset_extended = 0x05,
	DW_CFA_restore_extended = 0x06,
	DW_CFA_undefined = 0x07,
	DW_CFA_same_value = 0x08,
	DW_CFA_register = 0x09,
	DW_CFA_remember_state = 0x0a,
	DW_CFA_restore_state = 0x0b,
	DW_CFA_def_cfa = 0x0c,
	DW_CFA_def_cfa_register = 0x0d,
	DW_CFA_def_cfa_offset = 0x0e,
	DW_CFA_def_cfa_expression = 0x0f,
	DW_CFA_expression = 0x10,
	DW_CFA_offset_extended_sf = 0x11,
	DW_CFA_def_cfa_sf = 0x12,
	DW_CFA_def_cfa_offset_sf = 0x13,
	DW_CFA_val_offset = 0x14,
	DW_CFA_val_offset_sf = 0x15,
	DW_CFA_val_expression = 0x16,
	DW_CFA_AARCH64_negate_ra_state_with_pc = 0x2c,
	DW_CFA_AARCH64_negate_ra_state = 0x2d,
	DW_CFA_GNU_args_size = 0x2e,
	DW_CFA_GNU_negative_offset_extended = 0x2f,
};

#define OPERAND 0x3f

struct run {
	const struct cfi_reader *reader;
	const struct cfi_cie *cie;
	uint64_t location, end;
	struct cfi_state now;
	struct cfi_state
		initial; /* behind the CIE's instructions: what DW_CFA_restore goes back to */
	struct cfi_state *stack; /* CFI_STATES_MAX */
	unsigned depth;
	cfi_row *row;
	void *userdata;
	struct cfi_counts *counts;
};

static int tell_row(struct run *run)
{
	struct wire_unwind_rule rule;
	enum cfi_unknown why;
	bool lost_fp;

	why = cfi_make_rule(run->reader->machine, &run->now, run->cie->signal, &rule, &lost_fp);
	run->counts->rows++;
	run->counts->unknown[why] += why != CFI_UNKNOWN_NONE;
	run->counts->lost_fp += lost_fp;
	return run->row(run->userdata, run->location, &rule);
}

static int tell_damage(struct run *run)
{
	static const struct wire_unwind_rule unknown;

	run->counts->rows++;
	run->counts->unknown[CFI_UNKNOWN_DAMAGED]++;
	return run->row(run->userdata, run->location, &unknown);
}

static int move_to(struct run *run, uint64_t location)
{
	int r;

	if (location <= run->location)
		return 0;
	r = tell_row(run);
	run->location = location;
	return r;
}

static int advance(struct run *run, uint64_t delta)
{
	uint64_t bytes, to;

	if (__builtin_mul_overflow(delta, run->cie->code_align, &bytes) ||
	    __builtin_add_overflow(run->location, bytes, &to))
		to = UINT64_MAX;
	return move_to(run, to);
}

/* What state says of a register of the caller; NULL: of no interest. */
static struct cfi_saved *saved_of(struct run *run, struct cfi_state *state, uint64_t reg)
{
	const struct cfi_machine *m = run->reader->machine;

	if (reg == m->fp)
		return &state->saved[CFI_FP];
	if (reg == m->sp)
		return &state->saved[CFI_SP];
	return reg == m->ra ? &state->saved[CFI_RA] : NULL;
}

static void save(struct run *run, uint64_t reg, struct cfi_saved saved)
{
	struct cfi_saved *at = saved_of(run, &run->now, reg);

	if (at)
		*at = saved;
}

static void save_place(struct run *run, uint64_t reg, enum cfi_place place)
{
	save(run, reg, (struct cfi_saved){ .place = place });
}

static void restore(struct run *run, uint64_t reg)
{
	struct cfi_saved *initial = saved_of(run, &run->initial, reg);

	if (initial)
		save(run, reg, *initial);
}

/* An offset in units of the CIE's. */
static void save_factored(struct run *run, enum cfi_place place, uint64_t reg, int64_t n)
{
	struct cfi_saved saved = { .place = place };

	if (__builtin_mul_overflow(n, run->cie->data_align, &saved.offset))
		saved.place = CFI_PLACE_OTHER;
	save(run, reg, saved);
}

static void save_expression(struct run *run, uint64_t reg, struct cursor expression)
{
	struct cfi_expression e = cfi_read_expression(run->reader->machine, expression);

	if (e.form == CFI_FORM_REGISTER)
		save(run, reg, (struct cfi_saved){ CFI_PLACE_ADDRESS, e.reg, e.offset });
	else
		save_place(run, reg, CFI_PLACE_OTHER);
}

/* The CFA in a register and an offset, instead of an expression if it was one. */
static void define_cfa(struct run *run, uint8_t op, struct cursor *c)
{
	struct cfi_state *s = &run->now;

	if (op == DW_CFA_def_cfa || op == DW_CFA_def_cfa_sf || op == DW_CFA_def_cfa_register)
		s->cfa_reg = cursor_uleb(c);
	if (op == DW_CFA_def_cfa || op == DW_CFA_def_cfa_offset)
		s->cfa_offset = (int64_t)cursor_uleb(c);
	else if (op != DW_CFA_def_cfa_register &&
		 __builtin_mul_overflow(cursor_sleb(c), run->cie->data_align, &s->cfa_offset))
		c->failed = true;
	s->cfa_set = true;
	s->cfa = (struct cfi_expression){
		.form = CFI_FORM_REGISTER,
		.reg = s->cfa_reg,
		.offset = s->cfa_offset,
	};
}

static void define_cfa_expression(struct run *run, struct cursor *c)
{
	struct cursor expression = cursor_sub(c, cursor_uleb(c));

	run->now.cfa_set = true;
	run->now.cfa = cfi_read_expression(run->reader->machine, expression);
}

static void remember(struct run *run, struct cursor *c)
{
	if (run->depth < CFI_STATES_MAX)
		run->stack[run->depth++] = run->now;
	else
		c->failed = true;
}

static void recall(struct run *run, struct cursor *c)
{
	if (run->depth > 0)
		run->now = run->stack[--run->depth];
	else
		c->failed = true;
}

/* Instructions that say where a register is, which is their first operand. */
static void run_register(struct run *run, uint8_t op, struct cursor *c)
{
	uint64_t reg = cursor_uleb(c);

	switch (op) {
	case DW_CFA_restore_extended:
		restore(run, reg);
		break;
	case DW_CFA_undefined:
		save_place(run, reg, CFI_PLACE_UNDEFINED);
		break;
	case DW_CFA_same_value:
		save_place(run, reg, CFI_PLACE_SAME);
		break;
	case DW_CFA_register:
		cursor_uleb(c);
		save_place(run, reg, CFI_PLACE_OTHER);
		break;
	case DW_CFA_offset_extended:
		save_factored(run, CFI_PLACE_CFA, reg, (int64_t)cursor_uleb(c));
		break;
	case DW_CFA_offset_extended_sf:
		save_factored(run, CFI_PLACE_CFA, reg, cursor_sleb(c));
		break;
	case DW_CFA_GNU_negative_offset_extended:
		save_factored(run, CFI_PLACE_CFA, reg, (int64_t)-cursor_uleb(c));
		break;
	case DW_CFA_val_offset:
		save_factored(run, CFI_PLACE_VALUE, reg, (int64_t)cursor_uleb(c));
		break;
	case DW_CFA_val_offset_sf:
		save_factored(run, CFI_PLACE_VALUE, reg, cursor_sleb(c));
		break;
	case DW_CFA_expression:
		save_expression(run, reg, cursor_sub(c, cursor_uleb(c)));
		break;
	case DW_CFA_val_expression:
		cursor_skip(c, cursor_uleb(c));
		save_place(run, reg, CFI_PLACE_OTHER);
		break;
	}
}

static int run_advance(struct run *run, uint8_t op, struct cursor *c)
{
	uint64_t n;

	if (op == DW_CFA_set_loc)
		n = cfi_read_pointer(run->reader, c, run->cie->address_encoding);
	else if (op == DW_CFA_advance_loc1)
		n = cursor_u8(c);
	else
		n = op == DW_CFA_advance_loc2 ? cursor_u16(c) : cursor_u32(c);
	if (c->failed)
		return 0;
	return op == DW_CFA_set_loc ? move_to(run, n) : advance(run, n);
}

/* Fails c on what cannot be run. */
static int run_extended(struct run *run, uint8_t op, struct cursor *c)
{
	switch (op) {
	case DW_CFA_nop:
		break;
	case DW_CFA_set_loc:
	case DW_CFA_advance_loc1:
	case DW_CFA_advance_loc2:
	case DW_CFA_advance_loc4:
		return run_advance(run, op, c);
	case DW_CFA_offset_extended ... DW_CFA_register:
	case DW_CFA_expression:
	case DW_CFA_offset_extended_sf:
	case DW_CFA_val_offset ... DW_CFA_val_expression:
	case DW_CFA_GNU_negative_offset_extended:
		run_register(run, op, c);
		break;
	case DW_CFA_remember_state:
		remember(run, c);
		break;
	case DW_CFA_restore_state:
		recall(run, c);
		break;
	case DW_CFA_def_cfa:
	case DW_CFA_def_cfa_register:
	case DW_CFA_def_cfa_offset:
	case DW_CFA_def_cfa_sf:
	case DW_CFA_def_cfa_offset_sf:
		define_cfa(run, op, c);
		break;
	case DW_CFA_def_cfa_expression:
		define_cfa_expression(run, c);
		break;
	case DW_CFA_GNU_args_size:
		cursor_uleb(c);
		break;
	case DW_CFA_AARCH64_negate_ra_state:
	case DW_CFA_AARCH64_negate_ra_state_with_pc:
		/* Whether return addresses are signed: the unwinder masks the signature anyway. */
		c->failed = !run->reader->machine->link_register;
		break;
	default:
		c->failed = true;
	}
	return 0;
}

static int run_instruction(struct run *run, struct cursor *c)
{
	uint8_t op = cursor_u8(c);

	switch (op & ~OPERAND) {
	case DW_CFA_advance_loc:
		return advance(run, op & OPERAND);
	case DW_CFA_offset:
		save_factored(run, CFI_PLACE_CFA, op & OPERAND, (int64_t)cursor_uleb(c));
		return 0;
	case DW_CFA_restore:
		restore(run, op & OPERAND);
		return 0;
	default:
		return run_extended(run, op, c);
	}
}

static int run_all(struct run *run, struct cursor *c)
{
	int r = 0;

	while (cursor_left(c) > 0 && !c->failed && run->location < run->end && r == 0)
		r = run_instruction(run, c);
	return r;
}

int cfi_execute(const struct cfi_reader *reader, const struct cfi_cie *cie,
		const struct cfi_fde *fde, uint64_t end, cfi_row *row, void *userdata,
		struct cfi_counts *counts)
{
	struct cfi_state stack[CFI_STATES_MAX]; /* not cleared: it would take a tenth of the time */
	struct run run = {
		.reader = reader,
		.cie = cie,
		.location = fde->begin,
		.end = end,
		.stack = stack,
		.row = row,
		.userdata = userdata,
		.counts = counts,
	};
	struct cursor c = cie->instructions;
	int r;

	r = run_all(&run, &c);
	run.initial = run.now;
	if (r == 0 && !c.failed) {
		c = fde->instructions;
		r = run_all(&run, &c);
	}
	if (r < 0 || run.location >= end)
		return r;
	return c.failed ? tell_damage(&run) : tell_row(&run);
}
