/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compressed bytes of strangers, the check sum that goes with them, and compressed bytes of ours. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cleanup.h"

#define XZ_MEMORY_MAX \
	(UINT64_C(96) << 20) /* bytes of the decoder; what "xz -9" wrote needs 65 MiB */

/*
 * The contents of the .xz file of size bytes at data, in memory that the caller frees. -EBADMSG: it is
 * none, or damaged; -E2BIG: more than max bytes, or it wants more than XZ_MEMORY_MAX to be read.
 */
int xz_decompress(const void *data, size_t size, size_t max, uint8_t **ret, size_t *ret_size);

/* CRC-32 of IEEE 802.3, as zlib and .gnu_debuglink have it; crc is 0 or that of what came before. */
uint32_t crc32_add(uint32_t crc, const void *data, size_t size);

/* Writes a gzip file (RFC 1952) piece by piece. */
struct gzip;

int gzip_new(FILE *out, struct gzip **ret); /* out is borrowed */
struct gzip *
gzip_free(struct gzip *gzip); /* takes NULL, returns NULL; what is not finished is cut off */
/* Both: 0, or -EIO if out refused. Nothing may be written behind gzip_finish(). */
int gzip_write(struct gzip *gzip, const void *data, size_t size);
int gzip_finish(struct gzip *gzip);

DEFINE_CLEANUP(struct gzip *, gzip_free)
