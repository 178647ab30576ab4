/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A few kilobytes can claim to be gigabytes: the output grows as it comes, never beyond the caller's
 * maximum, and the decoder's own memory (the dictionary size that a file asks for) has one, too.
 */
#include "base/compress.h"

#include <errno.h>
#include <lzma.h>
#include <stdlib.h>

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
