/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stack-sampler FREQUENCY SECONDS {pid PID | cgroup PATH} [oracle]
 *
 * The profiler's kernel side and its tables, without the daemon: prints each sample as it came, so that
 * a test can hold it against what it knows. A line per sample, then one that begins with "total":
 *
 *   TIME TGID TID END KERNEL-FRAMES FLAGS FRAME...    FRAME: FILE+ADDRESS, ?+ADDRESS or k+ADDRESS
 *
 * With "oracle", the registers and the stack of the same event go to libdw, too: oracle.h.
 * Ends after SECONDS, or when whoever reads closes its standard input.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/child.h"
#include "base/disk-cache.h"
#include "base/util.h"
#include "base/work.h"
#include "bpf/profile.skel.h"
#include "bpf/wire/scope.h"
#include "collect/profile/events.h"
#include "collect/profile/spaces.h"
#include "collect/shared/grace.h"
#include "oracle.h"

#define TABLES_BYTES (UINT64_C(64) << 20)
#define DRAIN_USEC 20000
#define RING_BYTES (8U << 20)

static struct profile_bpf *skel;
static struct binaries *binaries;
static struct spaces *spaces;
static struct ring_buffer *ring;
static struct oracle *oracle; /* NULL: not asked for */
static uint64_t ends[WIRE_ENDS], n_samples;

static void on_binary(void *userdata, const struct binary *binary)
{
	(void)userdata;
	spaces_on_binary(spaces, binary);
}

static void print_frame(uint64_t frame, bool kernel)
{
	const struct binary *binary = binaries_at(binaries, frame >> WIRE_FRAME_BINARY_SHIFT);

	if (kernel)
		printf(" k+%" PRIx64, frame);
	else if (binary && frame >> WIRE_FRAME_BINARY_SHIFT)
		printf(" %s+%" PRIx64, binary->code.path,
		       frame & ((UINT64_C(1) << WIRE_FRAME_BINARY_SHIFT) - 1));
	else
		printf(" ?+%" PRIx64, frame);
}

static int on_sample(void *userdata, void *data, size_t size)
{
	const struct wire_sample *s = data;

	(void)userdata;
	(void)size;
	spaces_on_sample(spaces, s);
	ends[s->end]++;
	n_samples++;
	printf("%llu %u %u %u %u %u", s->time_ns, s->tgid, s->tid, s->end, s->kernel_frames,
	       s->flags);
	for (unsigned i = 0; i < s->kernel_frames + (unsigned)s->user_frames; i++)
		print_frame(s->frames[i], i < s->kernel_frames);
	putchar('\n');
	return 0;
}

static int on_drain(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)userdata;
	ring_buffer__consume(ring);
	oracle_drain(oracle);
	sd_event_source_set_time(source, usec + DRAIN_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_wakeup(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source;
	(void)fd;
	(void)events;
	(void)userdata;
	ring_buffer__consume(ring);
	return 0;
}

static int on_end(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)usec;
	(void)userdata;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int on_hangup(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)fd;
	(void)events;
	return on_end(source, 0, userdata);
}

static void set_scope(const char *what, const char *value)
{
	struct wire_scope scope = { 0 };
	bool cgroup = strcmp(what, "cgroup") == 0;
	uint64_t key;
	struct stat st;
	uint32_t zero = 0;
	uint8_t yes = 1;

	if (cgroup && stat(value, &st) < 0) {
		perror(value);
		exit(1);
	}
	key = cgroup ? st.st_ino : strtoull(value, NULL, 10);
	scope.cgroup = cgroup;
	scope.pid = !cgroup;
	bpf_map_update_elem(bpf_map__fd(cgroup ? skel->maps.scope_cgroups : skel->maps.scope_pids),
			    &key, &yes, BPF_ANY);
	bpf_map_update_elem(bpf_map__fd(skel->maps.scope), &zero, &scope, BPF_ANY);
}

static void check(const char *what, int r)
{
	if (r >= 0)
		return;
	fprintf(stderr, "stack-sampler: %s: %s\n", what, strerror(-r));
	exit(1);
}

static uint64_t counted(uint32_t what)
{
	uint64_t values[1024], sum = 0;

	bpf_map_lookup_elem(bpf_map__fd(skel->maps.profile_counts), &what, values);
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		sum += values[cpu];
	return sum;
}

static void print_totals(void)
{
	struct binaries_figures b = binaries_figures(binaries);
	struct spaces_figures s = spaces_figures(spaces);

	printf("total samples %" PRIu64, n_samples);
	for (int end = 0; end < WIRE_ENDS; end++)
		printf(" end%d %" PRIu64, end, ends[end]);
	printf(" fired %" PRIu64 " delivered %" PRIu64 " lost %" PRIu64 " filtered %" PRIu64,
	       counted(WIRE_PROFILE_FIRED), counted(WIRE_PROFILE_DELIVERED),
	       counted(WIRE_PROFILE_LOST), counted(WIRE_PROFILE_FILTERED));
	printf(" binaries %" PRIu64 " ready %" PRIu64 " bare %" PRIu64 " refused %" PRIu64
	       " no_room %" PRIu64 " table_bytes %" PRIu64,
	       b.known, b.ready, b.bare, b.refused, b.no_room, b.table_bytes);
	printf(" spaces %" PRIu64 " reads %" PRIu64 " failed %" PRIu64 "\n", s.known, s.reads,
	       s.failed);
}

int main(int argc, char **argv)
{
	struct sd_event_source *drain = NULL, *end = NULL, *hangup = NULL, *wakeup = NULL;
	struct disk_cache *cache;
	struct events *events = NULL;
	struct grace grace;
	struct work *work;
	sd_event *event;

	if (child_is_asked_for(argc, argv))
		return child_main(argv, child_registry);
	if (argc < 5) {
		fprintf(stderr, "usage: stack-sampler FREQUENCY SECONDS {pid PID | cgroup PATH} "
				"[oracle]\n");
		return 2;
	}
	check("sd_event", sd_event_new(&event));
	check("work", work_new(event, &work));
	check("cache", disk_cache_new("/proc/none", 0, &cache)); /* all tables are built anew */
	skel = profile_bpf__open();
	bpf_map__set_max_entries(skel->maps.samples, RING_BYTES);
	skel->rodata->profile_keeps_sample = argc > 5;
	check("load", profile_bpf__load(skel));
	set_scope(argv[3], argv[4]);
	check("grace", grace_init(&grace, skel->maps.grace));
	check("binaries", binaries_new(&(struct binaries_config){ .work = work,
								  .skel = skel,
								  .cache = cache,
								  .max_bytes = TABLES_BYTES,
								  .changed = on_binary },
				       &binaries));
	check("spaces", spaces_new(&(struct spaces_config){ .work = work,
							    .skel = skel,
							    .grace = &grace,
							    .binaries = binaries,
							    .roots = &host_roots_machine },
				   &spaces));
	ring = ring_buffer__new(bpf_map__fd(skel->maps.samples), on_sample, NULL, NULL);
	if (argc > 5)
		check("oracle",
		      oracle_new(skel->progs.profile_sample, (unsigned)atoi(argv[1]), &oracle));
	else
		check("events",
		      events_new(skel->progs.profile_sample, (unsigned)atoi(argv[1]), &events));
	sd_event_add_time_relative(event, &drain, CLOCK_MONOTONIC, 0, 1000, on_drain, NULL);
	sd_event_add_time_relative(event, &end, CLOCK_MONOTONIC, atof(argv[2]) * 1e6, 1000, on_end,
				   NULL);
	sd_event_add_io(event, &wakeup, ring_buffer__epoll_fd(ring), EPOLLIN, on_wakeup, NULL);
	sd_event_add_io(event, &hangup, STDIN_FILENO, 0, on_hangup, NULL); /* EPOLLHUP always is */
	fprintf(stderr, "ready\n");
	sd_event_loop(event);

	events_free(events);
	ring_buffer__consume(ring);
	oracle_drain(oracle);
	oracle_free(oracle);
	work_drain(work);
	print_totals();
	spaces_free(spaces);
	binaries_free(binaries);
	work_free(work);
	disk_cache_free(cache);
	grace_done(&grace);
	ring_buffer__free(ring);
	profile_bpf__destroy(skel);
	sd_event_source_unref(drain);
	sd_event_source_unref(end);
	sd_event_source_unref(hangup);
	sd_event_source_unref(wakeup);
	sd_event_unref(event);
	return 0;
}
