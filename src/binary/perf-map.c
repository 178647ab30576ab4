/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A step takes a megabyte of lines, however long the file is, and merges them with the table of
 * what was read before: a runtime that runs for weeks writes much more than is alive at a time. When
 * there is no room for all, the new entries stay.
 */
#include "binary/perf-map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compress.h"
#include "base/util.h"
#include "binary/symbol-builder.h"

#define CHECK_BYTES 64 /* before the offset: enough to tell one file from another */

_Static_assert(PERF_MAP_STEP_BYTES / (sizeof("1 1 n\n") - 1) < PERF_MAP_ENTRIES_MAX,
	       "what one step adds always fits");

/* Up to size bytes at offset; fewer at the end of the file. */
static ssize_t read_upto(int fd, uint64_t offset, char *buf, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = pread(fd, buf + done, size - done, (off_t)(offset + done));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)done;
}

static int check_before(int fd, uint64_t offset, uint32_t *ret)
{
	char bytes[CHECK_BYTES];
	size_t size = MIN(offset, (uint64_t)sizeof(bytes));
	ssize_t n = read_upto(fd, offset - size, bytes, size);

	if (n < 0)
		return (int)n;
	*ret = crc32_add(0, bytes, (size_t)n);
	return 0;
}

/* Is this still the file that was read up to map->offset? 1, 0 or an error. */
static int is_same(const struct perf_map *map, int fd, const struct stat *st)
{
	uint32_t check = 0;
	int r;

	if (map->device != st->st_dev || map->inode != st->st_ino ||
	    map->offset > (uint64_t)st->st_size)
		return 0;
	r = check_before(fd, map->offset, &check);
	return r < 0 ? r : check == map->check;
}

/* A number in hex with or without 0x, and the space behind it. */
static bool parse_hex(const char **p, const char *end, uint64_t *ret)
{
	const char *s = *p;
	uint64_t n = 0;
	unsigned digits = 0;

	if (end - s > 2 && s[0] == '0' && (s[1] | 0x20) == 'x')
		s += 2;
	for (; s < end; s++, digits++) {
		char c = *s | 0x20;

		if (c >= '0' && c <= '9' && *s == c)
			n = n << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	if (digits == 0 || digits > 16 || s == end || *s != ' ')
		return false;
	*p = s + 1;
	*ret = n;
	return true;
}

struct reader {
	struct perf_map *map;
	struct symbol_builder *b;
	uint32_t rank; /* that of the last entry: later ones win */
};

static int add_line(struct reader *reader, const char *line, const char *end)
{
	char name[SYMBOL_NAME_MAX + 1];
	struct symbol symbol = { .name = name };
	size_t length;

	reader->map->lines++;
	if (!parse_hex(&line, end, &symbol.start) || !parse_hex(&line, end, &symbol.size) ||
	    symbol.size == 0 || line == end || *line == '\0') {
		reader->map->malformed++;
		return 0;
	}
	length = MIN((size_t)(end - line), (size_t)SYMBOL_NAME_MAX);
	memcpy(name, line, length);
	name[length] = '\0';
	symbol.rank = ++reader->rank;
	return symbol_builder_add(reader->b, &symbol);
}

/* Adds the whole lines of text. What is left of it is an unfinished one: how many bytes are done? */
static int add_lines(struct reader *reader, const char *text, size_t size, size_t *ret_done)
{
	const char *p = text, *end = text + size, *newline;
	int r = 0;

	for (; r == 0 && (newline = memchr(p, '\n', (size_t)(end - p))); p = newline + 1) {
		if (!reader->map->skipping)
			r = add_line(reader, p, newline);
		reader->map->skipping = false;
	}
	/* The name is known as far as it is kept; the rest of the line may never come. */
	if (r == 0 && end - p >= PERF_MAP_LINE_MAX) {
		if (!reader->map->skipping)
			r = add_line(reader, p, p + PERF_MAP_LINE_MAX);
		reader->map->skipping = true;
		p = end;
	}
	*ret_done = (size_t)(p - text);
	return r;
}

static int add_old(struct symbol_builder *b, const struct symbol_table *table)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < symbol_table_size(table); i++) {
		struct symbol_range range = symbol_table_get(table, i);

		r = symbol_builder_add(b, &(struct symbol){
						  .name = range.name,
						  .start = range.start,
						  .size = range.size,
						  .into = range.into,
					  });
	}
	return r;
}

/* One step, on copies: nothing is changed if it fails. */
static int read_step(struct perf_map *map, int fd, const struct symbol_table *table,
		     struct symbol_table **ret)
{
	_cleanup_symbol_builder_ struct symbol_builder *b = NULL;
	_cleanup_free_ char *text = malloc(PERF_MAP_STEP_BYTES);
	struct reader reader = { .map = map };
	size_t done;
	ssize_t n;
	int r;

	if (!text)
		return -ENOMEM;
	n = read_upto(fd, map->offset, text, PERF_MAP_STEP_BYTES);
	r = n < 0 ? (int)n : symbol_builder_new(PERF_MAP_ENTRIES_MAX, PERF_MAP_NAMES_MAX, &b);
	if (r < 0)
		return r;
	reader.b = b;
	r = add_lines(&reader, text, (size_t)n, &done);
	if (r == 0 && table && done == 0)
		return 0;
	if (r == 0 && table)
		r = add_old(b, table);
	r = r ?: symbol_builder_finish(b, ret);
	if (r < 0)
		return r;
	map->offset += done;
	map->over += symbol_table_counts(*ret)->over;
	return n == PERF_MAP_STEP_BYTES;
}

/* The file is another one: from its start. */
static void restart(struct perf_map *map, const struct stat *st)
{
	map->restarts += map->inode != 0;
	map->device = st->st_dev;
	map->inode = st->st_ino;
	map->offset = 0;
	map->skipping = false;
}

int perf_map_read(struct perf_map *map, int fd, const struct symbol_table *table,
		  struct symbol_table **ret)
{
	_cleanup_symbol_table_ struct symbol_table *made = NULL;
	struct perf_map next = *map;
	struct stat st;
	int r, more;

	if (fstat(fd, &st) < 0)
		return -errno;
	r = is_same(map, fd, &st);
	if (r == 0) {
		restart(&next, &st);
		table = NULL;
	}
	more = r < 0 ? r : read_step(&next, fd, table, &made);
	if (more < 0)
		return more;
	r = check_before(fd, next.offset, &next.check);
	if (r < 0)
		return r;
	*map = next;
	*ret = TAKE(made);
	return more;
}
