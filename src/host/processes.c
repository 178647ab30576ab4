/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A table by pid holds the youngest process of each; those who had the pid before hang behind it.
 * The dead are also in one list in the order of their death, so forgetting costs what is forgotten.
 */
#include "host/processes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hashmap.h"

#define BOOT_ID_LEN 37

struct processes {
	struct hashmap *by_pid; /* pid_t -> struct process * */
	size_t n;
	size_t string_bytes;
	struct process *dead_first, *dead_last;
	uint64_t full;
	char boot_id[BOOT_ID_LEN];
};

int processes_new(const char *boot_id, struct processes **ret)
{
	_cleanup_free_ struct processes *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	r = hashmap_new(sizeof(pid_t), sizeof(struct process *), PROCESSES_MAX, &p->by_pid);
	if (r < 0)
		return r;
	snprintf(p->boot_id, sizeof(p->boot_id), "%s", boot_id);
	*ret = TAKE(p);
	return 0;
}

void processes_set_exe(struct processes *p, struct process *process, char *exe)
{
	if (process->exe)
		p->string_bytes -= strlen(process->exe) + 1;
	if (exe)
		p->string_bytes += strlen(exe) + 1;
	free(process->exe);
	process->exe = exe;
}

static void release(struct processes *p, struct process *process)
{
	processes_set_exe(p, process, NULL);
	if (process->id)
		p->string_bytes -= strlen(process->id) + 1;
	free(process->id);
	free(process);
	p->n--;
}

struct processes *processes_free(struct processes *p)
{
	struct process **head, *older;
	const pid_t *pid;

	if (!p)
		return NULL;
	HASHMAP_FOREACH(p->by_pid, pos, pid, head)
		for (; *head; *head = older) {
			older = (*head)->older;
			release(p, *head);
		}
	hashmap_free(p->by_pid);
	free(p);
	return NULL;
}

static struct process **head_of(const struct processes *p, pid_t pid)
{
	return hashmap_get(p->by_pid, &pid);
}

static bool may_be(const struct process *process, uint64_t start_tick)
{
	if (!process->start_tick)
		return !process->dead || process->died_ns / PROCESS_TICK_NS >= start_tick;
	return process->start_tick == start_tick;
}

struct process *processes_get(const struct processes *p, pid_t pid, uint64_t start_tick)
{
	struct process **head = head_of(p, pid), *process = head ? *head : NULL;

	while (process && start_tick && !may_be(process, start_tick))
		process = process->older;
	return process;
}

void processes_revive(struct processes *p, struct process *process)
{
	if (!process->dead)
		return;
	*(process->dead_before ? &process->dead_before->dead_after : &p->dead_first) =
		process->dead_after;
	*(process->dead_after ? &process->dead_after->dead_before : &p->dead_last) =
		process->dead_before;
	process->dead_before = process->dead_after = NULL;
	process->dead = false;
}

void processes_bury(struct processes *p, struct process *process, uint64_t now_ns)
{
	processes_revive(p, process);
	process->dead = true;
	process->died_ns = now_ns;
	process->dead_before = p->dead_last;
	*(p->dead_last ? &p->dead_last->dead_after : &p->dead_first) = process;
	p->dead_last = process;
}

/* Takes process out of the chain of its pid, and the pid out of the table with the last one. */
static void unlink_process(struct processes *p, struct process *process)
{
	struct process **head = head_of(p, process->pid), **link = head;

	while (*link != process)
		link = &(*link)->older;
	*link = process->older;
	if (!*head)
		hashmap_remove(p->by_pid, &process->pid);
}

static void forget_longest_dead(struct processes *p)
{
	struct process *process = p->dead_first;

	processes_revive(p, process);
	unlink_process(p, process);
	release(p, process);
}

void processes_expire(struct processes *p, uint64_t before_ns)
{
	while (p->dead_first && p->dead_first->died_ns < before_ns)
		forget_longest_dead(p);
}

/* Puts a process that is not in the table yet into the chain of its pid, the youngest first. */
static int link_process(struct processes *p, struct process *process, uint64_t now_ns)
{
	struct process **link = hashmap_put(p->by_pid, &process->pid, NULL);

	if (!link)
		return -ENOMEM;
	if (*link && (*link)->start_tick > process->start_tick) {
		/* News of a predecessor came late; it is dead, or its pid would not be used again. */
		while (*link && (*link)->start_tick > process->start_tick)
			link = &(*link)->older;
		processes_bury(p, process, now_ns);
	} else if (*link && !(*link)->dead) {
		processes_bury(p, *link, now_ns);
	}
	process->older = *link;
	*link = process;
	p->n++;
	return 0;
}

struct process *processes_put(struct processes *p, pid_t pid, uint64_t start_tick, uint64_t now_ns)
{
	struct process *process = processes_get(p, pid, start_tick);

	if (process) {
		if (!process->start_tick)
			process->start_tick = start_tick;
		return process;
	}
	if (p->n >= PROCESSES_MAX && p->dead_first)
		forget_longest_dead(p);
	process = p->n < PROCESSES_MAX ? calloc(1, sizeof(*process)) : NULL;
	if (!process) {
		p->full++;
		return NULL;
	}
	process->pid = pid;
	process->start_tick = start_tick;
	if (link_process(p, process, now_ns) < 0) {
		p->full++;
		free(process);
		return NULL;
	}
	return process;
}

const char *processes_id(struct processes *p, struct process *process)
{
	int n;

	if (process->id)
		return process->id;
	n = asprintf(&process->id, "%s/%d/%" PRIu64, p->boot_id, process->pid, process->start_tick);
	if (n < 0)
		return process->id = NULL;
	p->string_bytes += (size_t)n + 1;
	return process->id;
}

void processes_scan_begin(struct processes *p)
{
	struct process **head;
	const pid_t *pid;

	HASHMAP_FOREACH(p->by_pid, pos, pid, head)
		(*head)->seen = false;
}

void processes_scan_end(struct processes *p, uint64_t before_tick, uint64_t now_ns)
{
	struct process **head;
	const pid_t *pid;

	HASHMAP_FOREACH(p->by_pid, pos, pid, head)
		if (!(*head)->seen && !(*head)->dead && (*head)->start_tick < before_tick)
			processes_bury(p, *head, now_ns);
}

size_t processes_bytes(const struct processes *p)
{
	return sizeof(*p) + hashmap_bytes(p->by_pid) + p->n * sizeof(struct process) +
	       p->string_bytes;
}

uint64_t processes_full(const struct processes *p)
{
	return p->full;
}
