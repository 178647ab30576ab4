/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing and reading a segment's bytes. Numbers are LEB128 varints (DWARF 5, section 7.6): most
 * counts of a step are small. Both sides latch the first error, so that callers check once at the
 * end; a reader that failed yields zeros and empty strings.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct byte_writer {
	unsigned char *data; /* the writer's; byte_writer_done() or _end() */
	size_t n, size;
	bool failed; /* no memory */
};

void byte_writer_done(struct byte_writer *w);
/* Hands the bytes on, to be free()d. -ENOMEM; -EFBIG: more than max. The writer is done either way. */
int byte_writer_end(struct byte_writer *w, size_t max, void **ret_data, size_t *ret_size);
void write_byte(struct byte_writer *w, uint8_t byte);
void write_number(struct byte_writer *w, uint64_t n);
void write_signed(struct byte_writer *w, int64_t n); /* zigzag: small either way is short */
void write_bytes(struct byte_writer *w, const void *bytes, size_t n);
/* Length, bytes and the final NUL, so that a reader can point into the segment. */
void write_string(struct byte_writer *w, const char *s);

struct byte_reader {
	const unsigned char *p, *end;
	bool failed; /* the bytes are not what we would have written */
};

static inline size_t bytes_left(const struct byte_reader *r)
{
	return (size_t)(r->end - r->p);
}

uint8_t read_byte(struct byte_reader *r);
uint64_t read_number(struct byte_reader *r);
/* A number of at most max. */
uint64_t read_number_max(struct byte_reader *r, uint64_t max);
int64_t read_signed(struct byte_reader *r);
/* n bytes of the segment, or NULL. */
const void *read_bytes(struct byte_reader *r, size_t n);
/* A string of at most max bytes, inside the segment; never NULL. */
const char *read_string(struct byte_reader *r, size_t max);

/* For what callers find wrong. */
static inline uint64_t byte_reader_fail(struct byte_reader *r)
{
	r->failed = true;
	r->p = r->end;
	return 0;
}

/* A number that is an index of an array of n. Of none there is no index: 0, and failed. */
static inline size_t read_index(struct byte_reader *r, size_t n)
{
	uint64_t i = read_number(r);

	return i < n ? i : byte_reader_fail(r);
}

/* A byte below n. */
static inline uint8_t read_choice(struct byte_reader *r, unsigned n)
{
	uint8_t byte = read_byte(r);

	return byte < n ? byte : (uint8_t)byte_reader_fail(r);
}
