/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

#define CODES 5

static const struct code *code_at(unsigned i)
{
	static struct code codes[CODES];
	static const char *const paths[CODES] = { "", "/usr/lib/libc.so.6", "[vdso]",
						  "[kernel.kallsyms]", "//anon" };

	codes[i].kind = i % CODE_KIND_MAX_;
	codes[i].id_size = (uint8_t)(i * 5);
	memset(codes[i].id, (int)i, i * 5);
	codes[i].path = paths[i];
	return &codes[i];
}

/* From the root down: the further away, the more stacks share a frame. */
static uint32_t make_frames(unsigned n, struct frame *ret)
{
	uint32_t depth = n % 41;

	if (n % 500 == 499)
		depth = SAMPLE_FRAMES_MAX;
	for (uint32_t i = 0; i < depth; i++) {
		unsigned branch = i < 8 ? 0 : n % (1 + i / 2);

		ret[depth - 1 - i].code = code_at((i + branch) % CODES);
		ret[depth - 1 - i].address = 0x400000 + i * 64 + branch * UINT64_C(0x10000);
	}
	if (depth > 3)
		ret[0].address = UINT64_MAX - n / 3; /* a few stacks are the same */
	return depth;
}

static void make_who(unsigned n, struct process_ref *process, struct workload *workload)
{
	static char ids[SAMPLE_PROCESSES][24], names[SAMPLE_PROCESSES][24];

	n %= SAMPLE_PROCESSES;
	snprintf(ids[n], sizeof(ids[n]), "unit-%u.service", n / 3);
	snprintf(names[n], sizeof(names[n]), "name %u", n / 3);
	*process = (struct process_ref){ .pid = (pid_t)n, .start_ns = n, .cgroup_id = n / 3 };
	strcpy(process->comm, n ? "worker" : "");
	*workload = (struct workload){ WORKLOAD_UNIT, ids[n], names[n], "" };
}

void make_sample(unsigned n, struct record *ret)
{
	static struct frame frames[SAMPLE_FRAMES_MAX];
	struct sample *s = &ret->sample;

	*ret = (struct record){ .kind = RECORD_SAMPLE };
	s->event = n % SAMPLE_EVENT_MAX_;
	make_who(n / 2, &s->process, &s->workload);
	s->tid = (pid_t)n + 1;
	snprintf(s->thread, sizeof(s->thread), "thread %u", n % 7);
	s->cpu = (int32_t)(n % 3) - 1;
	s->end = n / 5 % STACK_END_MAX_;
	s->n = make_frames(n, frames);
	s->n_kernel = MIN(s->n, n % 9);
	s->frames = frames;
	s->count = s->value = 1;
}

void random_sample(unsigned n, unsigned *seed, struct record *ret)
{
	make_sample(n, ret);
	ret->sample.count = (uint64_t)rand_r(seed) % 20 + 1;
	ret->sample.value = ret->sample.count * ((uint64_t)rand_r(seed) % 100000000);
}

void random_loss(unsigned n, unsigned *seed, struct record *ret)
{
	struct sample_loss *l = &ret->loss;

	*ret = (struct record){ .kind = RECORD_SAMPLE_LOSS };
	l->event = n % SAMPLE_EVENT_MAX_;
	make_who(n / 2, &l->process, &l->workload);
	l->cpu = (int32_t)(n % 5);
	l->lost = (uint64_t)rand_r(seed) % 1000;
}

void sample_sums_add(struct sample_sums *sums, const struct record *record)
{
	const struct sample *s = &record->sample;

	if (record->kind == RECORD_SAMPLE_LOSS) {
		sums->lost[record->loss.event][record->loss.process.pid] += record->loss.lost;
		return;
	}
	assert_int_equal(record->kind, RECORD_SAMPLE);
	sums->samples[s->event][s->end][s->process.pid].count += s->count;
	sums->samples[s->event][s->end][s->process.pid].value += s->value;
}

void assert_sample_sums_equal(const struct sample_sums *a, const struct sample_sums *b)
{
	assert_memory_equal(a, b, sizeof(*a));
}

static void assert_same_code(const struct code *a, const struct code *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->id_size, b->id_size);
	assert_memory_equal(a->id, b->id, a->id_size);
	assert_string_equal(a->path, b->path);
}

void assert_same_sample(const struct sample *a, const struct sample *b)
{
	assert_int_equal(a->event, b->event);
	assert_int_equal(a->end, b->end);
	assert_int_equal(a->cpu, b->cpu);
	assert_int_equal(a->process.pid, b->process.pid);
	assert_int_equal(a->process.start_ns, b->process.start_ns);
	assert_string_equal(a->process.comm, b->process.comm);
	assert_string_equal(a->workload.id, b->workload.id);
	assert_string_equal(a->workload.name, b->workload.name);
	assert_string_equal(a->thread, b->thread);
	assert_int_equal(a->n, b->n);
	assert_int_equal(a->n_kernel, b->n_kernel);
	assert_int_equal(a->other, b->other);
	for (uint32_t i = 0; i < a->n; i++) {
		assert_int_equal(a->frames[i].address, b->frames[i].address);
		assert_same_code(a->frames[i].code, b->frames[i].code);
	}
}
