/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers with units, exactly: what is printed reads back as the same number. The decimal point is
 * always a dot, because the program never calls setlocale().
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

/* From large to small, so that the first that divides a number is the shortest way to print it. */
struct unit {
	const char *name;
	uint64_t factor;
	bool printed;
};

static const struct unit byte_units[] = {
	{ "T", UINT64_C(1) << 40, true },
	{ "Ti", UINT64_C(1) << 40, false },
	{ "G", UINT64_C(1) << 30, true },
	{ "Gi", UINT64_C(1) << 30, false },
	{ "M", UINT64_C(1) << 20, true },
	{ "Mi", UINT64_C(1) << 20, false },
	{ "K", UINT64_C(1) << 10, true },
	{ "Ki", UINT64_C(1) << 10, false },
	{ "", 1, true },
};

/* A day is read but not printed: "24h" is what people write. */
static const struct unit time_units[] = {
	{ "d", 24 * 3600 * NSEC_PER_SEC, false },
	{ "h", 3600 * NSEC_PER_SEC, true },
	{ "m", 60 * NSEC_PER_SEC, true },
	{ "s", NSEC_PER_SEC, true },
	{ "ms", NSEC_PER_MSEC, true },
	{ "us", NSEC_PER_USEC, true },
	{ "ns", 1, true },
};

static const struct unit *find_unit(const struct unit *units, size_t n, const char *name,
				    size_t length)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(units[i].name) == length && memcmp(units[i].name, name, length) == 0)
			return &units[i];
	return NULL;
}

/* Digits at *text, which moves behind them. */
static int take_digits(const char **text, uint64_t *ret)
{
	const char *s = *text;
	uint64_t n = 0;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	for (; isdigit((unsigned char)*s); s++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*s - '0'), &n))
			return -ERANGE;
	*text = s;
	*ret = n;
	return 0;
}

/* Digits and the unit behind them at *text, which moves behind both. */
static int take_amount(const char **text, const struct unit *units, size_t n_units, uint64_t *ret)
{
	const struct unit *unit;
	uint64_t n;
	size_t length;
	int r = take_digits(text, &n);

	if (r < 0)
		return r;
	length = strcspn(*text, "0123456789");
	unit = find_unit(units, n_units, *text, length);
	if (!unit)
		return -EINVAL;
	*text += length;
	return __builtin_mul_overflow(n, unit->factor, ret) ? -ERANGE : 0;
}

static const char *format_amount(uint64_t n, const struct unit *units, size_t n_units,
				 char buf[static TEXT_NUMBER_LEN])
{
	const struct unit *unit = units;

	while (unit < units + n_units - 1 && (!unit->printed || n % unit->factor != 0))
		unit++;
	snprintf(buf, TEXT_NUMBER_LEN, "%" PRIu64 "%s", n / unit->factor, unit->name);
	return buf;
}

int text_parse_u64(const char *text, uint64_t *ret)
{
	uint64_t n;
	int r = take_digits(&text, &n);

	if (r < 0)
		return r;
	if (*text != '\0')
		return -EINVAL;
	*ret = n;
	return 0;
}

int text_parse_bytes(const char *text, uint64_t *ret)
{
	uint64_t n;
	int r = take_amount(&text, byte_units, ARRAY_SIZE(byte_units), &n);

	if (r < 0)
		return r;
	if (*text != '\0')
		return -EINVAL;
	*ret = n;
	return 0;
}

const char *text_format_bytes(uint64_t bytes, char buf[static TEXT_NUMBER_LEN])
{
	return bytes == 0 ? strcpy(buf, "0")
			  : format_amount(bytes, byte_units, ARRAY_SIZE(byte_units), buf);
}

int text_parse_duration(const char *text, uint64_t *ret)
{
	uint64_t sum = 0, part;
	int r;

	if (streq(text, "0")) {
		*ret = 0;
		return 0;
	}
	do {
		r = take_amount(&text, time_units, ARRAY_SIZE(time_units), &part);
		if (r < 0)
			return r;
		if (__builtin_add_overflow(sum, part, &sum))
			return -ERANGE;
	} while (*text != '\0');
	*ret = sum;
	return 0;
}

const char *text_format_duration(uint64_t ns, char buf[static TEXT_NUMBER_LEN])
{
	return ns == 0 ? strcpy(buf, "0")
		       : format_amount(ns, time_units, ARRAY_SIZE(time_units), buf);
}

int text_parse_ratio(const char *text, double *ret)
{
	double ratio;
	char *end;

	/* strtod() would also take blanks, signs, "inf", "nan" and hexadecimal. */
	if (text[strspn(text, "0123456789.%")] != '\0')
		return -EINVAL;
	ratio = strtod(text, &end);
	if (end == text)
		return -EINVAL;
	if (*end == '%') {
		ratio /= 100;
		end++;
	}
	if (*end != '\0')
		return -EINVAL;
	if (ratio > 1)
		return -ERANGE;
	*ret = ratio;
	return 0;
}
