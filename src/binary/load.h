/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Little-endian numbers at any address, where it was checked before that they are there. */
#pragma once

#include <stdint.h>
#include <string.h>

static inline uint32_t load_u32(const uint8_t *p)
{
	uint32_t n;

	memcpy(&n, p, sizeof(n));
	return n;
}

static inline uint64_t load_u64(const uint8_t *p)
{
	uint64_t n;

	memcpy(&n, p, sizeof(n));
	return n;
}
