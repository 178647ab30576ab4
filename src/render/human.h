/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers for people: three digits and a unit. For what reads back exactly see base/text.h. */
#pragma once

#include <stdint.h>

#define HUMAN_LEN 32

/* "0 B", "999 B", "1.5 KiB", "30 MiB" */
const char *human_bytes(uint64_t bytes, char buf[static HUMAN_LEN]);
/* "165 kb/s": bits a second, powers of 1000 as network people count. */
const char *human_rate(double bytes_per_second, char buf[static HUMAN_LEN]);
/* "0.85 ms", "12 ms", "1.5 s" */
const char *human_latency(uint64_t us, char buf[static HUMAN_LEN]);
/* "45 s", "12 min", "3 h 20 min", "5 d 4 h" */
const char *human_span(uint64_t seconds, char buf[static HUMAN_LEN]);
/* "1234", "56 k", "7.8 M" */
const char *human_number(uint64_t n, char buf[static HUMAN_LEN]);
