/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Points in time as people and scripts write them; CLOCK_REALTIME nanoseconds inside. */
#pragma once

#include <stdint.h>

#define TIMESTAMP_LEN 32

/* RFC 3339 in UTC: "2026-11-20T10:35:38.123456789Z". */
const char *timestamp_format(uint64_t ns, char buf[static TIMESTAMP_LEN]);

/*
 * "now"; "10m ago" or "-10m" (units as text_parse_duration(); before now_ns); "@1763634938.5"
 * (seconds since 1970); "2026-11-20T10:35:38.5Z", "2026-11-20 10:35+01:00", "2026-11-20" (local time
 * where no zone is given); "10:35", "10:35:38" (today). -EINVAL for anything else, -ERANGE for what
 * is before 1970 or after 2554.
 */
int timestamp_parse(const char *text, uint64_t now_ns, uint64_t *ret);
