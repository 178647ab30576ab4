/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sections of call frame information by hand: bytes, and the entries around them. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/util.h"

#define TEXT 0x1000 /* where the functions are, and 0x100000 bytes on */
#define TEXT_SIZE 0x100000
#define SECTION 0x800000 /* where the section is */

struct bytes {
	size_t n;
	uint8_t at[64 << 10];
};

static inline void put(struct bytes *b, const void *bytes, size_t n)
{
	assert_true(b->n + n <= sizeof(b->at));
	memcpy(b->at + b->n, bytes, n);
	b->n += n;
}

static inline void put_number(struct bytes *b, uint64_t n, size_t size)
{
	put(b, &n, size);
}

/* As an argument pair of bytes and their number. */
#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })
#define PUT(b, ...) put(b, BYTES(__VA_ARGS__))

/* The length of an entry that begins at `start` with 4 bytes for it, now that it is complete. */
static inline void close_entry(struct bytes *b, size_t start)
{
	uint32_t length = (uint32_t)(b->n - start - 4);

	memcpy(b->at + start, &length, 4);
}

/* A CIE of .eh_frame, "zR" and pcrel sdata4 as compilers write it, with these first instructions. */
static inline size_t put_cie(struct bytes *b, uint8_t code_align, uint8_t ra, const uint8_t *code,
			     size_t n)
{
	size_t start = b->n;

	put_number(b, 0, 8);
	PUT(b, 1, 'z', 'R', 0, code_align, 0x78, ra, 1, 0x1b);
	put(b, code, n);
	close_entry(b, start);
	return start;
}

/* CFA = rsp + 8, return address at CFA - 8. */
static inline size_t put_x86_64_cie(struct bytes *b)
{
	return put_cie(b, 1, 16, BYTES(0x0c, 7, 8, 0x90, 1));
}

/* CFA = sp. */
static inline size_t put_aarch64_cie(struct bytes *b)
{
	return put_cie(b, 4, 30, BYTES(0x0c, 31, 0));
}

/* An FDE of such a CIE, up to its instructions; close_entry() ends it. */
static inline size_t open_fde(struct bytes *b, size_t cie, uint64_t begin, uint32_t size)
{
	size_t start = b->n;

	put_number(b, 0, 4);
	put_number(b, b->n - cie, 4);
	put_number(b, begin - (SECTION + b->n), 4);
	put_number(b, size, 4);
	PUT(b, 0);
	return start;
}

static inline void put_fde(struct bytes *b, size_t cie, uint64_t begin, uint32_t size,
			   const uint8_t *code, size_t n)
{
	size_t start = open_fde(b, cie, begin, size);

	put(b, code, n);
	close_entry(b, start);
}
