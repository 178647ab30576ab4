/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One scale of units per kind of number; the value is shown with one decimal below ten. */
#include "render/human.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

static const char *scale(double value, double base, const char *const *units, size_t n,
			 char buf[static HUMAN_LEN])
{
	size_t unit = 0;

	/* From here on it would be printed as the base itself. */
	while (unit < n - 1 && value >= base - 0.5) {
		value /= base;
		unit++;
	}
	snprintf(buf, HUMAN_LEN, "%.*f %s", unit > 0 && value < 9.95 ? 1 : 0, value, units[unit]);
	return buf;
}

const char *human_bytes(uint64_t bytes, char buf[static HUMAN_LEN])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

	return scale((double)bytes, 1024, units, 7, buf);
}

const char *human_rate(double bytes_per_second, char buf[static HUMAN_LEN])
{
	static const char *const units[] = { "b/s", "kb/s", "Mb/s", "Gb/s", "Tb/s" };

	return scale(8 * bytes_per_second, 1000, units, 5, buf);
}

const char *human_latency(uint64_t us, char buf[static HUMAN_LEN])
{
	if (us < 10000)
		snprintf(buf, HUMAN_LEN, "%.*f ms", us < 1000 ? 2 : 1, (double)us / 1e3);
	else if (us < 1000000)
		snprintf(buf, HUMAN_LEN, "%" PRIu64 " ms", us / 1000);
	else
		snprintf(buf, HUMAN_LEN, "%.1f s", (double)us / 1e6);
	return buf;
}

const char *human_span(uint64_t seconds, char buf[static HUMAN_LEN])
{
	uint64_t minutes = seconds / 60, hours = minutes / 60;

	if (seconds < 120)
		snprintf(buf, HUMAN_LEN, "%" PRIu64 " s", seconds);
	else if (minutes < 120)
		snprintf(buf, HUMAN_LEN, "%" PRIu64 " min", minutes);
	else if (hours < 48)
		snprintf(buf, HUMAN_LEN, "%" PRIu64 " h %" PRIu64 " min", hours, minutes % 60);
	else
		snprintf(buf, HUMAN_LEN, "%" PRIu64 " d %" PRIu64 " h", hours / 24, hours % 24);
	return buf;
}

const char *human_number(uint64_t n, char buf[static HUMAN_LEN])
{
	static const char *const units[] = { "k", "M", "G", "T", "P" };

	if (n < 10000)
		snprintf(buf, HUMAN_LEN, "%" PRIu64, n);
	else
		scale((double)n / 1000, 1000, units, 5, buf);
	return buf;
}
