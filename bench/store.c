/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the store costs: a day of minutes, then eleven minutes of 5 s steps in which 10,000 flows are
 * active, history on; then a query over all of it. Times are CPU of both threads, without making
 * the flows. Time is the program's own, so it runs as fast as it can:
 *
 *   make bench/bench-store && bench/bench-store [FLOWS [STEPS]]
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

static void bench_query(struct bench *b, const char *what, uint64_t since, struct filter filter)
{
	struct store_query query = { .kinds = 7, .range = { since, UINT64_MAX }, .filter = filter };
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	struct store_cursor *cursor;
	double cpu = cpu_ms();
	size_t rows = 0;

	ended = false;
	store_query(b->store, &query, on_row, on_end, &rows, &cursor);
	b->longest_ns = now_ns(CLOCK_MONOTONIC) - start;
	while (!ended)
		turn(b);
	printf("%-34s %.0f ms, %.0f ms CPU, %zu rows, loop busy at most %.2f ms\n", what,
	       (double)(now_ns(CLOCK_MONOTONIC) - start) / 1e6, cpu_ms() - cpu, rows,
	       (double)b->longest_ns / 1e6);
}

static void bench_queries(struct bench *b)
{
	struct filter filter = {};

	bench_query(b, "query of 1 minute", b->now - 60 * NSEC_PER_SEC, (struct filter){});
	bench_query(b, "query of 10 minutes", b->now - 600 * NSEC_PER_SEC, (struct filter){});
	bench_query(b, "query of 24 hours", 0, (struct filter){});
	filter_add(&filter, "unit", "service-7");
	bench_query(b, "query of 24 hours, one unit", 0, filter);
	print_memory("memory after the queries");
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int main(int argc, char **argv)
{
	struct store_options options = { .max_size = 256 << 20, .top = 1000, .top_stacks = 1000 };
	struct bench b = { .n = argc > 1 ? (unsigned)atoi(argv[1]) : 10000 };
	unsigned steps = argc > 2 ? (unsigned)atoi(argv[2]) : 130;
	char dir[] = "/var/tmp/bench-store-XXXXXX";

	options.retention = 2 * 86400 * NSEC_PER_SEC;
	b.now = (now_ns(CLOCK_REALTIME) / (60 * NSEC_PER_SEC) - 2 * MINUTES) * 60 * NSEC_PER_SEC;
	b.records = calloc(b.n, sizeof(*b.records));
	if (!b.records || !mkdtemp(dir) || sd_event_new(&b.event) < 0 ||
	    work_new(b.event, &b.work) < 0 || store_new(b.work, dir, &options, &b.store) < 0)
		return EXIT_FAILURE;
	make_records(&b);
	store_step(b.store, b.now);
	print_memory("memory with the test's own flows");
	bench_day(&b);
	bench_steps(&b, steps);
	bench_queries(&b);
	store_free(b.store);
	work_free(b.work);
	sd_event_unref(b.event);
	free(b.records);
	nftw(dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
	return EXIT_SUCCESS;
}
