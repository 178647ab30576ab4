/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows of call frame information, and of Go, to an unwind table. Rows come in the order of their addresses, so one
 * is held back (pending) until the next shows whether it is a step of a run of pushes or pops, or
 * changes nothing. Where a page begins, the rule that holds there is written once more.
 */
#include "binary/unwind-table.h"

#include <elf.h>
#include <string.h>

#include "base/hashmap.h"
#include "base/util.h"
#include "binary/array.h"
#include "binary/start-code.h"
#include "binary/unwind-go.h"

#define PAGE_SIZE (UINT64_C(1) << WIRE_UNWIND_PAGE_BITS)

struct row {
	uint64_t address;
	struct wire_unwind_rule rule;
};

struct builder {
	const struct elf_file *elf;
	struct unwind_go go; /* the text of Go that is still to come */
	struct wire_unwind_rule cfi; /* of the last row of CFI */
	struct row told; /* the last one */
	struct row pending; /* with its steps */
	struct wire_unwind_rule now; /* behind them */
	struct hashmap *numbers; /* struct wire_unwind_rule -> uint16_t */
	struct array rules, pages, pc, rule; /* the four of the table */
	uint64_t without_number; /* rows */
};

static uint64_t page_of(uint64_t address)
{
	return address >> WIRE_UNWIND_PAGE_BITS;
}

/* The number of a rule, a new one if need be. */
static int rule_number(struct builder *b, const struct wire_unwind_rule *rule, uint16_t *ret)
{
	uint16_t *number = hashmap_get(b->numbers, rule);
	struct wire_unwind_rule *added;
	bool is_new;

	if (!number && b->rules.n == UNWIND_RULES_MAX) {
		b->without_number++;
		*ret = WIRE_RULE_NONE;
		return 0;
	}
	if (!number) {
		added = array_add(&b->rules, sizeof(*added));
		number = hashmap_put(b->numbers, rule, &is_new);
		if (!added || !number)
			return -ENOMEM;
		*added = *rule;
		*number = (uint16_t)(b->rules.n - 1);
	}
	*ret = *number;
	return 0;
}

/* The page of address, which is the last one or a new one behind it. */
static int page_for(struct builder *b, uint64_t address, struct unwind_page **ret)
{
	uint32_t number = (uint32_t)page_of(address);
	struct unwind_page *page = b->pages.data;

	if (b->pages.n > 0 && page[b->pages.n - 1].number == number) {
		*ret = &page[b->pages.n - 1];
		return 0;
	}
	if (b->pages.n == UNWIND_PAGES_MAX || address >= UNWIND_ADDRESS_MAX)
		return -E2BIG;
	page = array_add(&b->pages, sizeof(*page));
	if (!page)
		return -ENOMEM;
	*page = (struct unwind_page){ .number = number, .first = b->pc.n };
	*ret = page;
	return 0;
}

static int write_row(struct builder *b, const struct row *row)
{
	struct unwind_page *page;
	uint16_t *pc, *rule;
	int r;

	if (b->pc.n == UNWIND_ROWS_MAX)
		return -E2BIG;
	r = page_for(b, row->address, &page);
	if (r < 0)
		return r;
	pc = array_add(&b->pc, sizeof(*pc));
	rule = array_add(&b->rule, sizeof(*rule));
	if (!pc || !rule)
		return -ENOMEM;
	*pc = (uint16_t)row->address;
	page->n++;
	return rule_number(b, &row->rule, rule);
}

static void hold(struct builder *b, uint64_t address, const struct wire_unwind_rule *rule)
{
	b->pending = (struct row){ address, *rule };
	b->now = *rule;
}

/*
 * Writes the pending row and those that begin the pages between it and address, the page of address
 * included unless a row is told for its very first byte. A page without rules is left out.
 */
static int go_to_page(struct builder *b, uint64_t address)
{
	uint64_t start = address & ~(PAGE_SIZE - 1);
	int r = 0;

	if (b->now.cfa == WIRE_CFA_UNKNOWN) {
		if (b->pending.address % PAGE_SIZE != 0)
			r = write_row(b, &b->pending);
		hold(b, start, &b->now);
		return r;
	}
	while (r == 0 && page_of(b->pending.address) < page_of(address)) {
		r = write_row(b, &b->pending);
		hold(b, (b->pending.address & ~(PAGE_SIZE - 1)) + PAGE_SIZE, &b->now);
	}
	return r;
}

/* True: the row is one more push or pop behind the pending one, and has become a step of it. */
static bool fold(struct builder *b, const struct row *row)
{
	uint64_t distance = row->address - b->pending.address;
	int32_t move = row->rule.cfa_offset - b->now.cfa_offset;
	struct wire_unwind_rule same = row->rule;
	uint16_t direction = move < 0 ? WIRE_STEP_POP : 0, *steps = &b->pending.rule.steps;

	same.cfa_offset = b->now.cfa_offset;
	if (distance > WIRE_STEP_BYTES || (move != 8 && move != -8) ||
	    (same.cfa != WIRE_CFA_SP && same.cfa != WIRE_CFA_FP) ||
	    memcmp(&same, &b->now, sizeof(same)) != 0)
		return false;
	if (*steps && (*steps & WIRE_STEP_POP) != direction)
		return false;
	*steps |= direction | (uint16_t)(1U << (distance - 1));
	b->now = row->rule;
	return true;
}

static int put_row(struct builder *b, const struct row *row)
{
	int r = 0;

	if (memcmp(&row->rule, &b->now, sizeof(b->now)) == 0)
		return 0;
	if (page_of(row->address) != page_of(b->pending.address))
		r = go_to_page(b, row->address);
	if (r < 0)
		return r;
	if (row->address != b->pending.address) {
		if (fold(b, row))
			return 0;
		r = write_row(b, &b->pending);
	}
	hold(b, row->address, &row->rule);
	return r;
}

/* The roots in what has no rule between the last row that was told and the next. */
static int put_roots(struct builder *b, uint64_t next)
{
	static const struct wire_unwind_rule none,
		root = { .cfa = WIRE_CFA_SP, .ra = WIRE_SAVED_UNDEFINED };
	struct start_code found[START_CODE_MAX];
	size_t n = 0;
	int r = 0;

	if (b->told.rule.cfa == WIRE_CFA_UNKNOWN)
		n = start_code_find(b->elf, b->told.address, next, found);
	for (size_t i = 0; i < n && r == 0; i++) {
		r = put_row(b, &(struct row){ found[i].begin, root });
		if (r == 0 && found[i].end < next)
			r = put_row(b, &(struct row){ found[i].end, none });
	}
	return r;
}

static int take_row(void *userdata, uint64_t address, const struct wire_unwind_rule *rule)
{
	struct builder *b = userdata;
	struct row row = { address, *rule };
	int r;

	r = put_roots(b, address);
	if (r < 0)
		return r;
	b->told = row;
	return put_row(b, &row);
}

/* Go's rows, all at once, then what CFI says behind them, if its next row is farther away. */
static int put_go(struct builder *b, uint64_t next)
{
	uint64_t end = b->go.end;
	int r;

	if (b->go.begin == b->go.end)
		return 0;
	r = unwind_go_walk(&b->go, take_row, b);
	b->go.begin = b->go.end = 0;
	return r == 0 && end < next ? take_row(b, end, &b->cfi) : r;
}

/* Go's table wins over CFI in its own text: the assembler's CFI knows nothing of changes of the stack. */
static int take_cfi_row(void *userdata, uint64_t address, const struct wire_unwind_rule *rule)
{
	struct builder *b = userdata;
	int r = 0;

	if (address >= b->go.end)
		r = put_go(b, address);
	b->cfi = *rule;
	if (r < 0 || (address >= b->go.begin && address < b->go.end))
		return r;
	return take_row(b, address, rule);
}

static int finish_rows(struct builder *b)
{
	int r = put_go(b, UINT64_MAX);

	if (r == 0)
		r = put_roots(b, UINT64_MAX);
	if (r == 0 && b->pending.address % PAGE_SIZE != 0)
		r = write_row(b, &b->pending);
	return r;
}

/* A section that is elsewhere (.debug_frame in a file of its own) or compressed is as none. */
static int read_section(const struct elf_file *elf, const char *name, uint8_t **ret_bytes,
			struct cfi_section *ret)
{
	const struct elf_section *section = elf_file_section(elf, name);
	int r;

	if (!section)
		return 0;
	r = elf_file_read(elf, section, ret_bytes, &ret->size);
	if (r < 0)
		return r == -ENODATA || r == -ENOTSUP ? 0 : r;
	ret->bytes = *ret_bytes;
	ret->addr = section->addr;
	return 0;
}

static int build_rows(struct builder *b, struct cfi_counts *counts)
{
	const struct elf_file *elf = b->elf;
	struct cfi_input input = { .machine = elf->machine,
				   .text = elf->text,
				   .n_text = elf->n_text };
	_cleanup_free_ uint8_t *eh_frame = NULL, *debug_frame = NULL;
	int r;

	r = read_section(elf, ".eh_frame", &eh_frame, &input.eh_frame);
	if (r == 0)
		r = read_section(elf, ".debug_frame", &debug_frame, &input.debug_frame);
	if (r == 0)
		r = unwind_go_open(elf, &b->go);
	if (r == 0)
		r = cfi_walk(&input, take_cfi_row, b, counts);
	if (r == 0)
		r = finish_rows(b);
	counts->unknown[CFI_UNKNOWN_RULES] = b->without_number;
	return r;
}

static uint8_t *append(uint8_t *p, const struct array *array, size_t size)
{
	return array->n > 0 ? mempcpy(p, array->data, array->n * size) : p;
}

static int join(const struct builder *b, const struct unwind_header *header, void **ret,
		size_t *ret_size)
{
	size_t size = sizeof(*header) + b->rules.n * sizeof(struct wire_unwind_rule) +
		      b->pages.n * sizeof(struct unwind_page) + b->pc.n * 2 * sizeof(uint16_t);
	uint8_t *bytes = malloc(size), *p;

	if (!bytes)
		return -ENOMEM;
	p = mempcpy(bytes, header, sizeof(*header));
	p = append(p, &b->rules, sizeof(struct wire_unwind_rule));
	p = append(p, &b->pages, sizeof(struct unwind_page));
	p = append(p, &b->pc, sizeof(uint16_t));
	append(p, &b->rule, sizeof(uint16_t));
	*ret = bytes;
	*ret_size = size;
	return 0;
}

static uint64_t text_bytes(const struct elf_file *elf)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < elf->n_sections; i++)
		if (elf->sections[i].flags & SHF_EXECINSTR)
			bytes += elf->sections[i].size;
	for (size_t i = 0; i < elf->n_text && elf->n_sections == 0; i++)
		bytes += elf->text[i].size;
	return bytes;
}

static struct unwind_header make_header(const struct builder *b, const struct cfi_counts *counts)
{
	const struct elf_file *elf = b->elf;
	struct unwind_header header = {
		.magic = UNWIND_MAGIC,
		.version = UNWIND_VERSION,
		.machine = elf->machine,
		.build_id_size = (uint32_t)elf->build_id_size,
		.n_rules = b->rules.n,
		.n_pages = b->pages.n,
		.n_rows = b->pc.n,
		.text_bytes = text_bytes(elf),
		.counts = *counts,
	};

	memcpy(header.build_id, elf->build_id, sizeof(header.build_id));
	return header;
}

int unwind_table_build(const struct elf_file *elf, void **ret, size_t *ret_size)
{
	static const struct wire_unwind_rule none;
	struct cfi_counts counts = {};
	struct unwind_header header;
	struct builder b = { .elf = elf };
	uint16_t number;
	int r;

	r = hashmap_new(sizeof(none), sizeof(number), UNWIND_RULES_MAX, &b.numbers);
	if (r == 0)
		r = rule_number(&b, &none, &number); /* WIRE_RULE_NONE */
	if (r == 0)
		r = build_rows(&b, &counts);
	if (r == 0) {
		header = make_header(&b, &counts);
		r = join(&b, &header, ret, ret_size);
	}
	unwind_go_done(&b.go);
	hashmap_free(b.numbers);
	array_done(&b.rules);
	array_done(&b.pages);
	array_done(&b.pc);
	array_done(&b.rule);
	return r;
}
