/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names are numbered while the addresses are looked up: frames share files, and most functions. */
#include "binary/line-answer.h"

#include <stdbool.h>
#include <string.h>

#include "base/pool.h"
#include "base/util.h"
#include "binary/array.h"

#define FRAME_WORDS 3

struct frame {
	uint32_t function, file, line;
};
_Static_assert(sizeof(struct frame) == FRAME_WORDS * sizeof(uint32_t), "no padding");

struct building {
	struct string_pool *names;
	struct array frames; /* struct frame, with numbers of names yet */
	uint32_t ends[LINE_ANSWER_ADDRESSES_MAX];
};

static void building_done(struct building *b)
{
	string_pool_free(b->names);
	array_done(&b->frames);
}

static int add_frame(struct building *b, const struct line_frame *from)
{
	struct frame *to = array_add(&b->frames, sizeof(*to));
	int r;

	if (!to)
		return -ENOMEM;
	to->line = from->line;
	r = string_pool_number(b->names, from->function ?: "", true, &to->function);
	return r ?: string_pool_number(b->names, from->file ?: "", true, &to->file);
}

static int add_address(struct building *b, struct lines *lines, uint64_t address)
{
	struct line_frame frames[LINES_FRAMES_MAX];
	int r = 0, n = lines_find(lines, address, frames);

	for (int i = 0; r == 0 && i < n; i++)
		r = add_frame(b, &frames[i]);
	return r;
}

/* Writes the names and their offsets, which are in the order of their numbers. */
static size_t place_names(const struct string_pool *names, uint32_t *offsets, char *text)
{
	size_t size = 0;

	for (uint32_t i = 0; i < string_pool_size(names); i++) {
		const char *name = string_pool_get(names, i);

		if (text)
			strcpy(text + size, name);
		offsets[i] = (uint32_t)size;
		size += strlen(name) + 1;
	}
	return size;
}

static int write_answer(const struct building *b, size_t n, void **ret, size_t *ret_size)
{
	_cleanup_free_ uint32_t *offsets = calloc(string_pool_size(b->names), sizeof(*offsets));
	size_t names_size = offsets ? place_names(b->names, offsets, NULL) : 0;
	size_t frames_size = b->frames.n * sizeof(struct frame);
	struct line_answer_header *header;
	struct frame *frames;

	*ret_size = sizeof(*header) + n * sizeof(b->ends[0]) + frames_size + names_size;
	header = offsets ? malloc(*ret_size) : NULL;
	if (!header)
		return -ENOMEM;
	*header = (struct line_answer_header){
		LINE_ANSWER_MAGIC,
		(uint32_t)n,
		b->frames.n,
		(uint32_t)names_size,
	};
	memcpy(header + 1, b->ends, n * sizeof(b->ends[0]));
	frames = (struct frame *)((uint32_t *)(header + 1) + n);
	if (b->frames.n > 0)
		memcpy(frames, b->frames.data, frames_size);
	for (size_t i = 0; i < b->frames.n; i++) {
		frames[i].function = offsets[frames[i].function];
		frames[i].file = offsets[frames[i].file];
	}
	place_names(b->names, offsets, (char *)(frames + b->frames.n));
	*ret = header;
	return 0;
}

int line_answer_build(struct lines *lines, const uint64_t *addresses, size_t n, void **ret,
		      size_t *ret_size)
{
	_cleanup_(building_done) struct building b = { 0 };
	uint32_t first;
	int r;

	if (n > LINE_ANSWER_ADDRESSES_MAX)
		return -E2BIG;
	r = string_pool_new(LINE_ANSWER_NAMES_MAX, &b.names);
	/* "" is number 0 and so at offset 0 */
	r = r ?: string_pool_number(b.names, "", true, &first);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = add_address(&b, lines, addresses[i]);
		b.ends[i] = b.frames.n;
	}
	return r ?: write_answer(&b, n, ret, ret_size);
}

static bool size_holds(const struct line_answer_header *h, size_t size)
{
	return size >= sizeof(*h) && h->magic == LINE_ANSWER_MAGIC &&
	       h->n <= LINE_ANSWER_ADDRESSES_MAX &&
	       h->n_frames <= LINE_ANSWER_ADDRESSES_MAX * LINES_FRAMES_MAX &&
	       size == sizeof(*h) + h->n * sizeof(uint32_t) + h->n_frames * sizeof(struct frame) +
			       h->names_size;
}

static bool contents_hold(const struct line_answer *answer)
{
	const struct line_answer_header *h = answer->header;
	uint32_t before = 0;

	for (size_t i = 0; i < h->n; before = answer->ends[i++])
		if (answer->ends[i] < before || answer->ends[i] - before > LINES_FRAMES_MAX ||
		    answer->ends[i] > h->n_frames)
			return false;
	if (h->names_size == 0 || answer->names[0] || answer->names[h->names_size - 1])
		return false;
	for (size_t i = 0; i < h->n_frames; i++)
		if (answer->frames[FRAME_WORDS * i] >= h->names_size ||
		    answer->frames[FRAME_WORDS * i + 1] >= h->names_size)
			return false;
	return true;
}

int line_answer_open(const void *data, size_t size, struct line_answer *ret)
{
	struct line_answer answer = { .header = data };

	if ((uintptr_t)data % sizeof(uint32_t) || !size_holds(data, size))
		return -EBADMSG;
	answer.ends = (const uint32_t *)(answer.header + 1);
	answer.frames = answer.ends + answer.header->n;
	answer.names = (const char *)(answer.frames + FRAME_WORDS * answer.header->n_frames);
	if (!contents_hold(&answer))
		return -EBADMSG;
	*ret = answer;
	return 0;
}

size_t line_answer_get(const struct line_answer *answer, size_t i,
		       struct line_frame frames[LINES_FRAMES_MAX])
{
	uint32_t first = i > 0 ? answer->ends[i - 1] : 0;

	for (uint32_t f = first; f < answer->ends[i]; f++) {
		const uint32_t *frame = answer->frames + FRAME_WORDS * (size_t)f;

		frames[f - first] = (struct line_frame){
			.function = frame[0] ? answer->names + frame[0] : NULL,
			.file = frame[1] ? answer->names + frame[1] : NULL,
			.line = frame[2],
		};
	}
	return answer->ends[i] - first;
}
