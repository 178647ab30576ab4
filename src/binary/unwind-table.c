/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading an unwind table: the check, in one pass over everything that a number of it is used for, and
 * the search, which is the kernel's in plain C.
 */
#include "binary/unwind-table.h"

#include <elf.h>
#include <string.h>

_Static_assert(sizeof(struct unwind_header) % 8 == 0, "rules follow, and they are aligned");
_Static_assert(sizeof(struct wire_unwind_rule) % sizeof(uint32_t) == 0, "pages follow");

static bool header_is_good(const struct unwind_header *h)
{
	return memcmp(h->magic, UNWIND_MAGIC, sizeof(h->magic)) == 0 &&
	       h->version == UNWIND_VERSION &&
	       (h->machine == EM_X86_64 || h->machine == EM_AARCH64) &&
	       h->build_id_size <= ELF_BUILD_ID_MAX && h->n_rules >= 1 &&
	       h->n_rules <= UNWIND_RULES_MAX && h->n_pages <= UNWIND_PAGES_MAX &&
	       h->n_rows <= UNWIND_ROWS_MAX;
}

static bool rule_is_good(uint16_t machine, const struct wire_unwind_rule *rule)
{
	bool x86_64 = machine == EM_X86_64;

	if (rule->cfa > WIRE_CFA_SP_INDEX_DEREF || rule->fp > WIRE_SAVED_UNDEFINED ||
	    rule->ra > WIRE_SAVED_UNDEFINED ||
	    (rule->index != 0 && rule->cfa != WIRE_CFA_SP_INDEX_DEREF) ||
	    rule->cfa_offset > CFI_OFFSET_MAX || rule->cfa_offset < -CFI_OFFSET_MAX)
		return false;
	if (rule->cfa == WIRE_CFA_UNKNOWN || rule->cfa == WIRE_CFA_SIGNAL)
		return true;
	if (rule->cfa == WIRE_CFA_PLT && !x86_64)
		return false;
	if (rule->steps && rule->cfa != WIRE_CFA_SP && rule->cfa != WIRE_CFA_FP)
		return false;
	return !x86_64 || rule->ra == WIRE_SAVED_UNDEFINED ||
	       (rule->ra == WIRE_SAVED_CFA && rule->ra_offset == -8);
}

static bool rules_are_good(const struct unwind_table *t)
{
	static const struct wire_unwind_rule none;

	if (memcmp(&t->rules[WIRE_RULE_NONE], &none, sizeof(none)) != 0)
		return false;
	for (uint32_t i = 0; i < t->header->n_rules; i++)
		if (!rule_is_good(t->header->machine, &t->rules[i]))
			return false;
	return true;
}

static bool rows_are_good(const struct unwind_table *t, const struct unwind_page *page)
{
	const uint16_t *pc = t->pc + page->first, *rule = t->rule + page->first;

	if (pc[0] != 0)
		return false;
	for (uint32_t i = 0; i < page->n; i++)
		if ((i > 0 && pc[i] <= pc[i - 1]) || rule[i] >= t->header->n_rules)
			return false;
	return true;
}

static bool pages_are_good(const struct unwind_table *t)
{
	uint32_t next = 0;

	for (uint32_t i = 0; i < t->header->n_pages; i++) {
		const struct unwind_page *page = &t->pages[i];

		if (i > 0 && page->number <= page[-1].number)
			return false;
		if (page->first != next || page->n == 0 || page->n > t->header->n_rows - next)
			return false;
		next += page->n;
		if (!rows_are_good(t, page))
			return false;
	}
	return next == t->header->n_rows;
}

int unwind_table_open(const void *bytes, size_t size, struct unwind_table *ret)
{
	const struct unwind_header *h = bytes;
	struct unwind_table t = { .header = h };

	if ((uintptr_t)bytes % 8 != 0 || size < sizeof(*h) || !header_is_good(h))
		return -EBADMSG;
	/* Within the limits these sums are far from an overflow. */
	if (size != sizeof(*h) + h->n_rules * sizeof(*t.rules) + h->n_pages * sizeof(*t.pages) +
			    h->n_rows * (sizeof(*t.pc) + sizeof(*t.rule)))
		return -EBADMSG;
	t.rules = (const void *)(h + 1);
	t.pages = (const void *)(t.rules + h->n_rules);
	t.pc = (const void *)(t.pages + h->n_pages);
	t.rule = t.pc + h->n_rows;
	if (!rules_are_good(&t) || !pages_are_good(&t))
		return -EBADMSG;
	*ret = t;
	return 0;
}

static const struct unwind_page *find_page(const struct unwind_table *t, uint64_t number)
{
	uint32_t low = 0, high = t->header->n_pages;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->pages[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < t->header->n_pages && t->pages[low].number == number ? &t->pages[low] : NULL;
}

/* The last row of page at or before pc. */
static uint32_t find_row(const struct unwind_table *t, const struct unwind_page *page, uint16_t pc)
{
	uint32_t low = page->first, high = page->first + page->n;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (t->pc[middle] <= pc)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Does what happened within `bytes` of the row's begin. */
static void apply_steps(struct wire_unwind_rule *rule, uint32_t bytes)
{
	uint32_t mask = bytes < WIRE_STEP_BYTES ? (1U << bytes) - 1 : WIRE_STEP_POP - 1;
	int moves = __builtin_popcount(rule->steps & mask);

	rule->cfa_offset += rule->steps & WIRE_STEP_POP ? -8 * moves : 8 * moves;
	rule->steps = 0;
}

bool unwind_table_find(const struct unwind_table *table, uint64_t address,
		       struct wire_unwind_rule *ret)
{
	const struct unwind_page *page = find_page(table, address >> WIRE_UNWIND_PAGE_BITS);
	struct wire_unwind_rule rule;
	uint16_t pc = (uint16_t)address;
	uint32_t row;

	if (!page)
		return false;
	row = find_row(table, page, pc);
	rule = table->rules[table->rule[row]];
	if (rule.cfa == WIRE_CFA_UNKNOWN)
		return false;
	apply_steps(&rule, (uint32_t)(pc - table->pc[row]));
	*ret = rule;
	return true;
}
