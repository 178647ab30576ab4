/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The forms are tried one after the other; each takes all of the text or nothing. */
#include "base/timestamp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "base/util.h"

const char *timestamp_format(uint64_t ns, char buf[static TIMESTAMP_LEN])
{
	time_t seconds = (time_t)(ns / NSEC_PER_SEC);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(buf, TIMESTAMP_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, TIMESTAMP_LEN - n, ".%09" PRIu64 "Z", ns % NSEC_PER_SEC);
	return buf;
}

/* Exactly digits of them at *text, which moves behind. */
static bool take_number(const char **text, unsigned digits, int *ret)
{
	int n = 0;

	for (unsigned i = 0; i < digits; i++) {
		char c = (*text)[i];

		if (c < '0' || c > '9')
			return false;
		n = 10 * n + (c - '0');
	}
	*text += digits;
	*ret = n;
	return true;
}

static bool take_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

/* ".5" as nanoseconds, cut after nine digits; nothing is 0. */
static bool take_fraction(const char **text, uint64_t *ret)
{
	uint64_t scale = NSEC_PER_SEC / 10, ns = 0;

	if (!take_char(text, '.')) {
		*ret = 0;
		return true;
	}
	if (**text < '0' || **text > '9')
		return false;
	for (; **text >= '0' && **text <= '9'; (*text)++, scale /= 10)
		ns += scale * (uint64_t)(**text - '0');
	*ret = ns;
	return true;
}

/* "10m ago" or "-10m" */
static int parse_relative(const char *text, uint64_t now, uint64_t *ret)
{
	const char *end = strstr(text, " ago");
	uint64_t before;
	char buf[64];
	size_t n;
	int r;

	if (*text == '-' && !end)
		text++;
	else if (!end || !streq(end, " ago"))
		return -EINVAL;
	n = end ? (size_t)(end - text) : strlen(text);
	if (n >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, n);
	buf[n] = '\0';
	r = text_parse_duration(buf, &before);
	if (r < 0)
		return r;
	if (before > now)
		return -ERANGE;
	*ret = now - before;
	return 0;
}

/* "@1763634938.5" */
static int parse_epoch(const char *text, uint64_t *ret)
{
	uint64_t seconds = 0, fraction;

	if (!take_char(&text, '@') || *text < '0' || *text > '9')
		return -EINVAL;
	for (; *text >= '0' && *text <= '9'; text++) {
		seconds = 10 * seconds + (uint64_t)(*text - '0');
		if (seconds >= UINT64_MAX / NSEC_PER_SEC)
			return -ERANGE;
	}
	if (!take_fraction(&text, &fraction) || *text != '\0')
		return -EINVAL;
	*ret = seconds * NSEC_PER_SEC + fraction;
	return 0;
}

static bool take_date(const char **text, struct tm *tm)
{
	if (!take_number(text, 4, &tm->tm_year) || !take_char(text, '-') ||
	    !take_number(text, 2, &tm->tm_mon) || !take_char(text, '-') ||
	    !take_number(text, 2, &tm->tm_mday))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon--;
	return tm->tm_mon >= 0 && tm->tm_mon < 12 && tm->tm_mday >= 1 && tm->tm_mday <= 31;
}

/* "10:35", "10:35:38", "10:35:38.5" */
static bool take_time(const char **text, struct tm *tm, uint64_t *ret_fraction)
{
	*ret_fraction = 0;
	tm->tm_sec = 0;
	if (!take_number(text, 2, &tm->tm_hour) || !take_char(text, ':') ||
	    !take_number(text, 2, &tm->tm_min))
		return false;
	if (take_char(text, ':') &&
	    (!take_number(text, 2, &tm->tm_sec) || !take_fraction(text, ret_fraction)))
		return false;
	return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60;
}

/* "Z", "+01:00", "+0100"; *ret_local if there is none. */
static bool take_zone(const char **text, int *ret_offset_s, bool *ret_local)
{
	int hours, minutes, sign = **text == '-' ? -1 : 1;

	*ret_offset_s = 0;
	*ret_local = **text == '\0';
	if (*ret_local || take_char(text, 'Z'))
		return true;
	if (!take_char(text, '+') && !take_char(text, '-'))
		return false;
	if (!take_number(text, 2, &hours) ||
	    (take_char(text, ':'), !take_number(text, 2, &minutes)))
		return false;
	*ret_offset_s = sign * (hours * 3600 + minutes * 60);
	return hours < 24 && minutes < 60;
}

/* A date, a date and a time, or a time. *ret_dated says which. */
static bool take_day(const char **text, struct tm *tm, uint64_t *ret_fraction, bool *ret_dated)
{
	*ret_fraction = 0;
	*ret_dated = strlen(*text) > 4 && (*text)[4] == '-';
	if (!*ret_dated)
		return take_time(text, tm, ret_fraction);
	if (!take_date(text, tm))
		return false;
	if (take_char(text, 'T') || take_char(text, ' '))
		return take_time(text, tm, ret_fraction);
	return true;
}

static int parse_calendar(const char *text, uint64_t now, uint64_t *ret)
{
	time_t seconds = (time_t)(now / NSEC_PER_SEC);
	bool dated, local;
	int offset_s, day;
	uint64_t fraction;
	struct tm tm;

	localtime_r(&seconds, &tm); /* the date of a time alone */
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	if (!take_day(&text, &tm, &fraction, &dated) || !take_zone(&text, &offset_s, &local) ||
	    *text != '\0' || (!dated && !local))
		return -EINVAL;
	day = tm.tm_mday;
	seconds = (local ? mktime(&tm) : timegm(&tm)) - offset_s;
	if (tm.tm_mday != day)
		return -EINVAL; /* 30 February */
	if (seconds < 0 || (uint64_t)seconds >= UINT64_MAX / NSEC_PER_SEC)
		return -ERANGE;
	*ret = (uint64_t)seconds * NSEC_PER_SEC + fraction;
	return 0;
}

int timestamp_parse(const char *text, uint64_t now_ns, uint64_t *ret)
{
	size_t n = strlen(text);

	if (streq(text, "now")) {
		*ret = now_ns;
		return 0;
	}
	if (text[0] == '@')
		return parse_epoch(text, ret);
	if (text[0] == '-' || (n > 4 && streq(text + n - 4, " ago")))
		return parse_relative(text, now_ns, ret);
	return parse_calendar(text, now_ns, ret);
}
