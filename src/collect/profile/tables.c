/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A table's rules get the numbers that the same rules of other tables have already; its rows are copied
 * page by page, as many pages in a row as a slab has room for. Only then are the pages written that
 * make them visible; nothing names those yet.
 */
#include "collect/profile/tables.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/hashmap.h"
#include "base/util.h"
#include "bpf/profile.skel.h"
#include "bpf/wire/profile.h"
#include "collect/profile/runs.h"

struct slab {
	int fd;
	struct wire_slab *memory;
	struct runs *rows;
};

struct rule_use {
	uint32_t number;
	uint32_t tables;
};

struct tables {
	struct slab *slabs; /* by number; memory NULL: not made */
	uint32_t n_slabs, slabs_made;
	int outer_fd;
	struct wire_unwind_page *pages;
	struct runs *pages_free;
	struct wire_unwind_rule *rules;
	struct runs *rules_free;
	struct hashmap *numbers; /* struct wire_unwind_rule -> struct rule_use */
	uint32_t max_pages, max_rules;
};

struct table_rows { /* of neighbouring pages */
	uint16_t slab;
	uint32_t first, n;
};

struct table_internal {
	struct table table; /* first: what the caller sees */
	uint32_t first_page, n_pages; /* run of pages */
	struct table_rows *rows;
	size_t n_rows;
	uint16_t *numbers; /* of its rules, by number in the table */
	uint32_t n_numbers;
};

/* --- the arrays ------------------------------------------------------------------------------ */

static void *map_array(int fd, size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int map_arrays(struct tables *t, struct profile_bpf *skel)
{
	t->max_pages = bpf_map__max_entries(skel->maps.unwind_pages);
	t->max_rules = bpf_map__max_entries(skel->maps.unwind_rules);
	t->n_slabs = bpf_map__max_entries(skel->maps.unwind_slabs);
	t->outer_fd = bpf_map__fd(skel->maps.unwind_slabs);
	t->pages =
		map_array(bpf_map__fd(skel->maps.unwind_pages), t->max_pages * sizeof(*t->pages));
	if (!t->pages)
		return -errno;
	t->rules =
		map_array(bpf_map__fd(skel->maps.unwind_rules), t->max_rules * sizeof(*t->rules));
	return t->rules ? 0 : -errno;
}

static int make_runs(struct tables *t)
{
	uint32_t none;
	int r = runs_new(t->max_pages, &t->pages_free);

	r = r < 0 ? r : runs_new(t->max_rules, &t->rules_free);
	r = r < 0 ? r
		  : hashmap_new(sizeof(struct wire_unwind_rule), sizeof(struct rule_use),
				t->max_rules, &t->numbers);
	/* WIRE_RULE_NONE is all zero, and so is the array. */
	return r < 0 ? r : runs_take(t->rules_free, 1, &none);
}

int tables_new(struct profile_bpf *skel, struct tables **ret)
{
	_cleanup_(tables_free_p) struct tables *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	r = map_arrays(t, skel);
	if (r >= 0)
		r = make_runs(t);
	if (r < 0)
		return r;
	t->slabs = calloc(t->n_slabs, sizeof(*t->slabs));
	if (!t->slabs)
		return -ENOMEM;
	*ret = TAKE(t);
	return 0;
}

static void slab_done(struct slab *s)
{
	if (!s->memory)
		return;
	munmap(s->memory, sizeof(*s->memory));
	close(s->fd);
	runs_free(s->rows);
	*s = (struct slab){};
}

struct tables *tables_free(struct tables *t)
{
	if (!t)
		return NULL;
	for (uint32_t i = 0; t->slabs && i < t->n_slabs; i++)
		slab_done(&t->slabs[i]);
	free(t->slabs);
	if (t->pages)
		munmap(t->pages, t->max_pages * sizeof(*t->pages));
	if (t->rules)
		munmap(t->rules, t->max_rules * sizeof(*t->rules));
	runs_free(t->pages_free);
	runs_free(t->rules_free);
	hashmap_free(t->numbers);
	free(t);
	return NULL;
}

/* --- slabs ----------------------------------------------------------------------------------- */

static int slab_make(struct tables *t, uint32_t number)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	struct slab s = {
		.fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_slab", sizeof(uint32_t),
				     sizeof(struct wire_slab), 1, &opts),
	};
	int r;

	if (s.fd < 0)
		return -errno;
	s.memory = map_array(s.fd, sizeof(*s.memory));
	r = s.memory ? runs_new(WIRE_SLAB_ROWS, &s.rows) : -errno;
	if (r >= 0 && bpf_map_update_elem(t->outer_fd, &number, &s.fd, BPF_ANY) < 0)
		r = -errno;
	if (r < 0) {
		runs_free(s.rows);
		if (s.memory)
			munmap(s.memory, sizeof(*s.memory));
		close(s.fd);
		return r;
	}
	t->slabs[number] = s;
	t->slabs_made++;
	return 0;
}

static void slab_drop(struct tables *t, uint32_t number)
{
	bpf_map_delete_elem(t->outer_fd, &number);
	slab_done(&t->slabs[number]);
	t->slabs_made--;
}

/* n rows side by side in any slab; a new one is made if max_bytes allows it. */
static int take_rows(struct tables *t, uint32_t n, uint64_t max_bytes, struct table_rows *ret)
{
	uint32_t made = t->n_slabs;
	int r;

	for (uint32_t i = 0; i < t->n_slabs; i++) {
		if (!t->slabs[i].memory) {
			made = made == t->n_slabs ? i : made;
			continue;
		}
		if (runs_take(t->slabs[i].rows, n, &ret->first) == 0) {
			ret->slab = i;
			ret->n = n;
			return 0;
		}
	}
	if (made == t->n_slabs || tables_bytes(t) + sizeof(struct wire_slab) > max_bytes)
		return -ENOSPC;
	r = slab_make(t, made);
	if (r < 0)
		return r;
	ret->slab = made;
	ret->n = n;
	return runs_take(t->slabs[made].rows, n, &ret->first);
}

static void give_rows(struct tables *t, const struct table_rows *rows)
{
	struct slab *s = &t->slabs[rows->slab];

	runs_give(s->rows, rows->first, rows->n);
	if (runs_taken(s->rows) == 0)
		slab_drop(t, rows->slab);
}

/* --- rules ----------------------------------------------------------------------------------- */

static int rule_take(struct tables *t, const struct wire_unwind_rule *rule, uint16_t *ret)
{
	struct rule_use *use;
	uint32_t number;
	bool is_new;

	if (rule->cfa == WIRE_CFA_UNKNOWN) {
		*ret = WIRE_RULE_NONE;
		return 0;
	}
	use = hashmap_put(t->numbers, rule, &is_new);
	if (!use)
		return -ENOMEM;
	if (is_new) {
		if (runs_take(t->rules_free, 1, &number) < 0) {
			hashmap_remove(t->numbers, rule);
			return -ENOSPC;
		}
		t->rules[number] = *rule;
		use->number = number;
	}
	use->tables++;
	*ret = use->number;
	return 0;
}

static void rule_give(struct tables *t, uint16_t number)
{
	struct wire_unwind_rule rule = t->rules[number];
	struct rule_use *use;

	if (number == WIRE_RULE_NONE)
		return;
	use = hashmap_get(t->numbers, &rule);
	if (!use || --use->tables)
		return;
	hashmap_remove(t->numbers, &rule);
	runs_give(t->rules_free, number, 1);
}

static int take_rules(struct tables *t, const struct unwind_table *from,
		      struct table_internal *table)
{
	int r;

	table->numbers = calloc(from->header->n_rules, sizeof(*table->numbers));
	if (!table->numbers)
		return -ENOMEM;
	for (; table->n_numbers < from->header->n_rules; table->n_numbers++) {
		r = rule_take(t, &from->rules[table->n_numbers], &table->numbers[table->n_numbers]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- tables ---------------------------------------------------------------------------------- */

static int remember_rows(struct table_internal *table, const struct table_rows *rows)
{
	struct table_rows *bigger =
		realloc(table->rows, (table->n_rows + 1) * sizeof(*table->rows));

	if (!bigger)
		return -ENOMEM;
	table->rows = bigger;
	table->rows[table->n_rows++] = *rows;
	return 0;
}

/* Writes pages [begin, end) of the table, whose rows lie side by side there, to where rows says. */
static void write_pages(struct tables *t, const struct unwind_table *from, uint32_t begin,
			uint32_t end, const struct table_internal *table,
			const struct table_rows *rows)
{
	const struct unwind_page *pages = from->pages;
	struct wire_slab *slab = t->slabs[rows->slab].memory;
	uint32_t first = pages[begin].first;

	memcpy(&slab->pc[rows->first], &from->pc[first], rows->n * sizeof(*slab->pc));
	for (uint32_t i = 0; i < rows->n; i++)
		slab->rule[rows->first + i] = table->numbers[from->rule[first + i]];
	for (uint32_t i = begin; i < end; i++)
		t->pages[table->first_page + pages[i].number - pages[0].number] =
			(struct wire_unwind_page){
				.slab = rows->slab,
				.first = rows->first + pages[i].first - first,
				.rows = pages[i].n,
			};
}

/* As many pages from begin on as fill a quarter of a slab, or one: large pieces leave no gaps worth
 * mention, and smaller ones find a place in slabs that others use. */
static uint32_t piece_end(const struct unwind_table *from, uint32_t begin, uint32_t *ret_rows)
{
	uint32_t end = begin + 1, n = from->pages[begin].n;

	while (end < from->header->n_pages && n + from->pages[end].n <= WIRE_SLAB_ROWS / 4)
		n += from->pages[end++].n;
	*ret_rows = n;
	return end;
}

static int copy_rows(struct tables *t, const struct unwind_table *from, uint64_t max_bytes,
		     struct table_internal *table)
{
	struct table_rows rows;
	uint32_t n, end;
	int r;

	for (uint32_t begin = 0; begin < from->header->n_pages; begin = end) {
		end = piece_end(from, begin, &n);
		r = take_rows(t, n, max_bytes, &rows);
		if (r < 0)
			return r;
		r = remember_rows(table, &rows);
		if (r < 0) {
			give_rows(t, &rows);
			return r;
		}
		write_pages(t, from, begin, end, table, &rows);
		table->table.bytes += n * 2 * sizeof(uint16_t);
	}
	return 0;
}

static int take_pages(struct tables *t, const struct unwind_table *from,
		      struct table_internal *table)
{
	uint32_t n = from->header->n_pages, lowest, pages;
	int r;

	if (n == 0)
		return 0;
	lowest = from->pages[0].number;
	pages = from->pages[n - 1].number - lowest + 1;
	if (pages > t->max_pages)
		return -E2BIG;
	r = runs_take(t->pages_free, pages, &table->first_page);
	if (r < 0)
		return r;
	table->n_pages = pages;
	table->table.pages = table->first_page - lowest;
	table->table.bytes = pages * sizeof(*t->pages);
	return 0;
}

int tables_add(struct tables *t, const struct unwind_table *from, uint64_t max_bytes,
	       struct table **ret)
{
	struct table_internal *table = calloc(1, sizeof(*table));
	int r;

	if (!table)
		return -ENOMEM;
	r = take_pages(t, from, table);
	if (r >= 0)
		r = take_rules(t, from, table);
	if (r >= 0)
		r = copy_rows(t, from, max_bytes, table);
	if (r < 0) {
		tables_remove(t, &table->table);
		return r;
	}
	*ret = &table->table;
	return 0;
}

void tables_remove(struct tables *t, struct table *public)
{
	struct table_internal *table = (struct table_internal *)public;

	if (!table)
		return;
	if (table->n_pages) {
		memset(&t->pages[table->first_page], 0, table->n_pages * sizeof(*t->pages));
		runs_give(t->pages_free, table->first_page, table->n_pages);
	}
	for (size_t i = 0; i < table->n_rows; i++)
		give_rows(t, &table->rows[i]);
	for (uint32_t i = 0; i < table->n_numbers; i++)
		rule_give(t, table->numbers[i]);
	free(table->rows);
	free(table->numbers);
	free(table);
}

uint64_t tables_bytes(const struct tables *t)
{
	return t->slabs_made * sizeof(struct wire_slab);
}
