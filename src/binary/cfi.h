/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Call frame information: which rule leads from each address of a program's text to the caller's frame
 * (DWARF 5 section 6.4; .eh_frame: Linux Standard Base, Core 5.0, chapter 10.6). The sections are a
 * stranger's bytes: time and memory are within a constant factor of their size, whatever they say.
 * For the sandboxed child that builds tables.
 *
 * What a rule can say is struct wire_unwind_rule; its `steps` are not used here.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "binary/elf.h"
#include "bpf/wire/unwind.h"

#define CFI_FDES_MAX (4U << 20) /* of a file; librustc_driver, of 97 MB, has 107,000 */
#define CFI_CIE_MAX 128 /* bytes of a CIE, which each of its FDEs runs again; usual are 20 */
#define CFI_STATES_MAX 16 /* that DW_CFA_remember_state holds; compilers need 2 */
#define CFI_OFFSET_MAX (1 << 30) /* bytes between a register and the CFA: no frame is larger */
#define CFI_GAP_MAX \
	15 /* bytes of padding between functions to which the rule before them extends */

/* Why a row is WIRE_CFA_UNKNOWN, or an FDE without rows. */
enum cfi_unknown {
	CFI_UNKNOWN_NONE, /* it is known */
	CFI_UNKNOWN_DAMAGED, /* rows from an instruction on that cannot be read */
	CFI_UNKNOWN_CIE, /* FDEs whose CIE is damaged, or of a version or augmentation that is unknown */
	CFI_UNKNOWN_TEXT, /* FDEs of code that is not in the file: the linker threw it away */
	CFI_UNKNOWN_OVERLAP, /* FDEs that begin where another does */
	CFI_UNKNOWN_CFA, /* rows whose CFA is none, or an expression or offset beyond the rules */
	CFI_UNKNOWN_SP, /* rows whose caller's stack pointer is not the CFA */
	CFI_UNKNOWN_RA, /* rows whose return address is not where rules can say */
	CFI_UNKNOWN_RULES, /* rows of a table that has no more room for rules */
	CFI_UNKNOWN_MAX_,
};

struct cfi_counts {
	uint64_t fdes;
	uint64_t rows; /* of FDEs; what stands for a gap is none */
	uint64_t lost_fp; /* rows that are known but for the frame pointer: WIRE_SAVED_UNDEFINED */
	uint64_t unknown[CFI_UNKNOWN_MAX_]; /* rows or FDEs, see there */
};

struct cfi_section {
	const uint8_t *bytes;
	size_t size; /* 0: there is none */
	uint64_t addr;
};

struct cfi_input {
	uint16_t machine; /* EM_X86_64 or EM_AARCH64 */
	struct cfi_section eh_frame;
	struct cfi_section debug_frame; /* for what .eh_frame does not have */
	const struct elf_segment *text; /* ascending */
	size_t n_text;
};

/* From address to the next row's holds rule. An error (negative) ends the walk and is its result. */
typedef int cfi_row(void *userdata, uint64_t address, const struct wire_unwind_rule *rule);

/*
 * Tells the rows of all FDEs, addresses strictly ascending, with a row of WIRE_CFA_UNKNOWN where no FDE
 * follows within CFI_GAP_MAX bytes. Where FDEs overlap, the one that begins later holds from there on.
 * -E2BIG: more than CFI_FDES_MAX; -ENOMEM.
 */
int cfi_walk(const struct cfi_input *input, cfi_row *row, void *userdata,
	     struct cfi_counts *ret_counts);
