/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The walk through all FDEs of a file in the order of their addresses. Neither is that the order in the
 * file, nor is .eh_frame_hdr believed, which has a sorted list: so the FDEs are listed by address and
 * offset, 16 bytes each, sorted, and read once more one by one.
 */
#include "binary/cfi-internal.h"

#include "base/util.h"
#include "binary/array.h"

enum { EH_FRAME, DEBUG_FRAME, SECTIONS };

struct listed {
	uint64_t begin;
	uint64_t offset : 63;
	uint64_t section : 1;
};

struct walk {
	const struct cfi_input *input;
	struct cfi_reader readers[SECTIONS];
	struct array list; /* struct listed */
	uint64_t last; /* where the rows told so far end; 0: there are none */
	cfi_row *row;
	void *userdata;
	struct cfi_counts counts;
};

static int list_add(struct walk *w, uint64_t begin, uint64_t offset, unsigned section)
{
	struct listed *listed;

	if (w->list.n == CFI_FDES_MAX)
		return -E2BIG;
	listed = array_add(&w->list, sizeof(*listed));
	if (!listed)
		return -ENOMEM;
	*listed = (struct listed){ begin, offset, section };
	return 0;
}

static int list_section(struct walk *w, unsigned section)
{
	struct cfi_reader *reader = &w->readers[section];
	uint64_t offset = 0;
	struct cfi_entry entry;
	int r = 0;

	while (r == 0 && offset < reader->section.size && cfi_next_entry(reader, &offset, &entry)) {
		const struct cfi_cie *cie;
		struct cfi_fde fde;

		if (entry.is_cie)
			continue;
		w->counts.fdes++;
		cie = cfi_read_cie(reader, entry.cie);
		if (!cie || !cfi_read_fde(reader, cie, &entry, &fde))
			w->counts.unknown[CFI_UNKNOWN_CIE]++;
		else if (fde.size > 0)
			r = list_add(w, fde.begin, entry.offset, section);
	}
	return r;
}

static int compare_listed(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* The end of the text that address is in; 0: in none. */
static uint64_t text_end(const struct cfi_input *input, uint64_t address)
{
	for (size_t i = 0; i < input->n_text; i++)
		if (address - input->text[i].vaddr < input->text[i].size)
			return input->text[i].vaddr + input->text[i].size;
	return 0;
}

/* Behind the rows so far there is no rule. */
static int tell_end(struct walk *w)
{
	static const struct wire_unwind_rule none;

	return w->last > 0 ? w->row(w->userdata, w->last, &none) : 0;
}

static int tell_fde(struct walk *w, const struct listed *at, uint64_t next)
{
	struct cfi_reader *reader = &w->readers[at->section];
	uint64_t offset = at->offset, end = text_end(w->input, at->begin);
	const struct cfi_cie *cie;
	struct cfi_entry entry;
	struct cfi_fde fde;
	int r;

	if (end == 0) {
		w->counts.unknown[CFI_UNKNOWN_TEXT]++;
		return 0;
	}
	/* What was read once can be read again. */
	cfi_next_entry(reader, &offset, &entry);
	cie = cfi_read_cie(reader, entry.cie);
	cfi_read_fde(reader, cie, &entry, &fde);
	end = MIN(end, next);
	if (fde.size < end - fde.begin)
		end = fde.begin + fde.size;
	if (fde.begin - w->last > CFI_GAP_MAX) {
		r = tell_end(w);
		if (r < 0)
			return r;
	}
	w->last = end;
	return cfi_execute(reader, cie, &fde, end, w->row, w->userdata, &w->counts);
}

static int tell_all(struct walk *w)
{
	const struct listed *list = w->list.data;
	uint32_t n = w->list.n, i = 0, next;
	int r = 0;

	for (; i < n && r == 0; i = next) {
		for (next = i + 1; next < n && list[next].begin == list[i].begin; next++)
			w->counts.unknown[CFI_UNKNOWN_OVERLAP]++;
		r = tell_fde(w, &list[i], next < n ? list[next].begin : UINT64_MAX);
	}
	return r < 0 ? r : tell_end(w);
}

int cfi_walk(const struct cfi_input *input, cfi_row *row, void *userdata,
	     struct cfi_counts *ret_counts)
{
	const struct cfi_machine *machine = cfi_machine(input->machine);
	struct walk w = {
		.input = input,
		.readers = { { .machine = machine, .section = input->eh_frame, .eh = true },
			     { .machine = machine, .section = input->debug_frame } },
		.row = row,
		.userdata = userdata,
	};
	int r;

	r = list_section(&w, EH_FRAME);
	if (r == 0)
		r = list_section(&w, DEBUG_FRAME);
	if (r == 0) {
		if (w.list.n > 0)
			qsort(w.list.data, w.list.n, sizeof(struct listed), compare_listed);
		r = tell_all(&w);
	}
	array_done(&w.list);
	if (r == 0)
		*ret_counts = w.counts;
	return r;
}
