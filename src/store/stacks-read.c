/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Out of stacks: records, the order by value, and thinning. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "store/stacks.h"

static uint32_t fill_frames(const struct stacks *s, uint32_t number)
{
	const struct stack_node *node;
	uint32_t n = 0;

	for (; number > 0; number = node->caller) {
		node = pool_get(s->nodes, number);
		s->frames[n++] = (struct frame){ &s->codes[node->code], node->address };
	}
	return n;
}

void stacks_record(const struct stacks *s, const struct stacks_key *key,
		   const struct stacks_sum *sum, struct record *ret)
{
	struct sample *sample = &ret->sample;

	ret->kind = RECORD_SAMPLE;
	*sample = (struct sample){
		.event = key->event,
		.tid = (pid_t)key->tid,
		.cpu = key->cpu,
		.end = key->end,
		.n_kernel = key->n_kernel,
		.n = fill_frames(s, key->stack),
		.frames = s->frames,
		.count = sum->count,
		.value = sum->value,
		.other = key->other,
	};
	actors_fill(&s->who, key->actor, &sample->process, &sample->workload);
	strcpy(sample->thread, string_pool_get(s->who.strings, key->thread));
}

bool stacks_next_loss(const struct stacks *s, size_t *position, struct record *ret)
{
	const struct stacks_loss_key *key;
	const uint64_t *lost = hashmap_next(s->losses, position, (const void **)&key);

	if (!lost)
		return false;
	ret->kind = RECORD_SAMPLE_LOSS;
	ret->loss = (struct sample_loss){ .event = key->event, .cpu = key->cpu, .lost = *lost };
	actors_fill(&s->who, key->actor, &ret->loss.process, &ret->loss.workload);
	return true;
}

void stacks_each(const struct stacks *s, void (*fn)(void *userdata, const struct record *record),
		 void *userdata)
{
	const struct stacks_key *key;
	const struct stacks_sum *sum;
	struct record record;
	size_t position = 0;

	HASHMAP_FOREACH(s->rows, pos, key, sum) {
		stacks_record(s, key, sum, &record);
		fn(userdata, &record);
	}
	while (stacks_next_loss(s, &position, &record))
		fn(userdata, &record);
}

struct ranked_row *stacks_ranking(const struct stacks *s)
{
	struct ranked_row *ranking;
	const struct stacks_key *key;
	const struct stacks_sum *sum;
	size_t n = 0;

	ranking = calloc(stacks_rows(s) + 1, sizeof(*ranking));
	if (!ranking)
		return NULL;
	HASHMAP_FOREACH(s->rows, pos, key, sum)
		ranking[n++] = (struct ranked_row){ key, sum, sum->value };
	ranking_make(ranking, n);
	return ranking;
}

/* Copies what is kept: so the tree forgets what no row needs any more. */
static int copy_thinned(const struct stacks *s, struct ranked_row *ranking, size_t keep,
			struct stacks *to)
{
	const struct ranked_row *ranked;
	struct record record;
	size_t kept = 0, position = 0;
	int r = 0;

	for (size_t n = stacks_rows(s); n > 0 && r >= 0; n--) {
		ranked = ranking_next(ranking, n);
		stacks_record(s, ranked->key, ranked->row, &record);
		r = -ENOSPC;
		if (record.sample.other || kept++ < keep)
			r = stacks_add(to, &record, NULL);
		if (r == -ENOSPC)
			r = stacks_add_other(to, &record);
	}
	while (r >= 0 && stacks_next_loss(s, &position, &record)) {
		r = stacks_add(to, &record, NULL);
		if (r == -ENOSPC)
			r = stacks_add_other(to, &record);
	}
	return r;
}

int stacks_thin(struct stacks **stacks, size_t keep)
{
	_cleanup_(stacks_free_p) struct stacks *to = NULL;
	_cleanup_free_ struct ranked_row *ranking = NULL;
	int r;

	ranking = stacks_ranking(*stacks);
	if (!ranking)
		return -ENOMEM;
	r = stacks_new((*stacks)->max_bytes, (*stacks)->folded, &to);
	if (r < 0)
		return r;
	r = copy_thinned(*stacks, ranking, keep, to);
	if (r < 0)
		return r;
	stacks_free(*stacks);
	*stacks = TAKE(to);
	return 0;
}
