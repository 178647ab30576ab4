/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A few kilobytes can claim to be gigabytes: the output grows as it comes, never beyond the caller's
 * maximum, and the decoder's own memory (the dictionary size that a file asks for) has one, too.
 */
#include "base/compress.h"

#include <errno.h>
#include <limits.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/util.h"

#define GROWTH_MIN ((size_t)64 << 10)

/* Gives the decoder more room for output, one byte more than max at the most. */
static int grow_output(lzma_stream *stream, uint8_t **out, size_t max)
{
	size_t had = (size_t)stream->total_out;
	size_t wanted = MAX(GROWTH_MIN, 2 * had), size = MIN(wanted, max + 1);
	uint8_t *grown;

	if (had > max)
		return -E2BIG;
	grown = realloc(*out, size);
	if (!grown)
		return -ENOMEM;
	*out = grown;
	stream->next_out = grown + had;
	stream->avail_out = size - had;
	return 0;
}

static int error_of(lzma_ret code)
{
	switch (code) {
	case LZMA_MEM_ERROR:
		return -ENOMEM;
	case LZMA_MEMLIMIT_ERROR:
		return -E2BIG;
	default:
		return -EBADMSG;
	}
}

static int decode(lzma_stream *stream, size_t max, uint8_t **out)
{
	lzma_ret code = LZMA_OK;
	int r;

	while (code == LZMA_OK) {
		if (stream->avail_out == 0) {
			r = grow_output(stream, out, max);
			if (r < 0)
				return r;
		}
		code = lzma_code(stream, LZMA_FINISH);
	}
	if (code != LZMA_STREAM_END)
		return error_of(code);
	return stream->total_out > max ? -E2BIG : 0;
}

int xz_decompress(const void *data, size_t size, size_t max, uint8_t **ret, size_t *ret_size)
{
	_cleanup_free_ uint8_t *out = NULL;
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_ret code = lzma_stream_decoder(&stream, XZ_MEMORY_MAX, 0);
	int r;

	if (code != LZMA_OK)
		return error_of(code);
	stream.next_in = data;
	stream.avail_in = size;
	r = decode(&stream, max, &out);
	lzma_end(&stream);
	if (r < 0)
		return r;
	*ret = TAKE(out);
	*ret_size = (size_t)stream.total_out;
	return 0;
}

uint32_t crc32_add(uint32_t crc, const void *data, size_t size)
{
	return lzma_crc32(data, size, crc);
}

#define GZIP_PIECE ((size_t)16 << 10)

struct gzip {
	z_stream stream;
	FILE *out;
	uint8_t buf[GZIP_PIECE];
};

int gzip_new(FILE *out, struct gzip **ret)
{
	/* 15 bits of window, the most, and 16 more for the header of gzip instead of zlib's own. */
	const int window = 15 + 16, memory = 8;
	struct gzip *gzip = calloc(1, sizeof(*gzip));

	if (!gzip)
		return -ENOMEM;
	if (deflateInit2(&gzip->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window, memory,
			 Z_DEFAULT_STRATEGY) != Z_OK) {
		free(gzip);
		return -ENOMEM;
	}
	gzip->out = out;
	*ret = gzip;
	return 0;
}

struct gzip *gzip_free(struct gzip *gzip)
{
	if (gzip) {
		deflateEnd(&gzip->stream);
		free(gzip);
	}
	return NULL;
}

/* Runs the compressor until it has room left in its output: then it has taken all that was given. */
static int run(struct gzip *gzip, int flush)
{
	size_t n;

	do {
		gzip->stream.next_out = gzip->buf;
		gzip->stream.avail_out = sizeof(gzip->buf);
		deflate(&gzip->stream, flush);
		n = sizeof(gzip->buf) - gzip->stream.avail_out;
		if (fwrite(gzip->buf, 1, n, gzip->out) != n)
			return -EIO;
	} while (gzip->stream.avail_out == 0);
	return 0;
}

int gzip_write(struct gzip *gzip, const void *data, size_t size)
{
	int r = 0;

	for (size_t piece; r == 0 && size > 0; size -= piece) {
		piece = MIN(size, (size_t)UINT_MAX);
		gzip->stream.next_in = (uint8_t *)data;
		gzip->stream.avail_in = (uInt)piece;
		r = run(gzip, Z_NO_FLUSH);
		data = (const uint8_t *)data + piece;
	}
	return r;
}

int gzip_finish(struct gzip *gzip)
{
	return run(gzip, Z_FINISH);
}
