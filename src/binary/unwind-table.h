/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The unwind table of a binary (bpf/wire/unwind.h), as one piece of memory that is the same in the
 * process that built it, on its way from there, and in the cache on disk: a header and four arrays,
 * each behind the other, in the byte order of the machine. About 30 KB per MB of text.
 *
 *   struct unwind_header
 *   struct wire_unwind_rule rules[n_rules]   rules[WIRE_RULE_NONE] is all zero
 *   struct unwind_page pages[n_pages]        ascending; a page without rules is left out
 *   uint16_t pc[n_rows]
 *   uint16_t rule[n_rows]                    numbers of rules
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "binary/cfi.h"
#include "binary/elf.h"
#include "bpf/wire/unwind.h"

#define UNWIND_MAGIC "ebpfunw"
#define UNWIND_VERSION 3 /* of the form and of what the rules mean: what is older is built anew */

#define UNWIND_RULES_MAX 65535 /* of a table; libLLVM has 2,200 */
#define UNWIND_PAGES_MAX 65536 /* 4 GiB of text; the medium code model ends at 2 */
#define UNWIND_ROWS_MAX (16U << 20) /* librustc_driver, of 97 MB, has 350,000 */
#define UNWIND_ADDRESS_MAX (UINT64_C(1) << 48) /* a page's number has 32 bits */

struct unwind_header {
	char magic[8]; /* UNWIND_MAGIC */
	uint16_t version;
	uint16_t machine; /* EM_X86_64, EM_AARCH64 */
	uint32_t build_id_size; /* 0: the file has none */
	uint8_t build_id[ELF_BUILD_ID_MAX];
	uint32_t n_rules;
	uint32_t n_pages;
	uint32_t n_rows;
	uint32_t unused;
	uint64_t text_bytes; /* of executable sections; of segments where sections are stripped */
	struct cfi_counts counts;
};

struct unwind_page {
	uint32_t number; /* address >> WIRE_UNWIND_PAGE_BITS */
	uint32_t first; /* row */
	uint32_t n; /* rows, at least one: its first one begins at 0 */
};

/* A view of that memory, which it does not own. */
struct unwind_table {
	const struct unwind_header *header;
	const struct wire_unwind_rule *rules;
	const struct unwind_page *pages;
	const uint16_t *pc;
	const uint16_t *rule;
};

/*
 * The table of a file's .eh_frame and .debug_frame, and of Go's functions. A file without them has a
 * table, too: of its start code (binary/start-code.h), or empty. Memory: the sections, 16 bytes per
 * FDE, and the table. For the sandboxed child.
 * *ret is one piece of *ret_size bytes, to be freed. Errors: those of elf_file_read(), -ENOMEM, -E2BIG
 * beyond one of the limits above.
 */
int unwind_table_build(const struct elf_file *elf, void **ret, size_t *ret_size);

/*
 * Checks all of what another process or a file gave as a table: whoever uses *ret need not be careful.
 * bytes are aligned to 8 and outlive it. -EBADMSG: it is no table, or of another version.
 */
int unwind_table_open(const void *bytes, size_t size, struct unwind_table *ret);

/* The rule for address, steps applied. False: there is none. */
bool unwind_table_find(const struct unwind_table *table, uint64_t address,
		       struct wire_unwind_rule *ret);
