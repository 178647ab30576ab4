/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * proc_pid_maps(5). The kernel gives whole lines, about a page of them per read, and holds mmap_lock
 * meanwhile: 1.3 µs a line. A newline in a path stands there as \012, a backslash as itself, so that
 * this cannot be undone; such a path is wrong, and mapping_open() notices it.
 */
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "host/mappings-internal.h"

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* A number that ends with the character end. strtoull() would take signs and blanks. */
static bool take_number(const char **p, unsigned base, char end, uint64_t *ret)
{
	const char *s = *p;
	uint64_t value = 0;
	unsigned digit;

	for (; (digit = (unsigned)digit_of(*s)) < base; s++) {
		if (value > (UINT64_MAX - digit) / base)
			return false;
		value = value * base + digit;
	}
	if (s == *p || *s != end)
		return false;
	*p = s + 1;
	*ret = value;
	return true;
}

/* "55d0c0a01000-55d0c0a05000 r-xp 00001000 fd:01 1234   /usr/bin/true" */
static bool parse_line(const char *line, struct maps_line *ret)
{
	struct mapping *m = &ret->mapping;
	uint64_t major, minor;
	const char *p = line;

	*ret = (struct maps_line){ 0 };
	if (!take_number(&p, 16, '-', &m->begin) || !take_number(&p, 16, ' ', &m->end) ||
	    m->begin >= m->end || strnlen(p, 5) < 5 || p[4] != ' ')
		return false;
	ret->executable = p[2] == 'x';
	p += 5;
	if (!take_number(&p, 16, ' ', &m->offset) || !take_number(&p, 16, ':', &major) ||
	    !take_number(&p, 16, ' ', &minor) || !take_number(&p, 10, ' ', &m->inode))
		return false;
	m->device = makedev((unsigned)major, (unsigned)minor);
	ret->path = p + strspn(p, " ");
	return true;
}

/* Fills the buffer behind what is left of it. Returns what was read. */
static ssize_t fill(struct maps_text *text)
{
	ssize_t n;

	memmove(text->buf, text->buf + text->at, text->n - text->at);
	text->n -= text->at;
	text->at = 0;
	n = read(text->fd, text->buf + text->n, sizeof(text->buf) - 1 - text->n);
	if (n < 0)
		return -errno;
	text->n += (size_t)n;
	return n;
}

/* The next line without its newline, or what the buffer holds of one that is longer. */
static int next_line(struct maps_text *text, char **ret)
{
	char *line, *newline;
	ssize_t n = 1;

	for (;;) {
		line = text->buf + text->at;
		newline = memchr(line, '\n', text->n - text->at);
		if (newline || n == 0 || text->n - text->at == sizeof(text->buf) - 1)
			break;
		n = fill(text);
		if (n < 0)
			return (int)n;
	}
	if (!newline && text->at == text->n)
		return 0;
	text->long_line = !newline;
	text->at = newline ? (size_t)(newline + 1 - text->buf) : text->n;
	*(newline ?: text->buf + text->n) = 0;
	*ret = line;
	return 1;
}

int maps_text_next(struct maps_text *text, struct maps_line *ret)
{
	char *line;
	int r;

	while (text->long_line) { /* what the last call left of it */
		r = next_line(text, &line);
		if (r <= 0)
			return r;
	}
	r = next_line(text, &line);
	if (r <= 0)
		return r;
	if (!parse_line(line, ret))
		return -EBADMSG;
	ret->nameless = text->long_line;
	if (ret->nameless)
		ret->path = "";
	return 1;
}

int mappings_read_text(int fd, struct mappings *m)
{
	struct maps_text text = { .fd = fd };
	struct maps_line line;
	char byte;
	int r;

	for (unsigned n = 0; (r = maps_text_next(&text, &line)) > 0; n++) {
		if (n == MAPPINGS_LINES_MAX) {
			m->cut = true;
			break;
		}
		if (!line.executable || line.mapping.begin >> 63) /* [vsyscall] is the kernel's */
			continue;
		r = mappings_add(m, &line);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	/* The file is of the memory that the process had when it was opened, and ends where that is
	 * let go: then nothing is left at its beginning, too. */
	return pread(fd, &byte, 1, 0) == 1 ? 0 : -ESRCH;
}
