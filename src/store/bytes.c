/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The writer doubles its buffer; the reader never goes past its end, whatever the bytes say.
 */
#include "store/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VARINT_MAX 10 /* bytes of a 64-bit number */

void byte_writer_done(struct byte_writer *w)
{
	free(w->data);
	*w = (struct byte_writer){};
}

int byte_writer_end(struct byte_writer *w, size_t max, void **ret_data, size_t *ret_size)
{
	int r = w->failed ? -ENOMEM : -EFBIG;
	void *data;

	if (w->failed || w->n > max) {
		byte_writer_done(w);
		return r;
	}
	data = realloc(w->data, w->n); /* it may wait in memory for a while */
	*ret_data = data ? data : w->data;
	*ret_size = w->n;
	*w = (struct byte_writer){};
	return 0;
}

/* Makes room for n more bytes. */
static bool reserve(struct byte_writer *w, size_t n)
{
	size_t size = w->size ? w->size : 1024;
	unsigned char *data;

	if (w->failed)
		return false;
	if (w->size - w->n >= n)
		return true;
	while (size - w->n < n)
		size *= 2;
	data = realloc(w->data, size);
	if (!data) {
		w->failed = true;
		return false;
	}
	w->data = data;
	w->size = size;
	return true;
}

void write_byte(struct byte_writer *w, uint8_t byte)
{
	if (reserve(w, 1))
		w->data[w->n++] = byte;
}

void write_number(struct byte_writer *w, uint64_t n)
{
	if (!reserve(w, VARINT_MAX))
		return;
	for (; n >= 0x80; n >>= 7)
		w->data[w->n++] = (uint8_t)(n | 0x80);
	w->data[w->n++] = (uint8_t)n;
}

void write_signed(struct byte_writer *w, int64_t n)
{
	write_number(w, (uint64_t)n << 1 ^ (n < 0 ? UINT64_MAX : 0));
}

void write_bytes(struct byte_writer *w, const void *bytes, size_t n)
{
	if (n > 0 && reserve(w, n)) {
		memcpy(w->data + w->n, bytes, n);
		w->n += n;
	}
}

void write_string(struct byte_writer *w, const char *s)
{
	size_t n = strlen(s);

	write_number(w, n);
	write_bytes(w, s, n + 1);
}

uint8_t read_byte(struct byte_reader *r)
{
	return r->p < r->end ? *r->p++ : (uint8_t)byte_reader_fail(r);
}

uint64_t read_number(struct byte_reader *r)
{
	uint64_t n = 0;

	for (unsigned shift = 0; shift < 64 && r->p < r->end; shift += 7) {
		uint8_t byte = *r->p++;

		n |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return n;
	}
	return byte_reader_fail(r);
}

uint64_t read_number_max(struct byte_reader *r, uint64_t max)
{
	uint64_t n = read_number(r);

	return n <= max ? n : byte_reader_fail(r);
}

int64_t read_signed(struct byte_reader *r)
{
	uint64_t n = read_number(r);

	return (int64_t)(n >> 1 ^ (n & 1 ? UINT64_MAX : 0));
}

const void *read_bytes(struct byte_reader *r, size_t n)
{
	const void *bytes = r->p;

	if (bytes_left(r) < n) {
		byte_reader_fail(r);
		return NULL;
	}
	r->p += n;
	return bytes;
}

const char *read_string(struct byte_reader *r, size_t max)
{
	size_t n = read_number_max(r, max);
	const char *s = read_bytes(r, n + 1);

	/* strlen() of what follows must be n: no NUL before, one after. */
	if (s && memchr(s, '\0', n + 1) == s + n)
		return s;
	byte_reader_fail(r);
	return "";
}
