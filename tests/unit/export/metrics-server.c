/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics-server [KEY=VALUE]...: runs the exporters as the daemon does, with made-up flows, for
 * tests with other people's clients. KEYs are options ("exporters.prometheus.listen"), and
 * "label_addresses". Commands come on standard input, one a line; each is answered by a line:
 *
 *   flows N BYTES   one flow record for each of N pairs: BYTES sent, BYTES / 2 received
 *   step            the step ends; /ready is true from the first one on
 *   stall           the most CPU time (in µs) that went by before another event source with a
 *                   timer of 1 ms got its turn, since the last "stall"
 *   cpu             CPU time of the process so far, in µs
 *   status          state and reason of each exporter
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"
#include "export/export.h"

#define EXPORTERS_MAX 8
#define TICK_USEC 1000

static struct {
	sd_event *event;
	struct export_env env;
	struct {
		const struct export_ops *ops;
		void *options;
		struct exporter *exporter;
	} exporters[EXPORTERS_MAX];
	size_t n_exporters;
	uint64_t steps, tick_cpu_usec, stall_usec;
} server;

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "metrics-server: %s failed\n", what);
	exit(1);
}

static void collect(void *userdata, struct metric_sink *sink)
{
	uint64_t counts[32] = { [3] = 2 };
	const struct metric_histogram h = { .counts = counts, .sum = 0.01, .count = 2 };

	(void)userdata;
	for (size_t i = 0; i < server.n_exporters; i++)
		if (server.exporters[i].ops->metrics)
			server.exporters[i].ops->metrics(server.exporters[i].exporter, sink);
	sink->histogram(sink, METRIC_COLLECTION_DURATION, (const char *[]){ "flows" }, &h);
	metric_emit(sink, METRIC_BUILD_INFO, (const char *[]){ "1 \"quoted\" \\ \n \xff end" }, 1);
	for (enum metric_id id = METRIC_BPF_LOAD_STATUS; id < METRIC_BUILD_INFO; id++)
		if (metric_families[id].type != METRIC_HISTOGRAM && id != METRIC_SERIES_OVERFLOW)
			metric_emit(sink, id, (const char *[]){ "x", "y" }, 0.25);
}

static bool ready(void *userdata, char *reason, size_t size)
{
	(void)userdata;
	if (server.steps > 0)
		return true;
	snprintf(reason, size, "flows: waiting for its first step");
	return false;
}

/* Every fourth pair speaks UDP, every tenth with someone outside, every 50th has drops. */
static void make_flow(unsigned i, uint64_t bytes, char names[2][64], struct record *ret)
{
	struct flow *f = &ret->flow;

	*ret = (struct record){ .kind = RECORD_FLOW };
	f->role = i % 2 ? FLOW_ROLE_VETH : FLOW_ROLE_WIRE;
	f->protocol = i % 4 ? IPPROTO_TCP : IPPROTO_UDP;
	snprintf(names[0], sizeof(names[0]), "unit-%u.service", i % 100);
	snprintf(names[1], sizeof(names[1]), "payments-gateway-7c9d8b6f5d-x2x4z-%u", i);
	f->local.workload = (struct workload){ WORKLOAD_UNIT, names[0], names[0], "" };
	if (i % 10)
		f->peer.workload = (struct workload){ WORKLOAD_POD, names[1], names[1], "shop" };
	f->peer.external = i % 10 == 0;
	f->local.address.bytes[15] = 1;
	memcpy(f->peer.address.bytes + 12, &i, sizeof(i));
	f->tx = (struct flow_count){ 1, bytes, 2, bytes };
	f->rx = (struct flow_count){ 1, bytes / 2, 1, bytes / 2 };
	if (f->protocol == IPPROTO_TCP)
		f->tcp = (struct flow_tcp){ 100 + i, 1, 0, 0, 1 + i % (TCP_STATE_MAX_ - 1) };
	if (i % 50 == 0) {
		f->n_drops = 1;
		f->drops[0] = (struct flow_drops){ "NO_SOCKET", 3 };
	}
}

static void tell(const struct record *record)
{
	for (size_t i = 0; i < server.n_exporters; i++)
		if (server.exporters[i].ops->record)
			server.exporters[i].ops->record(server.exporters[i].exporter, record);
}

static void tell_flows(unsigned n, uint64_t bytes)
{
	struct record untracked = {
		.kind = RECORD_UNTRACKED,
		.untracked = { .role = FLOW_ROLE_WIRE,
			       .reason = UNTRACKED_NOT_IP,
			       .rx = { 1, 60, 1, 60 } },
	};
	struct record record;
	char names[2][64];

	for (unsigned i = 0; i < n; i++) {
		make_flow(i, bytes, names, &record);
		tell(&record);
	}
	tell(&untracked);
}

static void end_step(void)
{
	for (size_t i = 0; i < server.n_exporters; i++)
		if (server.exporters[i].ops->step_end)
			server.exporters[i].ops->step_end(server.exporters[i].exporter);
	server.steps++;
}

static uint64_t cpu_usec(void)
{
	return now_ns(CLOCK_PROCESS_CPUTIME_ID) / NSEC_PER_USEC;
}

static void print_status(void)
{
	struct part_status status;

	for (size_t i = 0; i < server.n_exporters; i++) {
		server.exporters[i].ops->status(server.exporters[i].exporter, &status);
		printf("%s%s %s: %s", i ? " | " : "", status.name, part_state_name(status.state),
		       status.reason);
	}
	puts("");
}

static void command(const char *line)
{
	unsigned long long bytes;
	unsigned n;

	if (sscanf(line, "flows %u %llu", &n, &bytes) == 2) {
		tell_flows(n, bytes);
		puts("ok");
	} else if (has_prefix(line, "step")) {
		end_step();
		puts("ok");
	} else if (has_prefix(line, "stall")) {
		printf("%llu\n", (unsigned long long)server.stall_usec);
		server.stall_usec = 0;
	} else if (has_prefix(line, "cpu")) {
		printf("%llu\n", (unsigned long long)cpu_usec());
	} else if (has_prefix(line, "status")) {
		print_status();
	} else {
		puts("?");
	}
	fflush(stdout);
}

static int on_stdin(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	char line[128];

	(void)source;
	(void)fd;
	(void)events;
	(void)userdata;
	/* One command at a time: the client waits for the answer. */
	if (!fgets(line, sizeof(line), stdin))
		return sd_event_exit(server.event, 0);
	command(line);
	server.tick_cpu_usec = 0; /* what a command takes is not what is measured */
	return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	uint64_t cpu = cpu_usec(), now = 0;

	(void)usec;
	(void)userdata;
	sd_event_now(server.event, CLOCK_MONOTONIC, &now);
	if (server.tick_cpu_usec > 0)
		server.stall_usec = MAX(server.stall_usec, cpu - server.tick_cpu_usec);
	server.tick_cpu_usec = cpu;
	sd_event_source_set_time(source, now + TICK_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ON);
}

static void set_option(const struct option_group *group, void *values, char *const *args)
{
	char error[256] = "no such key";

	for (; *args; args++) {
		const char *equals = strchr(*args, '=');
		size_t n = strlen(group->prefix);

		if (!equals || strncmp(*args, group->prefix, n) != 0)
			continue;
		for (const struct option *o = group->options; o->key; o++)
			if (strlen(o->key) == (size_t)(equals - *args) - n - 1 &&
			    has_prefix(*args + n + 1, o->key) &&
			    option_set_text(o, values, equals + 1, error, sizeof(error)) < 0) {
				fprintf(stderr, "%s: %s\n", *args, error);
				exit(2);
			}
	}
}

static void start_exporters(char *const *args)
{
	for (size_t i = 0; export_registry[i]; i++) {
		const struct export_ops *ops = export_registry[i];
		void *options = calloc(1, ops->options->size);

		must(i < EXPORTERS_MAX && options, "room for an exporter");
		must(option_group_init(ops->options, options) == 0, "option_group_init");
		set_option(ops->options, options, args);
		server.exporters[i].ops = ops;
		server.exporters[i].options = options;
		must(ops->start(&server.env, options, &server.exporters[i].exporter) == 0,
		     ops->name);
		server.n_exporters++;
	}
}

static void stop_exporters(void)
{
	for (size_t i = 0; i < server.n_exporters; i++) {
		server.exporters[i].ops->stop(server.exporters[i].exporter);
		option_group_done(server.exporters[i].ops->options, server.exporters[i].options);
		free(server.exporters[i].options);
	}
}

int main(int argc, char **argv)
{
	int r;

	(void)argc;
	setvbuf(stdin, NULL, _IONBF, 0);
	must(sd_event_new(&server.event) >= 0, "sd_event_new");
	server.env =
		(struct export_env){ .event = server.event, .collect = collect, .ready = ready };
	for (char **arg = argv + 1; *arg; arg++)
		if (streq(*arg, "label_addresses"))
			server.env.label_addresses = true;
	start_exporters(argv + 1);
	must(sd_event_add_io(server.event, NULL, 0, EPOLLIN, on_stdin, NULL) >= 0, "stdin");
	must(sd_event_add_time(server.event, NULL, CLOCK_MONOTONIC, 0, 1, on_tick, NULL) >= 0,
	     "the clock");
	r = sd_event_loop(server.event);
	stop_exporters();
	sd_event_unref(server.event);
	return r < 0;
}
