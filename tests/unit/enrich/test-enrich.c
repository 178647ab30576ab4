/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names for both ends, what is external, and what it costs. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "base/work.h"
#include "enrich/enrich.h"
#include "enrich/peers.h"
#include "host/inventory.h"
#include "model/address.h"
#include "tests/unit/host/machine.h"

#define HOST_NS UINT64_C(4026531840)
#define OTHER_NS UINT64_C(4026532000)

struct world {
	struct machine machine;
	sd_event *event;
	struct work *work;
	struct inventory *inventory;
	struct enrich *enrich;
	uint64_t service; /* cgroup of web.service */
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct stat st;
	char *service;

	if (!w || machine_init(&w->machine) < 0)
		return -1;
	tree_mkdir(w->machine.dir, "cgroup/system.slice/web.service");
	service = tree_path(w->machine.cgroup, "system.slice/web.service");
	assert_int_equal(stat(service, &st), 0);
	free(service);
	w->service = st.st_ino;
	assert_true(sd_event_new(&w->event) >= 0);
	assert_int_equal(work_new(w->event, &w->work), 0);
	assert_int_equal(inventory_new(w->work, &w->machine.roots, &w->inventory), 0);
	assert_int_equal(enrich_new(w->inventory, NULL, 0, &w->enrich), 0);
	while (inventory_busy(w->inventory))
		assert_true(sd_event_run(w->event, 5 * USEC_PER_SEC) > 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	int r;

	enrich_free(w->enrich);
	work_free(w->work);
	inventory_free(w->inventory);
	sd_event_unref(w->event);
	r = machine_done(&w->machine);
	free(w);
	return r;
}

static struct endpoint end(const char *address, uint16_t port)
{
	struct endpoint e = { .port = port };

	assert_int_equal(ip_parse(address, &e.address), 0);
	return e;
}

static struct record flow(uint64_t netns, struct endpoint local, struct endpoint peer)
{
	return (struct record){
		.kind = RECORD_FLOW,
		.flow = { .netns = netns, .protocol = IPPROTO_TCP, .local = local, .peer = peer },
	};
}

static struct endpoint of(struct endpoint e, pid_t pid, uint64_t cgroup_id, const char *comm)
{
	e.process.pid = pid;
	e.process.cgroup_id = cgroup_id;
	snprintf(e.process.comm, sizeof(e.process.comm), "%s", comm);
	return e;
}

static void test_both_ends(void **state)
{
	struct world *w = *state;
	struct record server = flow(HOST_NS, of(end("127.0.0.1", 80), 10, w->service, "nginx"),
				    end("127.0.0.1", 40000)),
		      client = flow(HOST_NS, of(end("127.0.0.1", 40000), 11, 0, "curl"),
				    end("127.0.0.1", 80)),
		      again = server;

	enrich_record(w->enrich, &server);
	assert_int_equal(server.flow.local.workload.kind, WORKLOAD_UNIT);
	assert_string_equal(server.flow.local.workload.id, "web.service");
	assert_int_equal(server.flow.peer.workload.kind, WORKLOAD_NONE);
	assert_string_equal(server.flow.peer.workload.name, "");

	enrich_record(w->enrich, &client);
	assert_int_equal(client.flow.local.workload.kind, WORKLOAD_PROCESS);
	assert_string_equal(client.flow.local.workload.name, "curl");
	assert_string_equal(client.flow.peer.workload.id, "web.service");
	assert_int_equal(client.flow.peer.process.pid, 10);
	assert_string_equal(client.flow.peer.process.comm, "nginx");

	enrich_record(w->enrich, &again);
	assert_string_equal(again.flow.peer.workload.name, "curl");
	assert_false(again.flow.peer.external);
}

/* 127.0.0.1:80 of another namespace is somebody else's. */
static void test_loopback_per_namespace(void **state)
{
	struct world *w = *state;
	struct record here = flow(HOST_NS, of(end("127.0.0.1", 80), 10, w->service, "nginx"),
				  end("127.0.0.1", 40000)),
		      there = flow(OTHER_NS, of(end("127.0.0.1", 40000), 12, 0, "curl"),
				   end("127.0.0.1", 80));

	enrich_record(w->enrich, &here);
	enrich_record(w->enrich, &there);
	assert_int_equal(there.flow.peer.workload.kind, WORKLOAD_NONE);
}

static void test_other_namespace(void **state)
{
	struct world *w = *state;
	struct record pod = flow(OTHER_NS, of(end("10.1.0.5", 80), 10, w->service, "nginx"),
				 end("10.1.0.9", 40000)),
		      seen = flow(HOST_NS, end("10.1.0.5", 80), end("10.1.0.9", 40000)), copy,
		      rival;

	enrich_record(w->enrich, &pod);
	/* Forwarded by the host: both ends are asked for. */
	seen.flow.unowned = FLOW_UNOWNED_FORWARDED;
	copy = seen;
	enrich_record(w->enrich, &copy);
	assert_string_equal(copy.flow.local.workload.id, "web.service");
	/* A socket that nobody has any more is not given to who has the port now. */
	copy = seen;
	copy.flow.unowned = FLOW_UNOWNED_TIME_WAIT;
	enrich_record(w->enrich, &copy);
	assert_int_equal(copy.flow.local.workload.kind, WORKLOAD_NONE);

	/* A second namespace with the same address: nobody rather than the wrong one. */
	rival = flow(OTHER_NS + 1, of(end("10.1.0.5", 80), 13, 0, "other"), end("10.1.0.9", 1));
	enrich_record(w->enrich, &rival);
	copy = seen;
	enrich_record(w->enrich, &copy);
	assert_int_equal(copy.flow.local.workload.kind, WORKLOAD_NONE);
}

static void test_ages(void **state)
{
	struct world *w = *state;
	uint64_t now = now_ns(CLOCK_BOOTTIME);
	struct record server = flow(HOST_NS, of(end("10.0.0.1", 80), 10, w->service, "nginx"),
				    end("10.0.0.2", 4)),
		      client = flow(HOST_NS, end("10.0.0.2", 4), end("10.0.0.1", 80));

	enrich_expire(w->enrich, now);
	enrich_record(w->enrich, &server);
	enrich_expire(w->enrich, now + PEERS_AGE_NS - 1);
	enrich_record(w->enrich, &client);
	assert_int_equal(client.flow.peer.workload.kind, WORKLOAD_UNIT);
	enrich_expire(w->enrich, now + PEERS_AGE_NS);
	client.flow.peer.process = (struct process_ref){ 0 };
	enrich_record(w->enrich, &client);
	assert_int_equal(client.flow.peer.workload.kind, WORKLOAD_NONE);
}

/* Whose turn it is nobody knows, but all of them are the service's. */
static void test_preforked_server_is_named_by_cgroup(void **state)
{
	struct world *w = *state;
	struct endpoint e = end("10.0.0.5", 80);
	struct process_ref found;
	struct peers *peers;

	assert_int_equal(peers_new(&peers), 0);
	e = of(e, 10, w->service, "worker");
	peers_learn(peers, HOST_NS, IPPROTO_TCP, &e, 1);
	assert_true(peers_find(peers, HOST_NS, IPPROTO_TCP, &e, &found));
	assert_int_equal(found.pid, 10);
	e.process.pid = 11;
	peers_learn(peers, HOST_NS, IPPROTO_TCP, &e, 2);
	assert_true(peers_find(peers, HOST_NS, IPPROTO_TCP, &e, &found));
	assert_int_equal(found.pid, 0);
	assert_int_equal(found.cgroup_id, w->service);
	/* It was a restart. */
	peers_learn(peers, HOST_NS, IPPROTO_TCP, &e, 2 + PEERS_AGE_NS);
	assert_true(peers_find(peers, HOST_NS, IPPROTO_TCP, &e, &found));
	assert_int_equal(found.pid, 11);
	peers_free(peers);
}

static bool peer_is_external(struct enrich *enrich, const char *address)
{
	struct record record = flow(HOST_NS, end("203.0.113.1", 4), end(address, 443));

	enrich_record(enrich, &record);
	assert_false(record.flow.local.external); /* the host's own */
	return record.flow.peer.external;
}

static void test_external(void **state)
{
	static const struct {
		const char *address;
		bool by_default, by_ranges;
	} cases[] = {
		{ "8.8.8.8", true, true },	     { "2001:db8::1", true, true },
		{ "10.1.2.3", false, true },	     { "192.168.1.1", false, false },
		{ "198.51.100.7", true, false },     { "127.0.0.5", false, false },
		{ "169.254.169.254", false, false }, { "224.0.0.1", false, false },
		{ "fe80::1", false, false },	     { "fd00::1", false, true },
	};
	struct world *w = *state;
	struct ip_prefix ranges[2];
	struct enrich *configured;
	struct record forwarded = flow(HOST_NS, end("8.8.8.8", 443), end("10.0.0.1", 5));

	assert_int_equal(ip_prefix_parse("192.168.0.0/16", &ranges[0]), 0);
	assert_int_equal(ip_prefix_parse("198.51.100.0/24", &ranges[1]), 0);
	assert_int_equal(enrich_new(w->inventory, ranges, ARRAY_SIZE(ranges), &configured), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(peer_is_external(w->enrich, cases[i].address),
				 cases[i].by_default);
		assert_int_equal(peer_is_external(configured, cases[i].address),
				 cases[i].by_ranges);
	}
	enrich_free(configured);
	forwarded.flow.unowned = FLOW_UNOWNED_FORWARDED;
	enrich_record(w->enrich, &forwarded);
	assert_true(forwarded.flow.local.external);
}

static void test_what_is_no_flow(void **state)
{
	struct world *w = *state;
	struct record record = { .kind = RECORD_INTERFACE, .interface = { .name = "eth0" } },
		      before = record, other = { .kind = RECORD_FLOW, .flow = { .other = true } };

	enrich_record(w->enrich, &record);
	assert_memory_equal(&record, &before, sizeof(record));
	enrich_record(w->enrich, &other);
	assert_false(other.flow.peer.external);
}

static void test_samples(void **state)
{
	struct world *w = *state;
	const struct process_ref nginx = { .pid = 10, .cgroup_id = w->service, .comm = "nginx" };
	struct record sample = { .kind = RECORD_SAMPLE, .sample.process = nginx },
		      loss = { .kind = RECORD_SAMPLE_LOSS, .loss.process = nginx },
		      idle = { .kind = RECORD_SAMPLE };

	enrich_record(w->enrich, &sample);
	assert_int_equal(sample.sample.workload.kind, WORKLOAD_UNIT);
	assert_string_equal(sample.sample.workload.id, "web.service");
	enrich_record(w->enrich, &loss);
	assert_string_equal(loss.loss.workload.id, "web.service");
	enrich_record(w->enrich, &idle);
	assert_int_equal(idle.sample.workload.kind, WORKLOAD_NONE);
	assert_string_equal(idle.sample.workload.name, "");
}

static void add_loss(void *userdata, const struct loss *loss)
{
	assert_string_equal(loss->site, "enrich.peers_full");
	*(uint64_t *)userdata += loss->count;
}

static void test_full(void **state)
{
	struct world *w = *state;
	uint64_t lost = 0, now = now_ns(CLOCK_BOOTTIME);
	struct record record;

	for (int i = 0; i < PEERS_DEFAULT + 10; i++) {
		record = flow(HOST_NS, of(end("10.0.0.1", (uint16_t)i), 10, w->service, "nginx"),
			      end("10.0.0.2", 1));
		enrich_record(w->enrich, &record);
		assert_string_equal(record.flow.local.workload.id, "web.service");
	}
	enrich_losses(w->enrich, add_loss, &lost);
	assert_int_equal(lost, 10);
	assert_true(enrich_bytes(w->enrich) < 4 * 1024 * 1024);
	enrich_expire(w->enrich, now + 2 * PEERS_AGE_NS);
	assert_true(enrich_bytes(w->enrich) < 4096);
}

#define FLOWS 10000

/* Each step names every flow again: what that costs once the tables are warm. */
static void test_cost(void **state)
{
	struct world *w = *state;
	struct record *records = calloc(FLOWS, sizeof(*records)), record;
	uint64_t best = UINT64_MAX, begin;

	for (int i = 0; i < FLOWS; i++) {
		records[i] = flow(HOST_NS,
				  of(end("10.0.0.1", (uint16_t)(20000 + i)), 100 + i % 1000,
				     i % 2 ? w->service : 0, "client"),
				  end("10.0.0.1", (uint16_t)(20000 + (i ^ 1))));
		records[i].flow.local.process.start_ns = 1;
	}
	for (int round = 0; round < 5; round++) {
		begin = now_ns(CLOCK_MONOTONIC);
		for (int i = 0; i < FLOWS; i++) {
			record = records[i];
			enrich_record(w->enrich, &record);
		}
		best = MIN(best, now_ns(CLOCK_MONOTONIC) - begin);
	}
	assert_int_not_equal(record.flow.peer.workload.kind, WORKLOAD_NONE);
	print_message("%lu ns a flow, %zu bytes\n", (unsigned long)(best / FLOWS),
		      enrich_bytes(w->enrich));
	assert_true(best / FLOWS < 20 * NSEC_PER_USEC); /* the budget is 2; here also sanitizers */
	free(records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loopback_per_namespace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_namespace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_preforked_server_is_named_by_cgroup, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_external, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_flow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_samples, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cost, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
