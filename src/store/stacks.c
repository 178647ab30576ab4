/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Adding up. Memory is bounded by a meter before each sample: rows begin up to half of max_bytes,
 * because a hash table that grows doubles, "other" rows of processes up to three quarters.
 */
#include "store/stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* A code's identity; the rest is in the array of codes. */
struct code_key {
	uint8_t kind, id_size;
	uint8_t id[CODE_ID_MAX];
};
_Static_assert(sizeof(struct code_key) == 2 + CODE_ID_MAX, "code_key is compared as bytes");

/* Gives code a number. Its path finds no room: it has none. */
static int add_code(struct stacks *s, const struct code_key *key, const char *path, uint32_t *ret)
{
	size_t n = pool_size(s->code_keys), room = n + n / 2 + 16;
	struct code *codes;
	uint32_t string = 0;
	int r;

	if (n == s->codes_room) {
		codes = realloc(s->codes, room * sizeof(*codes));
		if (!codes)
			return -ENOMEM;
		s->codes = codes;
		s->codes_room = room;
	}
	r = pool_number(s->code_keys, key, true, ret);
	if (r < 0)
		return r;
	string_pool_number(s->who.strings, path, true, &string);
	s->codes[*ret] = (struct code){
		.kind = key->kind,
		.id_size = key->id_size,
		.path = string_pool_get(s->who.strings, string),
	};
	memcpy(s->codes[*ret].id, key->id, CODE_ID_MAX);
	return 0;
}

static int code_number(struct stacks *s, const struct code *code, bool add, uint32_t *ret)
{
	struct code_key key = { (uint8_t)code->kind, code->id_size, {} };
	int r;

	memcpy(key.id, code->id, MIN(code->id_size, (uint8_t)CODE_ID_MAX));
	r = pool_number(s->code_keys, &key, false, ret);
	return r < 0 && add ? add_code(s, &key, code->path, ret) : r;
}

/* The numbers 0: no code and no frame. */
static int add_zeros(struct stacks *s)
{
	static const struct code_key no_code = { .kind = CODE_KIND_MAX_ };
	static const struct stack_node no_frame;
	uint32_t zero;
	int r;

	r = add_code(s, &no_code, "", &zero);
	return r < 0 ? r : pool_number(s->nodes, &no_frame, true, &zero);
}

static int make_maps(struct stacks *s)
{
	int r;

	r = pool_new(sizeof(struct code_key), STACKS_CODES_MAX, &s->code_keys);
	if (r >= 0)
		r = pool_new(sizeof(struct stack_node), STACKS_NODES_MAX, &s->nodes);
	if (r >= 0)
		r = hashmap_new(sizeof(struct stacks_key), sizeof(struct stacks_sum), SIZE_MAX,
				&s->rows);
	if (r >= 0)
		r = hashmap_new(sizeof(struct stacks_loss_key), sizeof(uint64_t), SIZE_MAX,
				&s->losses);
	return r;
}

int stacks_new(size_t max_bytes, bool folded, struct stacks **ret)
{
	_cleanup_(stacks_free_p) struct stacks *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->max_bytes = max_bytes;
	s->folded = folded;
	r = actors_init(&s->who);
	if (r >= 0)
		r = make_maps(s);
	if (r >= 0)
		r = add_zeros(s);
	if (r < 0)
		return r;
	s->frames = calloc(SAMPLE_FRAMES_MAX, sizeof(*s->frames));
	if (!s->frames)
		return -ENOMEM;
	*ret = TAKE(s);
	return 0;
}

struct stacks *stacks_free(struct stacks *s)
{
	if (!s)
		return NULL;
	actors_done(&s->who);
	pool_free(s->code_keys);
	pool_free(s->nodes);
	hashmap_free(s->rows);
	hashmap_free(s->losses);
	free(s->codes);
	free(s->frames);
	free(s);
	return NULL;
}

size_t stacks_rows(const struct stacks *s)
{
	return hashmap_size(s->rows);
}

bool stacks_is_empty(const struct stacks *s)
{
	return hashmap_size(s->rows) == 0 && hashmap_size(s->losses) == 0;
}

/* Without what an empty one takes, too. */
size_t stacks_bytes(const struct stacks *s)
{
	return hashmap_bytes(s->rows) + pool_bytes(s->nodes) + actors_bytes(&s->who) +
	       pool_bytes(s->code_keys) + s->codes_room * sizeof(*s->codes) +
	       hashmap_bytes(s->losses);
}

void stacks_set_max_bytes(struct stacks *s, size_t max_bytes)
{
	s->max_bytes = max_bytes;
}

/* How many of the frames, the innermost ones, are below those whose node is known; and that node. */
static uint32_t frames_below(const struct stack_path *path, uint32_t n, uint32_t *ret_node)
{
	for (uint32_t i = 0; path && i < n; i++) {
		*ret_node = path->known[path->nodes[i]];
		if (*ret_node)
			return i;
	}
	return n;
}

/* Entered from its root, so that callers come first. */
static int stack_number(struct stacks *s, const struct sample *sample,
			const struct stack_path *path, bool add, uint32_t *ret)
{
	const struct code *code = NULL;
	const struct frame *frame;
	struct stack_node node = {};
	uint32_t number = 0;
	int r = 0;

	for (uint32_t i = frames_below(path, sample->n, &number); i > 0; i--) {
		frame = &sample->frames[i - 1];
		if (frame->code != code)
			r = code_number(s, frame->code, add, &node.code);
		code = frame->code;
		node.address = frame->address;
		node.caller = number;
		if (r >= 0)
			r = pool_number(s->nodes, &node, add, &number);
		if (r < 0)
			return r;
		if (path)
			path->known[path->nodes[i - 1]] = number;
	}
	*ret = number;
	return 0;
}

/* The key of a sample. Without add only what is known is found: -ENOENT means a new row. */
static int sample_key(struct stacks *s, const struct sample *sample, const struct stack_path *path,
		      bool add, struct stacks_key *ret)
{
	struct stacks_key key = {
		.tid = s->folded ? 0 : (uint32_t)sample->tid,
		.cpu = s->folded ? -1 : sample->cpu,
		.event = (uint8_t)sample->event,
		.end = (uint8_t)sample->end,
		.n_kernel = (uint8_t)sample->n_kernel,
	};
	int r;

	r = stack_number(s, sample, path, add, &key.stack);
	if (r >= 0)
		r = actors_number(&s->who, &sample->process, &sample->workload, add, &key.actor);
	if (r >= 0)
		r = string_pool_number(s->who.strings, sample->thread, add, &key.thread);
	if (r >= 0)
		*ret = key;
	return r;
}

static int add_sum(struct stacks *s, const struct stacks_key *key, const struct sample *sample)
{
	bool is_new;
	struct stacks_sum *sum = hashmap_put(s->rows, key, &is_new);

	if (!sum)
		return -ENOMEM;
	s->n_others += is_new && key->other;
	sum->count += sample->count;
	sum->value += sample->value;
	return 0;
}

static int add_sample(struct stacks *s, const struct sample *sample, const struct stack_path *path)
{
	bool room = stacks_rows(s) - s->n_others < STACKS_ROWS_MAX - 3 * STACKS_OTHERS_MAX &&
		    stacks_bytes(s) + sample->n * sizeof(struct stack_node) < s->max_bytes / 2;
	struct stacks_key key;
	int r;

	if (sample->n > SAMPLE_FRAMES_MAX || sample->n_kernel > sample->n ||
	    sample->n_kernel > STACKS_KERNEL_FRAMES_MAX)
		return -EINVAL;
	r = sample_key(s, sample, path, room, &key);
	if (r == -ENOENT || (r >= 0 && !room && !hashmap_get(s->rows, &key)))
		return -ENOSPC;
	return r < 0 ? r : add_sum(s, &key, sample);
}

/* Whose "other" row a sample may go to, the first that has room. */
enum other_of { OTHER_OF_PROCESS, OTHER_OF_WORKLOAD, OTHER_OF_ALL, OTHER_OF_MAX_ };

/* They stay when stacks are thinned: at most a fifth of the bytes, so that there is room for others. */
static bool has_other_room(const struct stacks *s, enum other_of whose)
{
	size_t max = MIN((size_t)STACKS_OTHERS_MAX, s->max_bytes / STACKS_BYTES_PER_OTHER);

	switch (whose) {
	case OTHER_OF_PROCESS:
		return s->n_others < max && stacks_bytes(s) < s->max_bytes / 4 * 3;
	case OTHER_OF_WORKLOAD:
		return s->n_others < 2 * max && stacks_bytes(s) < s->max_bytes / 8 * 7;
	default:
		return true;
	}
}

static int add_other_sample(struct stacks *s, const struct sample *sample)
{
	static const struct process_ref no_process;
	static const struct workload no_workload;
	struct stacks_key key = {
		.cpu = -1,
		.event = (uint8_t)sample->event,
		.end = (uint8_t)sample->end,
		.other = true,
	};
	int r = -ENOSPC;

	for (enum other_of whose = 0; whose < OTHER_OF_MAX_ && r != 0 && r != -ENOMEM; whose++) {
		bool room = has_other_room(s, whose);

		r = actors_number(&s->who,
				  whose < OTHER_OF_WORKLOAD ? &sample->process : &no_process,
				  whose < OTHER_OF_ALL ? &sample->workload : &no_workload, room,
				  &key.actor);
		if (r >= 0 && !room && !hashmap_get(s->rows, &key))
			r = -ENOSPC;
	}
	return r < 0 ? r : add_sum(s, &key, sample);
}

static int add_loss(struct stacks *s, const struct sample_loss *loss, bool other)
{
	bool room = other || (hashmap_size(s->losses) < STACKS_LOSSES_MAX &&
			      stacks_bytes(s) < s->max_bytes / 4 * 3);
	struct stacks_loss_key key = {
		.cpu = s->folded || other ? -1 : loss->cpu,
		.event = (uint32_t)loss->event,
	};
	uint64_t *lost;
	int r = 0;

	if (!other)
		r = actors_number(&s->who, &loss->process, &loss->workload, room, &key.actor);
	if (r == -ENOENT || (r >= 0 && !room && !hashmap_get(s->losses, &key)))
		return -ENOSPC;
	if (r < 0)
		return r;
	lost = hashmap_put(s->losses, &key, NULL);
	if (!lost)
		return -ENOMEM;
	*lost += loss->lost;
	return 0;
}

int stacks_add(struct stacks *s, const struct record *record, const struct stack_path *path)
{
	switch (record->kind) {
	case RECORD_SAMPLE:
		return record->sample.other ? add_other_sample(s, &record->sample)
					    : add_sample(s, &record->sample, path);
	case RECORD_SAMPLE_LOSS:
		return add_loss(s, &record->loss, false);
	default:
		return -EINVAL;
	}
}

int stacks_add_other(struct stacks *s, const struct record *record)
{
	switch (record->kind) {
	case RECORD_SAMPLE:
		return add_other_sample(s, &record->sample);
	case RECORD_SAMPLE_LOSS:
		return add_loss(s, &record->loss, true);
	default:
		return -EINVAL;
	}
}
