/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the store costs: a day of minutes, then eleven minutes of 5 s steps in which 10,000 flows are
 * active, history on; then a query over all of it. Times are CPU of both threads, without making
 * the flows. Time is the program's own, so it runs as fast as it can. Then the same with the stack
 * samples of a busy machine:
 *
 *   make bench/bench-store && bench/bench-store [FLOWS [STEPS [CPUS [HERTZ]]]]
 */
#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "base/work.h"
#include "store/store.h"

#define MINUTES 1440
#define FLOWS_OF_A_MINUTE 1000U

struct bench {
	sd_event *event;
	struct work *work;
	struct store *store;
	uint64_t now;
	struct record *records;
	unsigned n;
	uint64_t longest_ns; /* that the loop was busy */
};

static double cpu_ms(void)
{
	return (double)now_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e6;
}

static void fill_end(struct endpoint *e, unsigned n, const char *unit)
{
	e->address.bytes[10] = e->address.bytes[11] = 0xff;
	e->address.bytes[12] = 10;
	e->address.bytes[14] = (uint8_t)(n >> 8);
	e->address.bytes[15] = (uint8_t)n;
	e->workload = (struct workload){ WORKLOAD_UNIT, unit, unit, "" };
}

/* 50 services, each with its address and process, and clients of which each has 4 connections. */
static void make_records(struct bench *b)
{
	static char units[50][32];

	for (unsigned i = 0; i < b->n; i++) {
		struct flow *f = &b->records[i].flow;
		char *unit = units[i % ARRAY_SIZE(units)];

		snprintf(unit, sizeof(units[0]), "service-%zu.service", i % ARRAY_SIZE(units));
		*f = (struct flow){ .netns = 4026531840, .protocol = IPPROTO_TCP };
		f->side = FLOW_SIDE_SERVER;
		fill_end(&f->local, i % ARRAY_SIZE(units), unit);
		f->local.port = 443;
		f->local.process =
			(struct process_ref){ .pid = (pid_t)(1000 + i % 50), .comm = "server" };
		fill_end(&f->peer, 256 + i / 4, "");
		f->peer.workload.kind = WORKLOAD_NONE;
		f->peer.port = (uint16_t)(32768 + i * 13);
	}
}

static void change_counts(struct bench *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct flow *f = &b->records[i].flow;
		uint64_t skbs = (uint64_t)rand() % 200 + 1;

		f->tx = (struct flow_count){ skbs, skbs * 900, skbs + 3, skbs * 960 };
		f->rx = (struct flow_count){ skbs, skbs * 66, skbs, skbs * 66 };
		f->tcp = (struct flow_tcp){ (uint32_t)rand() % 50000, 0, 0, 0x18, 2 };
	}
}

static void turn(struct bench *b)
{
	uint64_t start;
	int r;

	r = sd_event_prepare(b->event);
	if (r == 0)
		r = sd_event_wait(b->event, USEC_PER_MSEC);
	start = now_ns(CLOCK_MONOTONIC);
	if (r > 0)
		sd_event_dispatch(b->event);
	b->longest_ns = MAX(b->longest_ns, now_ns(CLOCK_MONOTONIC) - start);
}

static void settle(struct bench *b)
{
	uint64_t quiet = now_ns(CLOCK_MONOTONIC) + 3 * NSEC_PER_MSEC;
	struct store_figures figures;

	do {
		turn(b);
		store_figures(b->store, &figures);
	} while (figures.waiting_steps > 0 || now_ns(CLOCK_MONOTONIC) < quiet);
}

/* Until the worker has joined all that there is to join: otherwise it shows in what is measured next. */
static void settle_all(struct bench *b)
{
	uint64_t end;
	double cpu;

	settle(b);
	do {
		cpu = cpu_ms();
		end = now_ns(CLOCK_MONOTONIC) + 20 * NSEC_PER_MSEC;
		while (now_ns(CLOCK_MONOTONIC) < end)
			turn(b);
	} while (cpu_ms() - cpu > 5);
}

static void add_all(struct bench *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		store_add(b->store, &b->records[i]);
}

static void bench_day(struct bench *b)
{
	for (int i = 0; i < MINUTES; i++) {
		change_counts(b);
		add_all(b, MIN(b->n, FLOWS_OF_A_MINUTE));
		b->now += 60 * NSEC_PER_SEC;
		store_step(b->store, b->now);
		settle(b);
	}
}

static void print_memory(const char *when)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (has_prefix(line, "RssAnon:"))
			printf("%-34s %s", when, line + strlen("RssAnon:"));
}

static void bench_steps(struct bench *b, unsigned steps)
{
	double add = 0, step = 0, rest = 0, start;
	struct store_figures before, figures;
	unsigned sampled = MIN(steps, 60U); /* before minutes are joined */

	b->longest_ns = 0;
	store_figures(b->store, &before);
	for (unsigned i = 0; i < steps; i++) {
		change_counts(b);
		start = cpu_ms();
		add_all(b, b->n);
		add += cpu_ms() - start;
		if (i == steps - 1)
			print_memory("memory before a step ends");
		b->now += 5 * NSEC_PER_SEC;
		start = cpu_ms();
		store_step(b->store, b->now);
		step += cpu_ms() - start;
		settle(b);
		rest += cpu_ms() - start;
		store_figures(b->store, &figures);
		if (i == sampled - 1)
			printf("disk, a flow of a step             %.1f bytes\n",
			       (double)(figures.disk_bytes - before.disk_bytes) / sampled / b->n);
	}
	printf("CPU of a step                      %.2f ms: add %.2f, end %.2f, write and join "
	       "%.2f\n",
	       (add + rest) / steps, add / steps, step / steps, (rest - step) / steps);
	printf("loop busy at most                  %.2f ms\n", (double)b->longest_ns / 1e6);
	printf("disk                               %.1f MB\n", (double)figures.disk_bytes / 1e6);
}

static void on_row(void *userdata, const struct record *record)
{
	size_t *rows = userdata;

	++*rows;
}

static bool ended;

static void on_end(void *userdata, int r, const struct store_summary *summary)
{
	ended = true;
}

/* Takes the filter over. */
static void bench_query(struct bench *b, const char *what, struct store_query *query)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	struct store_cursor *cursor;
	double cpu = cpu_ms();
	size_t rows = 0;

	ended = false;
	store_query(b->store, query, on_row, on_end, &rows, &cursor);
	b->longest_ns = now_ns(CLOCK_MONOTONIC) - start;
	while (!ended)
		turn(b);
	printf("%-34s %.0f ms, %.0f ms CPU, %zu rows, loop busy at most %.2f ms\n", what,
	       (double)(now_ns(CLOCK_MONOTONIC) - start) / 1e6, cpu_ms() - cpu, rows,
	       (double)b->longest_ns / 1e6);
}

static void bench_queries(struct bench *b)
{
	struct store_query query = { .kinds = 7, .range.until_ns = UINT64_MAX };

	query.range.since_ns = b->now - 60 * NSEC_PER_SEC;
	bench_query(b, "query of 1 minute", &query);
	query.range.since_ns = b->now - 600 * NSEC_PER_SEC;
	bench_query(b, "query of 10 minutes", &query);
	query.range.since_ns = 0;
	bench_query(b, "query of 24 hours", &query);
	filter_add(&query.filter, "unit", "service-7");
	bench_query(b, "query of 24 hours, one unit", &query);
	print_memory("memory after the queries");
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

/*
 * A busy machine: 200 processes of 50 services run 20 programs. What a program does is a tree of
 * 32 levels and 4096 ends, most of the time in few of its branches, and a third of the samples are in
 * the kernel. Two samples are rarely at the same instruction.
 */
#define PROCESSES 200
#define PROGRAMS 20
#define BRANCH_BITS 12
#define LEVELS 32

struct load {
	unsigned per_second;
	struct code codes[PROGRAMS + 1]; /* the last: the kernel */
	struct frame frames[2 * LEVELS];
	struct record record;
};

static void load_init(struct load *load, unsigned per_second)
{
	load->per_second = per_second;
	for (unsigned i = 0; i <= PROGRAMS; i++) {
		load->codes[i] = (struct code){ .kind = i < PROGRAMS ? CODE_FILE : CODE_KERNEL,
						.id_size = 20,
						.path = "/usr/lib/service/bin/service" };
		memset(load->codes[i].id, (int)i + 1, 20);
	}
}

/* Mostly small: below n, a half below an eighth of n. */
static unsigned skewed(unsigned n)
{
	double u = (double)rand() / ((double)RAND_MAX + 1);

	return (unsigned)(u * u * u * n);
}

/* What two branches have in common ends at the first bit that differs, the higher the nearer to the root. */
static unsigned fill_stack(struct load *load, const struct code *code, unsigned levels,
			   struct frame *frames)
{
	unsigned branch = skewed(1 << BRANCH_BITS);

	for (unsigned i = 0; i < levels; i++) {
		unsigned known = branch >> (BRANCH_BITS - BRANCH_BITS * i / levels);

		frames[levels - 1 - i].code = code;
		frames[levels - 1 - i].address = 0x400000 + (known * 37 + i) % 5000 * 512;
	}
	frames[0].address += (unsigned)rand() % 64 * 4;
	return levels;
}

static const struct record *random_stack(struct load *load)
{
	static char units[50][32];
	struct sample *s = &load->record.sample;
	unsigned process = skewed(PROCESSES), kernel = rand() % 3 ? 0 : 8 + (unsigned)rand() % 8;
	char *unit = units[process % ARRAY_SIZE(units)];

	snprintf(unit, sizeof(units[0]), "service-%zu.service", process % ARRAY_SIZE(units));
	load->record.kind = RECORD_SAMPLE;
	*s = (struct sample){ .frames = load->frames, .count = 1, .value = 52631578 };
	s->process = (struct process_ref){ .pid = (pid_t)(1000 + process), .comm = "service" };
	s->workload = (struct workload){ WORKLOAD_UNIT, unit, unit, "" };
	s->tid = s->process.pid + rand() % 8;
	snprintf(s->thread, sizeof(s->thread), "worker-%d", s->tid % 4);
	s->cpu = rand() % 8;
	s->n_kernel = kernel;
	if (kernel)
		fill_stack(load, &load->codes[PROGRAMS], kernel, load->frames);
	s->n = kernel +
	       fill_stack(load, &load->codes[process % PROGRAMS], LEVELS, load->frames + kernel);
	return &load->record;
}

static double add_samples(struct bench *b, struct load *load, unsigned seconds)
{
	double add = 0, start;

	for (unsigned i = 0; i < load->per_second * seconds; i++) {
		const struct record *record = random_stack(load);

		start = cpu_ms();
		store_add(b->store, record);
		add += cpu_ms() - start;
	}
	return add;
}

static void bench_samples(struct bench *b, struct load *load)
{
	double add = 0, rest = 0, start;
	struct store_figures figures;

	for (int i = 0; i < MINUTES; i++) {
		add_samples(b, load, 60);
		b->now += 60 * NSEC_PER_SEC;
		store_step(b->store, b->now);
		settle(b);
	}
	settle_all(b);
	b->longest_ns = 0;
	for (int i = 0; i < 132; i++) {
		add += add_samples(b, load, 5);
		b->now += 5 * NSEC_PER_SEC;
		start = cpu_ms();
		store_step(b->store, b->now);
		settle(b);
		rest += cpu_ms() - start;
	}
	settle_all(b);
	print_memory("memory with samples");
	store_figures(b->store, &figures);
	printf("%-34s %u samples, CPU: add %.2f ms, write and join %.2f ms\n", "a step of samples",
	       load->per_second * 5, add / 132, rest / 132);
	printf("%-34s %.1f MB, of samples %.1f MB\n", "disk of 24 hours", figures.disk_bytes / 1e6,
	       figures.sample_bytes / 1e6);
	printf("%-34s %.0f hours\n", "256 MB hold", (double)figures.holds_ns / 3.6e12);
}

static void bench_sample_queries(struct bench *b)
{
	struct store_query query = { .kinds = 1 << RECORD_SAMPLE | 1 << RECORD_SAMPLE_LOSS,
				     .range.until_ns = UINT64_MAX,
				     .folded = true };

	query.range.since_ns = b->now - 60 * NSEC_PER_SEC;
	bench_query(b, "samples of 1 minute", &query);
	query.range.since_ns = b->now - 600 * NSEC_PER_SEC;
	bench_query(b, "samples of 10 minutes", &query);
	query.range.since_ns = 0;
	bench_query(b, "samples of 24 hours", &query);
	filter_add(&query.filter, "unit", "service-7");
	bench_query(b, "samples of 24 hours, one unit", &query);
	print_memory("memory after the queries");
}

static bool open_store(struct bench *b, const struct store_options *options, char *dir)
{
	b->now = (now_ns(CLOCK_REALTIME) / (60 * NSEC_PER_SEC) - 2 * MINUTES) * 60 * NSEC_PER_SEC;
	if (!mkdtemp(dir) || sd_event_new(&b->event) < 0 || work_new(b->event, &b->work) < 0 ||
	    store_new(b->work, dir, options, &b->store) < 0)
		return false;
	store_step(b->store, b->now);
	return true;
}

static void close_store(struct bench *b, const char *dir)
{
	store_free(b->store);
	work_free(b->work);
	sd_event_unref(b->event);
	nftw(dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
}

static int bench_flows(const struct store_options *options, unsigned n, unsigned steps)
{
	char dir[] = "/var/tmp/bench-store-XXXXXX";
	struct bench b = { .n = n, .records = calloc(n, sizeof(struct record)) };

	if (!b.records)
		return -ENOMEM;
	make_records(&b);
	if (!open_store(&b, options, dir))
		return -EIO;
	print_memory("memory with the test's own flows");
	bench_day(&b);
	bench_steps(&b, steps);
	bench_queries(&b);
	close_store(&b, dir);
	free(b.records);
	return 0;
}

static int bench_stacks(const struct store_options *options, unsigned per_second)
{
	char dir[] = "/var/tmp/bench-store-XXXXXX";
	struct bench b = {};
	struct load load;

	if (per_second == 0)
		return 0;
	load_init(&load, per_second);
	if (!open_store(&b, options, dir))
		return -EIO;
	bench_samples(&b, &load);
	bench_sample_queries(&b);
	close_store(&b, dir);
	return 0;
}

int main(int argc, char **argv)
{
	struct store_options options = { .max_size = 256 << 20, .top = 1000, .top_stacks = 1000 };
	unsigned flows = argc > 1 ? (unsigned)atoi(argv[1]) : 10000;
	unsigned steps = argc > 2 ? (unsigned)atoi(argv[2]) : 130;
	unsigned cpus = argc > 3 ? (unsigned)atoi(argv[3]) : 2;
	unsigned hertz = argc > 4 ? (unsigned)atoi(argv[4]) : 19;

	options.retention = 2 * 86400 * NSEC_PER_SEC;
	if (bench_flows(&options, flows, steps) < 0 || bench_stacks(&options, cpus * hertz) < 0)
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}
