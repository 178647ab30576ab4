/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of the CFI reader share: cfi.c (the walk), cfi-entry.c (CIE and FDE), cfi-execute.c
 * (instructions to rows), cfi-rule.c (the state of a row to a rule; expressions). */
#pragma once

#include <stdbool.h>

#include "binary/cfi.h"
#include "binary/cursor.h"

/* DWARF register numbers (psABI of x86-64, figure 3.36; of AArch64, section 4.1). */
struct cfi_machine {
	uint8_t sp, fp, ra;
	uint8_t pc; /* a number that only expressions use, or ra */
	bool link_register; /* a return address without a rule is still in ra */
	bool pushes_return; /* and with one it is next to the CFA, always */
};

/* Of EM_X86_64 or EM_AARCH64. */
const struct cfi_machine *cfi_machine(uint16_t machine);

/* The forms that rules can say, of what a DWARF expression yields. */
struct cfi_expression {
	enum cfi_form {
		CFI_FORM_OTHER,
		CFI_FORM_REGISTER, /* reg + offset */
		CFI_FORM_DEREF, /* *(reg + inner) + offset */
		CFI_FORM_PLT, /* reg + offset + ((pc & 15) >= inner ? 8 : 0) */
		CFI_FORM_INDEX, /* reg + 8 * index + offset */
		CFI_FORM_INDEX_DEREF, /* *(reg + 8 * index + inner) + offset */
	} form;
	uint64_t reg;
	int64_t inner;
	int64_t offset;
	uint64_t index; /* register */
};

/* Where a register of the caller is. */
struct cfi_saved {
	enum cfi_place {
		CFI_PLACE_DEFAULT, /* nothing was said */
		CFI_PLACE_SAME,
		CFI_PLACE_UNDEFINED,
		CFI_PLACE_CFA, /* at CFA + offset */
		CFI_PLACE_VALUE, /* it is CFA + offset */
		CFI_PLACE_ADDRESS, /* at reg + offset */
		CFI_PLACE_OTHER,
	} place;
	uint64_t reg;
	int64_t offset;
};

enum { CFI_FP, CFI_SP, CFI_RA, CFI_TRACKED };

/* A row: what instructions change. */
struct cfi_state {
	bool cfa_set;
	struct cfi_expression cfa;
	/* Of the last DW_CFA_def_cfa*; an expression leaves them for a DW_CFA_def_cfa_register. */
	uint64_t cfa_reg;
	int64_t cfa_offset;
	struct cfi_saved saved[CFI_TRACKED];
};

struct cfi_cie {
	uint64_t code_align;
	int64_t data_align;
	uint8_t address_encoding; /* DW_EH_PE_*; an absolute pointer in .debug_frame */
	bool has_augmentation; /* 'z': an FDE has a block of known size before its instructions */
	bool signal; /* 'S' */
	struct cursor instructions;
};

struct cfi_fde {
	uint64_t begin, size;
	struct cursor instructions;
};

/* An entry of a section. */
struct cfi_entry {
	uint64_t offset; /* in the section */
	uint64_t cie; /* offset of an FDE's CIE */
	bool is_cie;
	struct cursor rest; /* behind the CIE pointer */
};

struct cfi_reader {
	const struct cfi_machine *machine;
	struct cfi_section section;
	bool eh; /* .eh_frame, else .debug_frame */
	/* The CIE that was read last: neighbours share one. */
	uint64_t cie_offset;
	bool cie_read, cie_good;
	struct cfi_cie cie;
};

/* The entry at *offset or behind; moves *offset behind it. False where the section ends, or cannot be
 * read on: then *offset is not where it ends. */
bool cfi_next_entry(const struct cfi_reader *reader, uint64_t *offset, struct cfi_entry *ret);
/* The CIE at offset, valid until another is asked for; NULL: unusable. */
const struct cfi_cie *cfi_read_cie(struct cfi_reader *reader, uint64_t offset);
bool cfi_read_fde(const struct cfi_reader *reader, const struct cfi_cie *cie,
		  const struct cfi_entry *entry, struct cfi_fde *ret);
/* A pointer in an encoding (DW_EH_PE_*) that we can follow; fails the cursor on others. */
uint64_t cfi_read_pointer(const struct cfi_reader *reader, struct cursor *c, uint8_t encoding);

/* The rows of fde below end, in ascending order. The first one is at its begin. */
int cfi_execute(const struct cfi_reader *reader, const struct cfi_cie *cie,
		const struct cfi_fde *fde, uint64_t end, cfi_row *row, void *userdata,
		struct cfi_counts *counts);

/* What an expression of DWARF operations yields. */
struct cfi_expression cfi_read_expression(const struct cfi_machine *machine,
					  struct cursor expression);

/* *ret_rule is WIRE_CFA_UNKNOWN, all zero, if the result is not CFI_UNKNOWN_NONE. */
enum cfi_unknown cfi_make_rule(const struct cfi_machine *machine, const struct cfi_state *state,
			       bool signal, struct wire_unwind_rule *ret_rule, bool *ret_lost_fp);
