/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a segment that may be anything. A node's caller is a node before it, so there are no
 * circles, and its depth is known: no stack is longer than a sample may have.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "store/dictionary.h"
#include "store/stack-segment.h"
#include "store/stacks.h"

struct decoded_node {
	uint64_t address;
	uint32_t caller, code;
	uint32_t depth;
};

struct stack_decoder {
	struct byte_reader in;
	struct dictionary names;
	struct code *codes; /* [0] is none */
	struct decoded_node *nodes; /* [0] is behind the root */
	size_t n_codes, n_nodes; /* without these */
	struct frame frames[SAMPLE_FRAMES_MAX]; /* of the record */
	uint32_t frame_nodes[SAMPLE_FRAMES_MAX];
	struct stack_path path;
	struct record record;
	void (*fn)(void *userdata, const struct record *record, const struct stack_path *path);
	void *userdata;
};

static void decode_code(struct stack_decoder *d, struct code *ret)
{
	const void *id;

	ret->kind = read_choice(&d->in, CODE_KIND_MAX_);
	ret->id_size = read_choice(&d->in, CODE_ID_MAX + 1);
	id = read_bytes(&d->in, ret->id_size);
	if (id)
		memcpy(ret->id, id, ret->id_size);
	ret->path = read_string_number(&d->in, &d->names);
}

static int decode_codes(struct stack_decoder *d)
{
	d->codes = read_array(&d->in, sizeof(*d->codes), 3, STACKS_CODES_MAX, &d->n_codes);
	if (!d->codes)
		return -ENOMEM;
	for (size_t i = 1; i <= d->n_codes && !d->in.failed; i++)
		decode_code(d, &d->codes[i]);
	return 0;
}

static void decode_node(struct stack_decoder *d, size_t i, uint64_t *last)
{
	size_t caller = i - 1 - read_index(&d->in, i);
	size_t code = read_index(&d->in, d->n_codes) + 1;
	uint64_t difference = (uint64_t)read_signed(&d->in);

	if (d->in.failed)
		return;
	last[code] += difference;
	d->nodes[i] = (struct decoded_node){
		.address = last[code],
		.caller = (uint32_t)caller,
		.code = (uint32_t)code,
		.depth = d->nodes[caller].depth + 1,
	};
	if (d->nodes[i].depth > SAMPLE_FRAMES_MAX)
		byte_reader_fail(&d->in);
}

static int decode_nodes(struct stack_decoder *d)
{
	_cleanup_free_ uint64_t *last = calloc(d->n_codes + 1, sizeof(*last));

	d->nodes = read_array(&d->in, sizeof(*d->nodes), 3, STACKS_NODES_MAX, &d->n_nodes);
	if (!last || !d->nodes)
		return -ENOMEM;
	for (size_t i = 1; i <= d->n_nodes && !d->in.failed; i++)
		decode_node(d, i, last);
	d->path.nodes = d->frame_nodes;
	d->path.n_known = d->n_nodes + 1;
	d->path.known = calloc(d->path.n_known, sizeof(*d->path.known));
	return d->path.known ? 0 : -ENOMEM;
}

/* Whose the record is. */
static void decode_who(struct stack_decoder *d, struct process_ref *ret_process,
		       struct workload *ret_workload)
{
	size_t actor = read_index(&d->in, d->names.n_actors);

	if (d->in.failed)
		return;
	*ret_process = d->names.actors[actor].process;
	*ret_workload = d->names.actors[actor].workload;
}

static int32_t decode_cpu(struct byte_reader *in)
{
	return (int32_t)read_number_max(in, INT32_MAX) - 1;
}

static void decode_thread(struct stack_decoder *d, struct sample *s)
{
	const char *name = read_string_number(&d->in, &d->names);

	if (strlen(name) < sizeof(s->thread))
		strcpy(s->thread, name);
	else
		byte_reader_fail(&d->in);
	s->tid = (pid_t)read_number_max(&d->in, INT32_MAX);
	s->cpu = decode_cpu(&d->in);
}

static void decode_stack(struct stack_decoder *d, struct sample *s)
{
	const struct decoded_node *node;

	s->n = 0;
	for (size_t i = read_index(&d->in, d->n_nodes + 1); i > 0; i = node->caller) {
		node = &d->nodes[i];
		d->frame_nodes[s->n] = (uint32_t)i;
		d->frames[s->n++] = (struct frame){ &d->codes[node->code], node->address };
	}
	if (s->n_kernel > MIN(s->n, (uint32_t)STACKS_KERNEL_FRAMES_MAX))
		byte_reader_fail(&d->in);
}

static void decode_sample(struct stack_decoder *d)
{
	struct sample *s = &d->record.sample;
	uint8_t flags = read_choice(&d->in, SAMPLE_EVENT_MAX_ << 1);

	*s = (struct sample){
		.event = flags >> 1,
		.other = flags & 1,
		.cpu = -1,
		.frames = d->frames,
		.end = read_choice(&d->in, STACK_END_MAX_),
	};
	decode_who(d, &s->process, &s->workload);
	if (!s->other) {
		s->n_kernel = read_byte(&d->in);
		decode_thread(d, s);
		decode_stack(d, s);
	}
	s->count = read_number(&d->in);
	s->value = read_number(&d->in);
}

static void decode_loss(struct stack_decoder *d)
{
	struct sample_loss *loss = &d->record.loss;

	*loss = (struct sample_loss){ .event = read_choice(&d->in, SAMPLE_EVENT_MAX_) };
	decode_who(d, &loss->process, &loss->workload);
	loss->cpu = decode_cpu(&d->in);
	loss->lost = read_number(&d->in);
}

static void decode_records(struct stack_decoder *d, enum record_kind kind, size_t max,
			   void (*one)(struct stack_decoder *d))
{
	uint64_t n = read_number_max(&d->in, max);

	d->record.kind = kind;
	for (uint64_t i = 0; i < n && !d->in.failed; i++) {
		one(d);
		if (!d->in.failed)
			d->fn(d->userdata, &d->record, kind == RECORD_SAMPLE ? &d->path : NULL);
	}
}

static int decode_all(struct stack_decoder *d)
{
	int r;

	if (read_number(&d->in) != STACK_SEGMENT_VERSION)
		return -EBADMSG;
	r = read_strings(&d->in, &d->names);
	if (r >= 0)
		r = read_actors(&d->in, &d->names);
	if (r >= 0)
		r = decode_codes(d);
	if (r >= 0)
		r = decode_nodes(d);
	if (r < 0)
		return r;
	decode_records(d, RECORD_SAMPLE, STACKS_ROWS_MAX, decode_sample);
	decode_records(d, RECORD_SAMPLE_LOSS, 2 * STACKS_LOSSES_MAX, decode_loss);
	return d->in.failed || bytes_left(&d->in) > 0 ? -EBADMSG : 0;
}

int stack_segment_decode(const void *data, size_t size,
			 void (*fn)(void *userdata, const struct record *record,
				    const struct stack_path *path),
			 void *userdata)
{
	_cleanup_free_ struct stack_decoder *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->in = (struct byte_reader){ .p = data, .end = (const unsigned char *)data + size };
	d->fn = fn;
	d->userdata = userdata;
	r = decode_all(d);
	dictionary_done(&d->names);
	free(d->codes);
	free(d->nodes);
	free(d->path.known);
	return r;
}
