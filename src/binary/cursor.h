/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading little-endian numbers and LEB128 (DWARF 5 section 7.6) out of a stranger's bytes. The first
 * read that leaves them latches `failed` and the cursor stays at its end, so that callers check where
 * it matters; a failed read yields 0.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
	const uint8_t *p, *end;
	bool failed;
};

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}

/* The next n bytes, or NULL. */
static inline const uint8_t *cursor_skip(struct cursor *c, uint64_t n)
{
	const uint8_t *at = c->p;

	if (n > cursor_left(c)) {
		c->failed = true;
		c->p = c->end;
		return NULL;
	}
	c->p += n;
	return at;
}

/* A cursor over the next n bytes, which this one has behind it then. */
static inline struct cursor cursor_sub(struct cursor *c, uint64_t n)
{
	const uint8_t *at = cursor_skip(c, n);

	if (!at)
		return (struct cursor){ c->end, c->end, true };
	return (struct cursor){ at, c->p, false };
}

#define DEFINE_CURSOR_READ(type, name)                            \
	static inline type name(struct cursor *c)                 \
	{                                                         \
		const uint8_t *at = cursor_skip(c, sizeof(type)); \
		type value = 0;                                   \
                                                                  \
		if (at)                                           \
			memcpy(&value, at, sizeof(value));        \
		return value;                                     \
	}

DEFINE_CURSOR_READ(uint8_t, cursor_u8)
DEFINE_CURSOR_READ(uint16_t, cursor_u16)
DEFINE_CURSOR_READ(uint32_t, cursor_u32)
DEFINE_CURSOR_READ(uint64_t, cursor_u64)

/* A number of more than 64 bits fails; zeros that only pad it do not. */
static inline uint64_t cursor_uleb(struct cursor *c)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		uint64_t bits;

		byte = cursor_u8(c);
		bits = byte & 0x7f;
		if (shift >= 64 ? bits != 0 : bits << shift >> shift != bits) {
			c->failed = true;
			return 0;
		}
		if (shift < 64)
			value |= bits << shift;
		shift += shift < 64 ? 7 : 0;
	} while (byte & 0x80);
	return value;
}

/* Bits beyond 64 are left out. */
static inline int64_t cursor_sleb(struct cursor *c)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = cursor_u8(c);
		if (shift < 64) {
			value |= (uint64_t)(byte & 0x7f) << shift;
			shift += 7;
		}
	} while (byte & 0x80);
	if (shift < 64 && byte & 0x40)
		value |= UINT64_MAX << shift;
	return (int64_t)value;
}
