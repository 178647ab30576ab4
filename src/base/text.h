/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Text from strangers (process names, labels, paths, file contents) is bytes until it went through
 * text_escape() for the place where it will stand. Further the spellings of sizes, durations and
 * ratios that the configuration uses, and the nearest word for a misspelt one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The length (1 to 4) of the UTF-8 character that s begins with and its code point; 0 if the bytes
 * there are not UTF-8 (RFC 3629: no overlong forms, no surrogates). s ends with NUL. */
size_t text_utf8_char(const char *s, uint32_t *ret);

enum text_place {
	TEXT_PLAIN, /* valid UTF-8, nothing else changed */
	TEXT_TERMINAL, /* no control characters, no bidirectional overrides: \n, \x1b, \u202e */
	TEXT_CSV, /* RFC 4180: in quotes where it must be */
	TEXT_LABEL, /* between the quotes of a Prometheus label value */
	TEXT_JSON, /* between the quotes of a JSON string (RFC 8259) */
};

/* Room that is always enough for a text of n bytes, NUL included. */
#define TEXT_ESCAPED_MAX(n) (6 * (n) + 3)

/*
 * Writes s, made fit for place, and NUL into buf. What does not fit is cut off between characters
 * (a CSV field keeps its closing quote). Bytes that are not UTF-8 become \xHH on a terminal, U+FFFD
 * elsewhere. Returns the length. size is at least 3.
 */
size_t text_escape(enum text_place place, const char *s, char *buf, size_t size);
/* The same in memory that the caller frees; NULL without memory. */
char *text_escape_dup(enum text_place place, const char *s);

/* Room for a size, a duration or a ratio as text. */
#define TEXT_NUMBER_LEN 32

/* Digits only; -EINVAL for anything else, -ERANGE above UINT64_MAX. */
int text_parse_u64(const char *text, uint64_t *ret);

/* "4096", "64M", "1G", also as Kubernetes writes it, "64Mi": powers of 1024. */
int text_parse_bytes(const char *text, uint64_t *ret);
const char *text_format_bytes(uint64_t bytes, char buf[static TEXT_NUMBER_LEN]);

/* Nanoseconds from "100ms", "5s", "10m", "24h", "7d", "1h30m", "0"; a number needs its unit. */
int text_parse_duration(const char *text, uint64_t *ret);
const char *text_format_duration(uint64_t ns, char buf[static TEXT_NUMBER_LEN]);

/* "0.25" or "25%"; -ERANGE outside 0 to 1. */
int text_parse_ratio(const char *text, double *ret);

/* The one of the n words that word was most probably meant to be; NULL if none is near. */
const char *text_nearest(const char *word, const char *const *words, size_t n);
