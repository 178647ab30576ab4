/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A media range counts for a format if its type matches and it asks for no other version of it:
 * Prometheus sends "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4".
 */
#include "export/accept.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"

struct media_range {
	char type[64];
	char version[16]; /* "" if none is asked for */
	double q;
};

/* Copies what stands between blanks; what is too long for buf matches nothing and becomes "?". */
static void copy_trimmed(const char *s, size_t n, char *buf, size_t size)
{
	while (n > 0 && (*s == ' ' || *s == '\t')) {
		s++;
		n--;
	}
	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	if (n >= size) {
		s = "?";
		n = 1;
	}
	memcpy(buf, s, n);
	buf[n] = '\0';
}

static void read_parameter(const char *s, size_t n, struct media_range *range)
{
	char q[16];

	while (n > 0 && (*s == ' ' || *s == '\t')) {
		s++;
		n--;
	}
	if (n > 2 && strncasecmp(s, "q=", 2) == 0) {
		copy_trimmed(s + 2, n - 2, q, sizeof(q));
		range->q = strtod(q, NULL);
	} else if (n > 8 && strncasecmp(s, "version=", 8) == 0) {
		copy_trimmed(s + 8, n - 8, range->version, sizeof(range->version));
	}
}

/* Reads one media range from *s on and moves *s behind its comma. */
static void read_range(const char **s, struct media_range *ret)
{
	size_t n = strcspn(*s, ",;");

	*ret = (struct media_range){ .q = 1 };
	copy_trimmed(*s, n, ret->type, sizeof(ret->type));
	*s += n;
	while (**s == ';') {
		n = strcspn(++*s, ",;");
		read_parameter(*s, n, ret);
		*s += n;
	}
	if (**s == ',')
		++*s;
}

static bool range_has(const struct media_range *range, const char *type, const char *version)
{
	return strcasecmp(range->type, type) == 0 &&
	       (range->version[0] == '\0' || streq(range->version, version));
}

enum prometheus_format accept_format(const char *accept)
{
	double openmetrics = 0, text = 0;
	struct media_range range;

	while (*accept) {
		read_range(&accept, &range);
		if (range_has(&range, "application/openmetrics-text", "1.0.0"))
			openmetrics = MAX(openmetrics, range.q);
		else if (range_has(&range, "text/plain", "0.0.4"))
			text = MAX(text, range.q);
	}
	return openmetrics > 0 && openmetrics >= text ? PROMETHEUS_OPENMETRICS : PROMETHEUS_TEXT;
}
