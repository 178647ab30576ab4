/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A binary's way: a child builds the table (WORK_LANE_CHILD), the BPF lane, which alone touches the
 * tables, copies it into the kernel. Without room there the one that was not used for longest goes,
 * among those that no process has mapped, and it is tried again.
 */
#include "collect/profile/binaries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hashmap.h"
#include "base/util.h"
#include "base/work.h"
#include "binary/artefacts.h"

struct code_key { /* struct code without what is no key */
	uint8_t kind, id_size;
	uint8_t id[CODE_ID_MAX];
};

struct entry {
	struct binary binary; /* first: what callers have */
	struct code_key key;
	uint64_t unused_ns; /* CLOCK_MONOTONIC: since when nobody has it mapped */
	bool busy; /* a job has it */
};

struct binaries {
	struct binaries_config config;
	struct tables *tables; /* the BPF lane's */
	struct hashmap *by_key; /* struct code_key -> struct entry * */
	struct entry *by_number[UINT16_MAX + 1];
	uint16_t last_number;
	struct binaries_figures figures;
};

int binaries_new(const struct binaries_config *config, struct binaries **ret)
{
	_cleanup_(binaries_free_p) struct binaries *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->config = *config;
	r = tables_new(config->skel, &b->tables);
	if (r >= 0)
		r = hashmap_new(sizeof(struct code_key), sizeof(struct entry *), BINARIES_MAX,
				&b->by_key);
	if (r < 0)
		return r;
	*ret = TAKE(b);
	return 0;
}

static void entry_free(struct entry *e)
{
	free((char *)e->binary.code.path);
	free(e);
}

struct binaries *binaries_free(struct binaries *b)
{
	if (!b)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(b->by_number); i++)
		if (b->by_number[i])
			entry_free(b->by_number[i]);
	hashmap_free(b->by_key);
	tables_free(b->tables); /* all that is left in it, too */
	free(b);
	return NULL;
}

/* --- places ---------------------------------------------------------------------------------- */

static void count_state(struct binaries *b, enum binary_state state, int by)
{
	uint64_t *counts[] = {
		[BINARY_BUILDING] = &b->figures.building,
		[BINARY_READY] = &b->figures.ready,
		[BINARY_BARE] = &b->figures.bare,
	};

	*counts[state] += by;
}

static void set_state(struct binaries *b, struct entry *e, enum binary_state state)
{
	count_state(b, e->binary.state, -1);
	count_state(b, state, 1);
	e->binary.state = state;
	b->config.changed(b->config.userdata, &e->binary);
}

/* Among those that no process has mapped, the one of longest ago; with a table, if with_table. */
static struct entry *longest_unused(const struct binaries *b, bool with_table)
{
	struct entry *best = NULL, *e;

	for (size_t i = 1; i < ARRAY_SIZE(b->by_number); i++) {
		e = b->by_number[i];
		if (!e || e->binary.users || e->busy || (with_table && !e->binary.table))
			continue;
		if (!best || e->unused_ns < best->unused_ns)
			best = e;
	}
	return best;
}

static void forget(struct binaries *b, struct entry *e)
{
	count_state(b, e->binary.state, -1);
	b->figures.known--;
	hashmap_remove(b->by_key, &e->key);
	b->by_number[e->binary.number] = NULL;
	entry_free(e);
}

/* One after the other, so that a number is not used again while samples are under way. */
static uint16_t free_number(struct binaries *b)
{
	for (unsigned i = 0; i < UINT16_MAX; i++) {
		if (++b->last_number == 0)
			b->last_number = 1;
		if (!b->by_number[b->last_number])
			return b->last_number;
	}
	return 0;
}

/* --- tables ---------------------------------------------------------------------------------- */

struct building {
	struct binaries *binaries;
	struct entry *entry;
	int fd;
	struct artefact artefact;
	struct unwind_table view;
	struct table *evict; /* to be taken out first */
	struct table *added;
	uint64_t kernel_bytes; /* afterwards */
	int r;
};

static void building_end(struct building *j, enum binary_state state)
{
	j->entry->busy = false;
	set_state(j->binaries, j->entry, state);
	artefact_done(&j->artefact);
	close_fd(j->fd);
	free(j);
}

static void add_done(void *arg);

static void add_run(void *arg)
{
	struct building *j = arg;
	struct binaries *b = j->binaries;

	if (j->evict)
		tables_remove(b->tables, TAKE(j->evict));
	j->r = tables_add(b->tables, &j->view, b->config.max_bytes, &j->added);
	j->kernel_bytes = tables_bytes(b->tables);
}

static void add_post(struct building *j)
{
	if (work_run(j->binaries->config.work, WORK_LANE_BPF, add_run, add_done, j) < 0)
		building_end(j, BINARY_BARE);
}

static void add_done(void *arg)
{
	struct building *j = arg;
	struct binaries *b = j->binaries;
	struct entry *victim;

	b->figures.kernel_bytes = j->kernel_bytes;
	if (j->r == 0) {
		j->entry->binary.table = j->added;
		b->figures.table_bytes += j->added->bytes;
		building_end(j, BINARY_READY);
		return;
	}
	victim = j->r == -ENOSPC ? longest_unused(b, true) : NULL;
	if (!victim) {
		b->figures.no_room++;
		building_end(j, BINARY_BARE);
		return;
	}
	b->figures.evicted++;
	b->figures.table_bytes -= victim->binary.table->bytes;
	j->evict = (struct table *)victim->binary.table;
	forget(b, victim);
	add_post(j);
}

static void build_run(void *arg)
{
	struct building *j = arg;

	j->r = artefacts_unwind(j->binaries->config.cache, &j->entry->binary.code, j->fd,
				&j->artefact, &j->view);
}

/* Names can wait, but not until somebody asks for them: the file may be gone by then. */
struct naming_later {
	struct disk_cache *cache;
	struct code code;
	int fd;
};

static void keep_run(void *arg)
{
	struct naming_later *n = arg;

	artefacts_keep_symbols(n->cache, &n->code, n->fd);
	close(n->fd);
}

static void keep_names(struct building *j)
{
	struct naming_later *n = malloc(sizeof(*n));

	if (!n)
		return;
	*n = (struct naming_later){ j->binaries->config.cache, j->entry->binary.code, j->fd };
	if (work_run(j->binaries->config.work, WORK_LANE_CHILD, keep_run, free, n) < 0)
		free(n);
	else
		j->fd = -EBADF;
}

static void build_done(void *arg)
{
	struct building *j = arg;

	keep_names(j);
	if (j->r < 0) {
		j->binaries->figures.refused++;
		building_end(j, BINARY_BARE);
	} else if (j->view.header->n_rows == 0) {
		building_end(j, BINARY_BARE);
	} else {
		add_post(j);
	}
}

static int build(struct binaries *b, struct entry *e, int *fd)
{
	struct building *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return -ENOMEM;
	*j = (struct building){ .binaries = b, .entry = e, .fd = *fd };
	r = work_run(b->config.work, WORK_LANE_CHILD, build_run, build_done, j);
	if (r < 0) {
		free(j);
		return r;
	}
	*fd = -EBADF;
	e->busy = true;
	return 0;
}

/* --- binaries -------------------------------------------------------------------------------- */

static struct entry *entry_new(struct binaries *b, const struct code *code,
			       const struct code_key *key)
{
	struct entry *e = calloc(1, sizeof(*e)), **place;
	bool is_new;

	if (!e)
		return NULL;
	e->binary.code = *code;
	e->binary.code.path = strdup(code->path);
	e->binary.number = free_number(b);
	e->key = *key;
	place = e->binary.code.path && e->binary.number ? hashmap_put(b->by_key, key, &is_new)
							: NULL;
	if (!place) {
		entry_free(e);
		return NULL;
	}
	*place = e;
	b->by_number[e->binary.number] = e;
	b->figures.known++;
	count_state(b, BINARY_BUILDING, 1);
	return e;
}

struct binary *binaries_get(struct binaries *b, const struct code *code, int taken)
{
	_cleanup_close_ int fd = taken;
	struct code_key key = { .kind = code->kind, .id_size = code->id_size };
	struct entry **known, *e;

	memcpy(key.id, code->id, code->id_size);
	known = hashmap_get(b->by_key, &key);
	if (known) {
		(*known)->binary.users++;
		return &(*known)->binary;
	}
	/* One with a table would have to wait for the lane that owns tables: those go by add_done(). */
	e = entry_new(b, code, &key);
	if (!e) {
		b->figures.left_out++;
		return NULL;
	}
	e->binary.users = 1;
	if (build(b, e, &fd) < 0)
		set_state(b, e, BINARY_BARE);
	return &e->binary;
}

void binaries_put(struct binaries *b, struct binary *binary)
{
	struct entry *e = (struct entry *)binary;

	if (--binary->users)
		return;
	e->unused_ns = now_ns(CLOCK_MONOTONIC);
	if (!binary->table && !e->busy)
		forget(b, e); /* nothing was spent on it */
}

const struct binary *binaries_at(const struct binaries *b, uint16_t number)
{
	return b->by_number[number] ? &b->by_number[number]->binary : NULL;
}

struct binaries_figures binaries_figures(const struct binaries *b)
{
	return b->figures;
}
