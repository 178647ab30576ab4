/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses as differences: what is called from one piece of code is mostly near what was called
 * before, and an address has six bytes.
 */
#include <errno.h>
#include <stdlib.h>

#include "store/dictionary.h"
#include "store/segment.h"
#include "store/stack-segment.h"
#include "store/stacks.h"

static void encode_codes(struct byte_writer *w, const struct stacks *s)
{
	size_t n = pool_size(s->code_keys);

	write_number(w, n - 1);
	for (size_t i = 1; i < n; i++) {
		const struct code *code = &s->codes[i];
		uint32_t path = 0;

		string_pool_number(s->who.strings, code->path, false, &path);
		write_byte(w, (uint8_t)code->kind);
		write_byte(w, code->id_size);
		write_bytes(w, code->id, code->id_size);
		write_number(w, path);
	}
}

static int encode_nodes(struct byte_writer *w, const struct stacks *s)
{
	_cleanup_free_ uint64_t *last = calloc(pool_size(s->code_keys), sizeof(*last));
	size_t n = pool_size(s->nodes);

	if (!last)
		return -ENOMEM;
	write_number(w, n - 1);
	for (uint32_t i = 1; i < n; i++) {
		const struct stack_node *node = pool_get(s->nodes, i);

		write_number(w, i - 1 - node->caller);
		write_number(w, node->code - 1);
		write_signed(w, (int64_t)(node->address - last[node->code]));
		last[node->code] = node->address;
	}
	return 0;
}

static void encode_rows(struct byte_writer *w, const struct stacks *s)
{
	const struct stacks_key *key;
	const struct stacks_sum *sum;

	write_number(w, stacks_rows(s));
	HASHMAP_FOREACH(s->rows, pos, key, sum) {
		write_byte(w, (uint8_t)(key->event << 1 | key->other));
		write_byte(w, key->end);
		write_number(w, key->actor);
		if (!key->other) {
			write_byte(w, key->n_kernel);
			write_number(w, key->thread);
			write_number(w, key->tid);
			write_number(w, (uint32_t)key->cpu + 1);
			write_number(w, key->stack);
		}
		write_number(w, sum->count);
		write_number(w, sum->value);
	}
}

static void encode_losses(struct byte_writer *w, const struct stacks *s)
{
	const struct stacks_loss_key *key;
	const uint64_t *lost;

	write_number(w, hashmap_size(s->losses));
	HASHMAP_FOREACH(s->losses, pos, key, lost) {
		write_byte(w, (uint8_t)key->event);
		write_number(w, key->actor);
		write_number(w, (uint32_t)key->cpu + 1);
		write_number(w, *lost);
	}
}

int stack_segment_encode(const struct stacks *s, void **ret_data, size_t *ret_size)
{
	struct byte_writer w = {};
	int r;

	write_number(&w, STACK_SEGMENT_VERSION);
	write_strings(&w, s->who.strings);
	write_actors(&w, &s->who);
	encode_codes(&w, s);
	r = encode_nodes(&w, s);
	encode_rows(&w, s);
	encode_losses(&w, s);
	if (r < 0) {
		byte_writer_done(&w);
		return r;
	}
	return byte_writer_end(&w, SEGMENT_BYTES_MAX, ret_data, ret_size);
}
