/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A look-up is a binary search for the compilation unit and a walk down its tree (DWARF 5, section
 * 3.3): the functions on the way, the concrete one and those inlined into it, are the frames. libdw's
 * own dwarf_addrdie() needs .debug_aranges, which clang does not write, and dwarf_getscopes() recurses
 * as deeply as the file says.
 */
#include "binary/lines.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/util.h"
#include "binary/array.h"

struct unit_range {
	uint64_t start, end;
	Dwarf_Off unit; /* offset of its DIE */
};

struct lines {
	Dwarf *dwarf;
	struct array ranges; /* struct unit_range, ascending */
};

static int add_ranges(struct lines *lines, Dwarf_Die *unit)
{
	Dwarf_Addr base, start, end;
	struct unit_range *range;
	ptrdiff_t next = 0;

	while ((next = dwarf_ranges(unit, next, &base, &start, &end)) > 0) {
		if (start >= end)
			continue;
		if (lines->ranges.n == LINES_RANGES_MAX)
			return -E2BIG;
		range = array_add(&lines->ranges, sizeof(*range));
		if (!range)
			return -ENOMEM;
		*range = (struct unit_range){ start, end, dwarf_dieoffset(unit) };
	}
	return 0; /* a damaged list costs that unit */
}

static int by_start(const void *a, const void *b)
{
	const struct unit_range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static int read_units(struct lines *lines)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Die die;
	uint8_t type;
	int r = 0;

	while (r == 0 && dwarf_get_units(lines->dwarf, unit, &unit, NULL, &type, &die, NULL) == 0)
		if (type == DW_UT_compile || type == DW_UT_skeleton)
			r = add_ranges(lines, &die);
	if (r == 0 && lines->ranges.n == 0)
		return -ENODATA;
	if (r == 0)
		qsort(lines->ranges.data, lines->ranges.n, sizeof(struct unit_range), by_start);
	return r;
}

int lines_open(int fd, struct lines **ret)
{
	_cleanup_lines_ struct lines *lines = calloc(1, sizeof(*lines));
	char magic[4];
	int r;

	if (!lines)
		return -ENOMEM;
	if (pread(fd, magic, sizeof(magic), 0) != sizeof(magic) || memcmp(magic, "\177ELF", 4) != 0)
		return -ENOEXEC;
	lines->dwarf = dwarf_begin(fd, DWARF_C_READ);
	if (!lines->dwarf)
		return -ENODATA;
	r = read_units(lines);
	if (r < 0)
		return r;
	*ret = TAKE(lines);
	return 0;
}

struct lines *lines_free(struct lines *lines)
{
	if (lines) {
		dwarf_end(lines->dwarf);
		array_done(&lines->ranges);
	}
	free(lines);
	return NULL;
}

static const struct unit_range *find_unit(const struct lines *lines, uint64_t address)
{
	const struct unit_range *ranges = lines->ranges.data;
	size_t low = 0, high = lines->ranges.n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (ranges[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && address < ranges[low - 1].end ? &ranges[low - 1] : NULL;
}

/* The functions around an address, the concrete one first. */
struct path {
	uint64_t address;
	Dwarf_Die functions[LINES_FRAMES_MAX];
	size_t n;
	unsigned visited; /* DIEs */
	bool everywhere; /* also below functions that the address is not in */
};

enum kind {
	KIND_OTHER,
	KIND_FUNCTION,
	KIND_BLOCK, /* of code */
	KIND_SCOPE, /* of names: says no addresses */
};

static enum kind kind_of(Dwarf_Die *die)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_subprogram:
	case DW_TAG_inlined_subroutine:
		return KIND_FUNCTION;
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
		return KIND_BLOCK;
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type: /* Rust's have methods */
		return KIND_SCOPE;
	default:
		return KIND_OTHER;
	}
}

static int walk(struct path *path, Dwarf_Die *parent, unsigned depth);

/* 1: the address is within die, and path has all that there is; 0: it is not. */
static int enter(struct path *path, Dwarf_Die *die, unsigned depth)
{
	enum kind kind = kind_of(die);
	bool within;
	int r;

	if (++path->visited > LINES_DIES_MAX)
		return -E2BIG;
	within = kind != KIND_OTHER && kind != KIND_SCOPE && dwarf_haspc(die, path->address) > 0;
	if (kind == KIND_OTHER || (kind != KIND_SCOPE && !within && !path->everywhere))
		return 0;
	if (kind == KIND_FUNCTION && within) {
		if (path->n == LINES_FRAMES_MAX)
			return -E2BIG;
		path->functions[path->n++] = *die;
	}
	r = walk(path, die, depth + 1);
	return r == 0 && within ? 1 : r;
}

static int walk(struct path *path, Dwarf_Die *parent, unsigned depth)
{
	Dwarf_Die die;
	int r;

	if (depth > LINES_DEPTH_MAX)
		return -E2BIG;
	if (dwarf_child(parent, &die) != 0)
		return 0;
	do
		r = enter(path, &die, depth);
	while (r == 0 && dwarf_siblingof(&die, &die) == 0);
	return r;
}

/* What is a function of its own, as that of a lambda, may stand within another. That is rare, so the
 * whole tree is searched only if nothing else was found. */
static int find_functions(struct path *path, Dwarf_Die *unit)
{
	int r = walk(path, unit, 0);

	if (r == 0) {
		path->everywhere = true;
		r = walk(path, unit, 0);
	}
	return r;
}

/* The attribute may be that of the declaration or of the abstract instance. */
static const char *name_of(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) ||
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
		return dwarf_formstring(&attribute);
	return dwarf_diename(die);
}

static unsigned number_of(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	if (dwarf_formudata(dwarf_attr(die, name, &attribute), &value) != 0 || value > UINT32_MAX)
		return 0;
	return (unsigned)value;
}

/* Where the code of an inlined function is called. */
static void set_call_site(Dwarf_Die *unit, Dwarf_Die *inlined, struct line_frame *frame)
{
	Dwarf_Files *files;
	size_t n;

	frame->line = number_of(inlined, DW_AT_call_line);
	if (dwarf_getsrcfiles(unit, &files, &n) == 0)
		frame->file = dwarf_filesrc(files, number_of(inlined, DW_AT_call_file), NULL, NULL);
}

static void set_line(Dwarf_Die *unit, uint64_t address, struct line_frame *frame)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, address);
	int number = 0;

	if (!line)
		return;
	frame->file = dwarf_linesrc(line, NULL, NULL);
	if (dwarf_lineno(line, &number) == 0 && number > 0)
		frame->line = (unsigned)number;
}

int lines_find(struct lines *lines, uint64_t address, struct line_frame frames[LINES_FRAMES_MAX])
{
	const struct unit_range *range = find_unit(lines, address);
	struct path path = { .address = address };
	Dwarf_Die unit;
	int r;

	if (!range || !dwarf_offdie(lines->dwarf, range->unit, &unit))
		return 0;
	r = find_functions(&path, &unit);
	if (r < 0)
		return r;
	frames[0] = (struct line_frame){ 0 };
	set_line(&unit, address, &frames[0]);
	for (size_t i = 0; i < path.n; i++) {
		Dwarf_Die *function = &path.functions[path.n - 1 - i];

		frames[i].function = name_of(function);
		if (i + 1 == path.n)
			return (int)path.n;
		frames[i + 1] = (struct line_frame){ 0 };
		set_call_site(&unit, function, &frames[i + 1]);
	}
	/* Assembly: a line, but no function. */
	return frames[0].file != NULL;
}
