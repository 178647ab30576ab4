/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A space that is read again gets a new run; the old one is given back, and its binaries with it, when
 * no program can be in it any more: that wait is a job, too. Between two reads of a space lies at least
 * as long as a read of it takes times READ_SHARE, so that a JIT which maps all the time costs little; but
 * the first ones come soon after each other, because a program that begins maps one library after the
 * other.
 */
#include "collect/profile/spaces.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/hashmap.h"
#include "base/util.h"
#include "base/work.h"
#include "binary/code-id.h"
#include "bpf/profile.skel.h"
#include "collect/profile/runs.h"
#include "collect/shared/grace.h"
#include "host/mappings.h"
#include "host/proc-read.h"
#include "host/processes.h"

#define READ_SHARE 100 /* at most 1 % of the time is spent on reading a space again */
#define FIRST_PAUSE_NS (2 * NSEC_PER_MSEC) /* between the first two reads; doubles each time */
#define READ_PAUSE_NS (100 * NSEC_PER_MSEC) /* until then */
#define FAILED_PAUSE_NS (10 * NSEC_PER_SEC) /* if it fails each time */

struct run {
	uint32_t first, n;
	struct binary **binaries; /* by mapping; NULL: none */
};

struct space {
	uint32_t pid;
	uint64_t mm, executable; /* of the sample for which it was read last */
	uint64_t seen_ns, next_read_ns; /* CLOCK_MONOTONIC */
	uint64_t pause_ns; /* after the next read */
	bool reading;
	bool known; /* run is in the kernel */
	struct run run;
};

struct spaces {
	struct spaces_config config;
	struct hashmap *by_pid; /* uint32_t -> struct space * */
	struct wire_mapping *mappings; /* the kernel's array */
	uint32_t max_mappings;
	struct runs *places;
	struct spaces_figures figures;
};

int spaces_new(const struct spaces_config *config, struct spaces **ret)
{
	_cleanup_(spaces_free_p) struct spaces *s = calloc(1, sizeof(*s));
	struct bpf_map *map = config->skel->maps.unwind_mappings;
	int r;

	if (!s)
		return -ENOMEM;
	s->config = *config;
	s->max_mappings = bpf_map__max_entries(map);
	s->mappings = mmap(NULL, s->max_mappings * sizeof(*s->mappings), PROT_READ | PROT_WRITE,
			   MAP_SHARED, bpf_map__fd(map), 0);
	if (s->mappings == MAP_FAILED) {
		s->mappings = NULL;
		return -errno;
	}
	r = runs_new(s->max_mappings, &s->places);
	if (r >= 0)
		r = hashmap_new(sizeof(uint32_t), sizeof(struct space *),
				bpf_map__max_entries(config->skel->maps.profiled), &s->by_pid);
	if (r < 0)
		return r;
	*ret = TAKE(s);
	return 0;
}

struct spaces *spaces_free(struct spaces *s)
{
	struct space **space;
	const uint32_t *pid;

	if (!s)
		return NULL;
	if (s->by_pid)
		HASHMAP_FOREACH(s->by_pid, pos, pid, space) {
			free((*space)->run.binaries);
			free(*space);
		}
	hashmap_free(s->by_pid);
	runs_free(s->places);
	if (s->mappings)
		munmap(s->mappings, s->max_mappings * sizeof(*s->mappings));
	free(s);
	return NULL;
}

/* --- giving back ----------------------------------------------------------------------------- */

struct leaving {
	struct spaces *spaces;
	struct run run;
	int r;
};

static void leave_run(void *arg)
{
	struct leaving *l = arg;

	l->r = grace_wait(l->spaces->config.grace);
}

static void leave_done(void *arg)
{
	struct leaving *l = arg;
	struct spaces *s = l->spaces;

	/* Without the wait it stays taken for ever: rather that than a stack from another program. */
	if (l->r >= 0) {
		for (uint32_t i = 0; i < l->run.n; i++)
			if (l->run.binaries[i])
				binaries_put(s->config.binaries, l->run.binaries[i]);
		runs_give(s->places, l->run.first, l->run.n);
	}
	free(l->run.binaries);
	free(l);
}

/* What no process names any more in the kernel. */
static void give_back(struct spaces *s, struct run *run)
{
	struct leaving *l;

	if (run->n == 0)
		return;
	l = malloc(sizeof(*l));
	if (!l)
		return;
	*l = (struct leaving){ .spaces = s, .run = *run };
	if (work_run(s->config.work, WORK_LANE_BPF, leave_run, leave_done, l) < 0)
		free(l);
	*run = (struct run){};
}

static void forget(struct spaces *s, struct space *space)
{
	if (space->known)
		bpf_map_delete_elem(bpf_map__fd(s->config.skel->maps.profiled), &space->pid);
	give_back(s, &space->run);
	s->figures.known--;
	free(space);
}

/* --- reading --------------------------------------------------------------------------------- */

struct found { /* of a mapping */
	struct code code; /* kind CODE_UNKNOWN: it is no file that can be read */
	uint64_t bias;
	int fd;
};

struct reading {
	struct spaces *spaces;
	uint32_t pid;
	uint64_t mm, executable, start_tick;
	struct mappings mappings;
	struct found *found;
	uint64_t took_ns;
	int r;
};

/* Where the mapping's first byte is among the addresses of the binary. */
static uint64_t bias_of(const struct elf_file *elf, const struct mapping *m)
{
	for (size_t i = 0; i < elf->n_text; i++)
		if (m->offset + (m->end - m->begin) > elf->text[i].offset &&
		    m->offset < elf->text[i].offset + elf->text[i].size)
			return m->begin - m->offset + elf->text[i].offset - elf->text[i].vaddr;
	return m->begin - m->offset;
}

/* The same file is often mapped twice, side by side. */
static const struct found *same_file(const struct reading *j, size_t i)
{
	const struct mapping *m = &j->mappings.list[i];

	if (i > 0 && m->inode && m[-1].inode == m->inode && m[-1].device == m->device &&
	    j->found[i - 1].code.kind != CODE_UNKNOWN)
		return &j->found[i - 1];
	return NULL;
}

static void identify(struct reading *j, int process, size_t i)
{
	_cleanup_elf_ struct elf_file *elf = NULL;
	const struct mapping *m = &j->mappings.list[i];
	struct found *f = &j->found[i];

	f->fd = -EBADF;
	if (m->kind == MAPPING_ANONYMOUS || m->kind == MAPPING_SPECIAL)
		return;
	if (mapping_open(process, &j->mappings, m, &f->fd) < 0)
		return;
	if (elf_file_open(f->fd, &elf) < 0 || code_identify(elf, &f->code) < 0) {
		f->fd = close_fd(f->fd);
		return;
	}
	f->bias = bias_of(elf, m);
	f->code.path = mappings_path(&j->mappings, m);
	if (m->kind == MAPPING_VDSO)
		f->code.kind = CODE_VDSO;
	if (same_file(j, i))
		f->fd = close_fd(f->fd);
}

static void read_run(void *arg)
{
	struct reading *j = arg;
	_cleanup_close_ int process = -EBADF;
	uint64_t begin = now_ns(CLOCK_MONOTONIC);

	process = proc_open(j->spaces->config.roots, (pid_t)j->pid, j->start_tick);
	j->r = process < 0 ? process : mappings_read(process, &j->mappings);
	if (j->r >= 0) {
		j->found = calloc(j->mappings.n + 1, sizeof(*j->found));
		j->r = j->found ? 0 : -ENOMEM;
	}
	for (size_t i = 0; j->r >= 0 && i < j->mappings.n; i++)
		identify(j, process, i);
	j->took_ns = now_ns(CLOCK_MONOTONIC) - begin;
}

static enum wire_mapping_kind kind_of(const struct binary *binary)
{
	switch (binary->state) {
	case BINARY_BUILDING:
		return WIRE_MAPPING_PENDING;
	case BINARY_READY:
		return WIRE_MAPPING_TABLE;
	case BINARY_BARE:
		break;
	}
	return WIRE_MAPPING_PLAIN;
}

/* The kernel may be reading it: what a kind relies on is there before the kind. */
static void write_state(struct wire_mapping *m, const struct binary *binary)
{
	m->pages = binary->table ? binary->table->pages : 0;
	__atomic_store_n(&m->kind, kind_of(binary), __ATOMIC_RELEASE);
}

static void write_mapping(struct reading *j, size_t i, struct wire_mapping *to,
			  struct binary **ret_binary)
{
	const struct mapping *m = &j->mappings.list[i];
	struct found *f = &j->found[i];

	*to = (struct wire_mapping){
		.begin = m->begin,
		.end = m->end,
		.kind = m->kind == MAPPING_ANONYMOUS || m->kind == MAPPING_MEMFD
				? WIRE_MAPPING_ANONYMOUS
				: WIRE_MAPPING_PLAIN,
	};
	*ret_binary = NULL;
	if (f->code.kind == CODE_UNKNOWN)
		return;
	*ret_binary = binaries_get(j->spaces->config.binaries, &f->code, f->fd);
	f->fd = -EBADF;
	if (!*ret_binary)
		return;
	to->bias = f->bias;
	to->binary = (*ret_binary)->number;
	write_state(to, *ret_binary);
}

static int make_run(struct reading *j, struct run *ret)
{
	struct spaces *s = j->spaces;
	struct run run = { .n = (uint32_t)j->mappings.n };
	int r;

	if (run.n == 0)
		return -ENODATA;
	run.binaries = calloc(run.n, sizeof(struct binary *));
	r = run.binaries ? runs_take(s->places, run.n, &run.first) : -ENOMEM;
	if (r < 0) {
		free(run.binaries);
		return r;
	}
	for (uint32_t i = 0; i < run.n; i++)
		write_mapping(j, i, &s->mappings[run.first + i], &run.binaries[i]);
	*ret = run;
	return 0;
}

static int install(struct reading *j, struct space *space)
{
	struct spaces *s = j->spaces;
	struct wire_profiled process = { .mm = j->mm };
	struct run run;
	int r = make_run(j, &run);

	if (r < 0)
		return r;
	process.first = run.first;
	process.count = run.n;
	if (bpf_map_update_elem(bpf_map__fd(s->config.skel->maps.profiled), &j->pid, &process,
				BPF_ANY) < 0) {
		r = -errno;
		give_back(s, &run);
		return r;
	}
	give_back(s, &space->run);
	space->run = run;
	space->known = true;
	return 0;
}

static void reading_free(struct reading *j)
{
	for (size_t i = 0; j->found && i < j->mappings.n; i++)
		close_fd(j->found[i].fd);
	mappings_done(&j->mappings);
	free(j->found);
	free(j);
}

/* Until the next read. One in the middle of an exec finds nothing, but the one after it will. */
static void delay_next_read(struct space *space, uint64_t now, uint64_t took_ns, bool failed)
{
	uint64_t most = failed ? FAILED_PAUSE_NS : MAX(took_ns * READ_SHARE, READ_PAUSE_NS);

	space->next_read_ns = now + space->pause_ns;
	space->pause_ns = MIN(2 * space->pause_ns, most);
}

static void read_done(void *arg)
{
	struct reading *j = arg;
	struct spaces *s = j->spaces;
	struct space **known = hashmap_get(s->by_pid, &j->pid), *space = known ? *known : NULL;
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	int r = j->r;

	if (space && space->mm == j->mm) {
		space->reading = false;
		r = r < 0 ? r : install(j, space);
		delay_next_read(space, now, j->took_ns, r < 0);
		s->figures.no_room += r == -ENOSPC || r == -E2BIG;
		s->figures.failed += r < 0 && r != -ENOSPC && r != -E2BIG;
	}
	reading_free(j);
}

static void read_space(struct spaces *s, struct space *space, const struct wire_sample *sample)
{
	struct reading *j = calloc(1, sizeof(*j));

	if (!j)
		return;
	*j = (struct reading){
		.spaces = s,
		.pid = space->pid,
		.mm = space->mm,
		.executable = sample->executable,
		.start_tick = sample->start_ns / PROCESS_TICK_NS,
	};
	if (work_run(s->config.work, WORK_LANE_FILES, read_run, read_done, j) < 0) {
		free(j);
		return;
	}
	space->reading = true;
	space->executable = sample->executable;
	s->figures.reads++;
}

/* --- from samples ---------------------------------------------------------------------------- */

static struct space *space_of(struct spaces *s, const struct wire_sample *sample)
{
	uint32_t pid = sample->tgid;
	struct space **place, *space;
	bool is_new;

	place = hashmap_put(s->by_pid, &pid, &is_new);
	if (!place) {
		s->figures.no_room++;
		return NULL;
	}
	if (!is_new && (*place)->mm == sample->mm)
		return *place;
	if (!is_new) /* another program, or another process */
		forget(s, *place);
	space = calloc(1, sizeof(*space));
	if (!space) {
		hashmap_remove(s->by_pid, &pid);
		return NULL;
	}
	space->pid = pid;
	space->mm = sample->mm;
	space->pause_ns = FIRST_PAUSE_NS;
	*place = space;
	s->figures.known++;
	return space;
}

void spaces_on_sample(struct spaces *s, const struct wire_sample *sample)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	struct space *space;

	if (!sample->mm || sample->end == WIRE_END_NONE || sample->end == WIRE_END_COMPAT)
		return;
	space = space_of(s, sample);
	if (!space)
		return;
	space->seen_ns = now;
	if (space->reading || now < space->next_read_ns)
		return;
	if (!space->known || space->executable != sample->executable ||
	    sample->end == WIRE_END_MAPPING_UNKNOWN)
		read_space(s, space, sample);
}

void spaces_on_binary(struct spaces *s, const struct binary *binary)
{
	struct space **space;
	const uint32_t *pid;

	HASHMAP_FOREACH(s->by_pid, pos, pid, space)
		for (uint32_t i = 0; i < (*space)->run.n; i++)
			if ((*space)->run.binaries[i] == binary)
				write_state(&s->mappings[(*space)->run.first + i], binary);
}

bool spaces_is_anonymous(const struct spaces *s, pid_t pid, uint64_t address)
{
	uint32_t key = (uint32_t)pid;
	struct space **known = hashmap_get(s->by_pid, &key);
	const struct wire_mapping *m;

	for (uint32_t i = 0; known && i < (*known)->run.n; i++) {
		m = &s->mappings[(*known)->run.first + i];
		if (address >= m->begin && address < m->end)
			return m->kind == WIRE_MAPPING_ANONYMOUS;
	}
	return false;
}

void spaces_expire(struct spaces *s, uint64_t now)
{
	struct space **space;
	const uint32_t *pid;

	HASHMAP_FOREACH(s->by_pid, pos, pid, space) {
		if ((*space)->reading || now - (*space)->seen_ns <= SPACES_IDLE_NS)
			continue;
		forget(s, *space);
		hashmap_remove_at(s->by_pid, &pos);
	}
}

struct spaces_figures spaces_figures(const struct spaces *s)
{
	return s->figures;
}
