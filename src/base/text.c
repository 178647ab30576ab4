/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Escaping is one loop over characters; a place differs only in what it writes for one character.
 */
#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* One escaped character: "\u202e" is the longest. */
#define PIECE_MAX 8

size_t text_utf8_char(const char *s, uint32_t *ret)
{
	/* What the first byte must look like, and the smallest code point of that length. */
	static const struct {
		uint8_t mask, bits;
		uint32_t least;
	} forms[] = { { 0x80, 0x00, 0 },
		      { 0xe0, 0xc0, 0x80 },
		      { 0xf0, 0xe0, 0x800 },
		      { 0xf8, 0xf0, 0x10000 } };
	const uint8_t *p = (const uint8_t *)s;
	uint32_t c;

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if ((p[0] & forms[i].mask) != forms[i].bits)
			continue;
		c = p[0] & (uint8_t)~forms[i].mask;
		for (size_t k = 1; k <= i; k++) {
			if ((p[k] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (p[k] & 0x3f);
		}
		if (c < forms[i].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return 0;
		*ret = c;
		return i + 1;
	}
	return 0;
}

/* Characters that move the cursor, colour the screen or turn the reading direction around, so that
 * what is shown is not what is there (Unicode TR 36 section 3.2). */
static bool is_harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f || c == 0x061c;
}

static size_t escape_terminal(uint32_t c, char out[static PIECE_MAX])
{
	if (c == '\n' || c == '\t' || c == '\r')
		return (size_t)sprintf(out, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
	if (!is_harmful(c))
		return 0;
	return (size_t)sprintf(out, c < 0x100 ? "\\x%02x" : "\\u%04x", c);
}

static size_t escape_label(uint32_t c, char out[static PIECE_MAX])
{
	if (c != '\\' && c != '"' && c != '\n')
		return 0;
	return (size_t)sprintf(out, "\\%c", c == '\n' ? 'n' : (char)c);
}

static size_t escape_json(uint32_t c, char out[static PIECE_MAX])
{
	if (c == '\\' || c == '"')
		return (size_t)sprintf(out, "\\%c", (char)c);
	if (c < 0x20)
		return (size_t)sprintf(out, "\\u%04x", c);
	return 0;
}

/* What stands for the first character of s at place; returns how many bytes of s that was. */
static size_t escape_char(enum text_place place, const char *s, char out[static PIECE_MAX],
			  size_t *ret_length)
{
	uint32_t c = 0;
	size_t n = text_utf8_char(s, &c), length = 0;

	if (n == 0) {
		*ret_length = (size_t)sprintf(
			out, place == TEXT_TERMINAL ? "\\x%02x" : "\xef\xbf\xbd", (uint8_t)*s);
		return 1;
	}
	if (place == TEXT_TERMINAL)
		length = escape_terminal(c, out);
	else if (place == TEXT_LABEL)
		length = escape_label(c, out);
	else if (place == TEXT_JSON)
		length = escape_json(c, out);
	else if (place == TEXT_CSV && c == '"')
		length = (size_t)sprintf(out, "\"\"");
	if (length == 0) {
		memcpy(out, s, n);
		length = n;
	}
	*ret_length = length;
	return n;
}

size_t text_escape(enum text_place place, const char *s, char *buf, size_t size)
{
	bool quoted = place == TEXT_CSV && s[strcspn(s, ",\"\r\n")] != '\0';
	size_t room = size - 1 - quoted, used = 0, length;
	char piece[PIECE_MAX];

	if (quoted)
		buf[used++] = '"';
	while (*s) {
		s += escape_char(place, s, piece, &length);
		if (used + length > room)
			break;
		memcpy(buf + used, piece, length);
		used += length;
	}
	if (quoted)
		buf[used++] = '"';
	buf[used] = '\0';
	return used;
}

char *text_escape_dup(enum text_place place, const char *s)
{
	size_t size = TEXT_ESCAPED_MAX(strlen(s));
	char *buf = malloc(size), *fit;
	size_t n;

	if (!buf)
		return NULL;
	n = text_escape(place, s, buf, size);
	fit = realloc(buf, n + 1);
	return fit ? fit : buf;
}
