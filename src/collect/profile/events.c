/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which CPUs are online is a line of text in sysfs: "0-3,5". */
#include "collect/profile/events.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"

#define ONLINE "/sys/devices/system/cpu/online"
#define ONLINE_LINE 4096

struct cpu {
	int fd; /* owned by link; -EBADF: not watched */
	struct bpf_link *link;
	uint64_t since_ns; /* CLOCK_MONOTONIC */
};

struct events {
	const struct bpf_program *program;
	unsigned frequency;
	enum events_source source;
	struct cpu *cpus;
	unsigned n_cpus; /* possible ones */
	uint64_t watched_ns; /* by those that are not watched any more */
};

static int open_event(unsigned cpu, enum events_source source, unsigned frequency)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = source == EVENTS_CYCLES ? PERF_TYPE_HARDWARE : PERF_TYPE_SOFTWARE,
		.config = source == EVENTS_CYCLES ? PERF_COUNT_HW_CPU_CYCLES
						  : PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = frequency,
		.freq = 1,
		.exclude_idle = 1,
		.exclude_guest = 1,
	};
	long fd = syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

static void unwatch(struct events *e, struct cpu *cpu)
{
	if (!cpu->link)
		return;
	bpf_link__destroy(TAKE(cpu->link));
	cpu->fd = -EBADF;
	e->watched_ns += now_ns(CLOCK_MONOTONIC) - cpu->since_ns;
}

static int watch(struct events *e, unsigned number)
{
	struct cpu *cpu = &e->cpus[number];
	int fd;

	if (number >= e->n_cpus || cpu->link)
		return 0;
	fd = open_event(number, e->source, e->frequency);
	if (fd < 0)
		return fd;
	cpu->link = bpf_program__attach_perf_event(e->program, fd);
	if (!cpu->link) {
		int r = -errno;

		close(fd);
		return r;
	}
	cpu->fd = fd;
	cpu->since_ns = now_ns(CLOCK_MONOTONIC);
	return 0;
}

/* Reads the next range of the list; false at its end. */
static bool next_range(const char **text, unsigned *first, unsigned *last)
{
	int length;

	if (sscanf(*text, "%u-%u%n", first, last, &length) < 2) {
		if (sscanf(*text, "%u%n", first, &length) < 1)
			return false;
		*last = *first;
	}
	*text += length;
	*text += **text == ',';
	return true;
}

static int read_online(bool *online, unsigned n)
{
	_cleanup_fclose_ FILE *f = fopen(ONLINE, "re");
	char line[ONLINE_LINE];
	const char *text = line;
	unsigned first, last;

	if (!f)
		return -errno;
	if (!fgets(line, sizeof(line), f))
		return -EIO;
	while (next_range(&text, &first, &last))
		for (unsigned cpu = first; cpu <= last && cpu < n; cpu++)
			online[cpu] = true;
	return 0;
}

/* The first failure, if no CPU is watched. */
static int watch_online(struct events *e)
{
	_cleanup_free_ bool *online = calloc(e->n_cpus, sizeof(*online));
	int r = online ? read_online(online, e->n_cpus) : -ENOMEM, first = 0;

	if (r < 0)
		return r;
	for (unsigned cpu = 0; cpu < e->n_cpus; cpu++) {
		if (!online[cpu]) {
			unwatch(e, &e->cpus[cpu]);
			continue;
		}
		r = watch(e, cpu);
		first = first ?: r;
	}
	return events_cpus(e) ? 0 : first ?: -ENODEV;
}

int events_new(const struct bpf_program *program, unsigned frequency, struct events **ret)
{
	_cleanup_(events_free_p) struct events *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->program = program;
	e->frequency = frequency;
	e->n_cpus = (unsigned)libbpf_num_possible_cpus();
	e->cpus = calloc(e->n_cpus, sizeof(*e->cpus));
	if (!e->cpus)
		return -ENOMEM;
	e->source = EVENTS_CYCLES;
	r = watch_online(e);
	if (r < 0) { /* no counters here (a virtual machine), or not for us */
		e->source = EVENTS_CLOCK;
		r = watch_online(e);
	}
	if (r < 0)
		return r;
	*ret = TAKE(e);
	return 0;
}

struct events *events_free(struct events *e)
{
	if (!e)
		return NULL;
	for (unsigned cpu = 0; e->cpus && cpu < e->n_cpus; cpu++)
		unwatch(e, &e->cpus[cpu]);
	free(e->cpus);
	free(e);
	return NULL;
}

enum events_source events_source(const struct events *e)
{
	return e->source;
}

int events_set_frequency(struct events *e, unsigned frequency)
{
	/* The kernel has made a period of the clock's frequency (perf_swevent_init_hrtimer()). */
	uint64_t value = e->source == EVENTS_CLOCK ? NSEC_PER_SEC / frequency : frequency;
	int r = 0;

	for (unsigned cpu = 0; cpu < e->n_cpus; cpu++)
		if (e->cpus[cpu].link &&
		    ioctl(e->cpus[cpu].fd, PERF_EVENT_IOC_PERIOD, &value) < 0 && r == 0)
			r = -errno;
	e->frequency = frequency;
	return r;
}

void events_refresh(struct events *e)
{
	watch_online(e);
}

unsigned events_cpus(const struct events *e)
{
	unsigned n = 0;

	for (unsigned cpu = 0; cpu < e->n_cpus; cpu++)
		n += e->cpus[cpu].link != NULL;
	return n;
}

double events_cpu_seconds(const struct events *e)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC), ns = e->watched_ns;

	for (unsigned cpu = 0; cpu < e->n_cpus; cpu++)
		if (e->cpus[cpu].link)
			ns += now - e->cpus[cpu].since_ns;
	return (double)ns / NSEC_PER_SEC;
}
