/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lines at some addresses as one flat piece of memory, which a sandboxed child hands over:
 *
 *   struct line_answer_header
 *   u32  end[n]                           of the frames of each address: number of the next frame
 *   u32  function, file, line [n_frames]  offsets in names, where 0 is not known; a number
 *   char names[]                          each with a NUL; the first is ""
 */
#pragma once

#include "binary/lines.h"

#define LINE_ANSWER_ADDRESSES_MAX 512
#define LINE_ANSWER_NAMES_MAX 65536 /* different ones */
#define LINE_ANSWER_MAGIC 0x6e694c62 /* "bLin" */

struct line_answer_header {
	uint32_t magic;
	uint32_t n;
	uint32_t n_frames;
	uint32_t names_size;
};

/* Looks the addresses up; what is beyond a limit of lines.h has no frames. *ret is the caller's, to
 * free(). -E2BIG: more than LINE_ANSWER_ADDRESSES_MAX; -ENOSPC: LINE_ANSWER_NAMES_MAX; -ENOMEM. */
int line_answer_build(struct lines *lines, const uint64_t *addresses, size_t n, void **ret,
		      size_t *ret_size);

struct line_answer {
	const struct line_answer_header *header;
	const uint32_t *ends, *frames;
	const char *names;
};

/* A view of size bytes at data, checked whole; they begin at a multiple of 4. -EBADMSG. */
int line_answer_open(const void *data, size_t size, struct line_answer *ret);

/* The frames of address i; as lines_find(). Their strings are those of the data. */
size_t line_answer_get(const struct line_answer *answer, size_t i,
		       struct line_frame frames[LINES_FRAMES_MAX]);
