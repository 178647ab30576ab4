/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Adding up, the limit, thinning, and what a row costs. */
#include "fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "store/table.h"

static void sum_record(void *userdata, const struct record *record)
{
	sums_add(userdata, record);
}

static void assert_table_sums(const struct table *t, const struct sums *wanted)
{
	struct sums *sums = calloc(1, sizeof(*sums));

	table_each(t, sum_record, sums);
	assert_sums_equal(sums, wanted);
	free(sums);
}

static void keep_record(void *userdata, const struct record *record)
{
	*(struct record *)userdata = *record;
}

static void test_merge_of_one_key(void **state)
{
	struct table *t;
	struct record a, b;

	assert_int_equal(table_new(10, &t), 0);
	make_flow(1, &a);
	a.flow.side = FLOW_SIDE_UNKNOWN;
	a.flow.tx = (struct flow_count){ 1, 100, 2, 154 };
	a.flow.tcp = (struct flow_tcp){ 500, 1, 65535, 2, TCP_STATE_ESTABLISHED };
	a.flow.local.workload.name = "";
	b = a;
	b.flow.side = FLOW_SIDE_SERVER;
	b.flow.tcp = (struct flow_tcp){ 300, 2, 1, 16, TCP_STATE_UNKNOWN };
	b.flow.local.workload.name = "late name";
	assert_int_equal(table_add(t, &a), 0);
	assert_int_equal(table_add(t, &b), 0);
	assert_int_equal(table_add(t, &a), 0);
	assert_int_equal(table_flows(t), 1);

	table_each(t, keep_record, &b);
	assert_int_equal(b.flow.tx.skbs, 3);
	assert_int_equal(b.flow.tx.bytes, 300);
	assert_int_equal(b.flow.tx.packets, 6);
	assert_int_equal(b.flow.tx.bytes_wire, 462);
	assert_int_equal(b.flow.tcp.rtt_us, 500);
	assert_int_equal(b.flow.tcp.retransmits, 4);
	assert_int_equal(b.flow.tcp.resets, 65535); /* no wrapping around */
	assert_int_equal(b.flow.tcp.flags, 18);
	assert_int_equal(b.flow.tcp.state, TCP_STATE_ESTABLISHED);
	assert_int_equal(b.flow.side, FLOW_SIDE_SERVER);
	assert_string_equal(b.flow.local.workload.name, "late name");
	assert_string_equal(b.flow.local.workload.id, a.flow.local.workload.id);
	assert_string_equal(b.flow.local.process.comm, "worker");
	assert_int_equal(b.flow.peer.external, a.flow.peer.external);
	table_free(t);
}

/* Each part of the key makes a flow of its own. */
static void test_parts_of_the_key(void **state)
{
	struct record base, r[13];
	struct table *t;

	assert_int_equal(table_new(100, &t), 0);
	make_flow(1, &base);
	for (size_t i = 0; i < ARRAY_SIZE(r); i++)
		r[i] = base;
	r[0].flow.netns++;
	r[1].flow.role = FLOW_ROLE_BRIDGE;
	r[2].flow.protocol = IPPROTO_SCTP;
	r[3].flow.fragment = true;
	r[4].flow.inner = true;
	r[5].flow.local.address.bytes[0] = 1;
	r[6].flow.peer.port++;
	r[7].flow.local.process.pid++;
	r[8].flow.peer.process.cgroup_id++;
	r[9].flow.local.workload.kind = WORKLOAD_POD;
	r[10].flow.peer.workload.id = "another";
	strcpy(r[11].flow.local.process.comm, "exec'd");
	r[12].flow.local.process.start_ns++;
	assert_int_equal(table_add(t, &base), 0);
	for (size_t i = 0; i < ARRAY_SIZE(r); i++)
		assert_int_equal(table_add(t, &r[i]), 0);
	assert_int_equal(table_flows(t), ARRAY_SIZE(r) + 1);
	table_free(t);
}

static void test_drops(void **state)
{
	static const char *const reasons[] = { "A", "B", "A", "C", "D", "E", "F", "E" };
	struct record record;
	struct table *t;

	assert_int_equal(table_new(10, &t), 0);
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		make_flow(1, &record);
		record.flow.n_drops = 1;
		strcpy(record.flow.drops[0].reason, reasons[i]);
		record.flow.drops[0].count = 1;
		assert_int_equal(table_add(t, &record), 0);
	}
	table_each(t, keep_record, &record);
	assert_int_equal(record.flow.n_drops, FLOW_DROPS_MAX);
	assert_string_equal(record.flow.drops[0].reason, "A");
	assert_int_equal(record.flow.drops[0].count, 2);
	assert_string_equal(record.flow.drops[3].reason, "D");
	assert_int_equal(record.flow.drops[3].count, 4); /* D, E, F, E */
	table_free(t);
}

static void test_limit_and_other(void **state)
{
	struct sums *sums = calloc(1, sizeof(*sums));
	unsigned seed = 1;
	struct record record;
	struct table *t;
	int r;

	assert_int_equal(table_new(100, &t), 0);
	for (unsigned i = 0; i < 1000; i++) {
		random_flow(i % 500, &seed, &record);
		sums_add(sums, &record);
		r = table_add(t, &record);
		assert_int_equal(r, i % 500 < 100 ? 0 : -ENOSPC);
		if (r < 0)
			assert_int_equal(table_add_other(t, &record), 0);
	}
	assert_table_sums(t, sums);
	assert_int_equal(table_flows(t), 100 + 3 * 5 * 2); /* namespaces, roles, protocols */
	/* What does not fit leaves nothing behind: no address of the 400 others. */
	assert_true(pool_size(t->addresses) <= 201);
	table_free(t);
	free(sums);
}

static void find_smallest(void *userdata, const struct record *record)
{
	uint64_t *smallest = userdata;

	if (record->kind == RECORD_FLOW && !record->flow.other)
		*smallest = MIN(*smallest, record->flow.tx.bytes + record->flow.rx.bytes);
}

static void test_thin(void **state)
{
	struct sums *sums = calloc(1, sizeof(*sums));
	uint64_t sizes[500], smallest = UINT64_MAX;
	unsigned seed = 2;
	struct record record;
	struct table *t;
	size_t larger = 0;

	assert_int_equal(table_new(1000, &t), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		random_flow(i, &seed, &record);
		sums_add(sums, &record);
		assert_int_equal(table_add(t, &record), 0);
		sizes[i] = record.flow.tx.bytes + record.flow.rx.bytes;
	}
	assert_int_equal(table_thin(&t, 20), 0);
	assert_int_equal(table_flows(t), 20 + t->n_others);
	assert_table_sums(t, sums);
	table_each(t, find_smallest, &smallest);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		larger += sizes[i] > smallest;
	assert_true(larger <= 19); /* the kept ones were the largest */
	assert_true(pool_size(t->addresses) <= 41);
	table_free(t);
	free(sums);
}

static void test_ranking(void **state)
{
	struct ranked_row *ranking;
	uint64_t last = UINT64_MAX;
	unsigned seed = 3;
	struct record record;
	struct table *t;

	assert_int_equal(table_new(1000, &t), 0);
	for (unsigned i = 0; i < 777; i++) {
		random_flow(i, &seed, &record);
		assert_int_equal(table_add(t, &record), 0);
	}
	ranking = table_ranking(t);
	for (size_t n = 777; n > 0; n--) {
		const struct ranked_row *row = ranking_next(ranking, n);

		assert_true(row->weight <= last);
		last = row->weight;
	}
	free(ranking);
	table_free(t);
}

static void test_interface(void **state)
{
	struct record record = { .kind = RECORD_INTERFACE };
	struct flow_interface *i = &record.interface;
	struct table *t;

	assert_int_equal(table_new(10, &t), 0);
	*i = (struct flow_interface){ .ifindex = 2,
				      .name = "veth0",
				      .counted_rx = { 1, 60, 1, 60 } };
	assert_int_equal(table_add(t, &record), 0); /* not attached yet */
	i->exact = true;
	i->before_attach_rx = (struct flow_count){ 5, 300, 5, 300 };
	assert_int_equal(table_add(t, &record), 0);
	i->removed = true;
	i->before_attach_rx = (struct flow_count){ 0 };
	assert_int_equal(table_add(t, &record), 0);
	assert_int_equal(table_rows(t), 1);
	table_each(t, keep_record, &record);
	assert_int_equal(i->counted_rx.bytes, 180);
	assert_int_equal(i->before_attach_rx.skbs, 4); /* of 5 one was counted */
	assert_true(i->exact && i->removed);
	assert_string_equal(i->name, "veth0");
	table_free(t);
}

/* Its own counters stood at own when we attached; then one more packet of 60 bytes was counted. */
static void attach(struct table *t, struct flow_interface i, uint64_t own)
{
	struct record record = { .kind = RECORD_INTERFACE, .interface = i };
	uint64_t bytes = own * (60 - (i.omits_header_rx ? ETHERNET_HEADER_LEN : 0));

	record.interface.before_attach_rx = (struct flow_count){ own, bytes, own, bytes };
	record.interface.counted_rx = (struct flow_count){ 1, 60, 1, 60 };
	assert_int_equal(table_add(t, &record), 0);
}

/* counted + before_attach = the interface's own counters, however often it was attached to. */
static void test_interface_attached_again(void **state)
{
	const struct flow_interface eth = { .ifindex = 2, .name = "eth0" };
	struct flow_interface lo = { .ifindex = 1, .name = "lo", .omits_header_rx = true };
	struct record record;
	struct table *t;

	assert_int_equal(table_new(10, &t), 0);
	attach(t, eth, 10);
	attach(t, eth, 15);
	attach(t, eth, 20);
	table_each(t, keep_record, &record);
	assert_int_equal(record.interface.counted_rx.skbs, 3);
	assert_int_equal(record.interface.before_attach_rx.skbs, 18);
	assert_int_equal(record.interface.before_attach_rx.bytes, 18 * 60);
	attach(t, eth, 1); /* the machine was started again */
	table_each(t, keep_record, &record);
	assert_int_equal(record.interface.before_attach_rx.skbs, 19);
	table_free(t);

	assert_int_equal(table_new(10, &t), 0);
	attach(t, lo, 10);
	lo.removed = true;
	attach(t, lo, 20);
	lo.removed = false;
	table_each(t, keep_record, &record);
	assert_int_equal(record.interface.before_attach_rx.bytes, 19 * 46);
	attach(t, lo, 30); /* another one of that name */
	table_each(t, keep_record, &record);
	assert_int_equal(record.interface.before_attach_rx.skbs, 19 + 30);
	table_free(t);
}

static void add_anyhow(struct table *t, const struct record *record, struct sums *sums)
{
	sums_add(sums, record);
	if (table_add(t, record) < 0)
		assert_int_equal(table_add_other(t, record), 0);
}

/* More namespaces, interfaces and sums than there is room for: everything still adds up. */
static void test_floods(void **state)
{
	struct sums *sums = calloc(1, sizeof(*sums));
	struct record record;
	struct table *t;

	assert_int_equal(table_new(10, &t), 0);
	for (unsigned i = 0; i < 70000; i++) {
		make_flow(1, &record);
		record.flow.netns = i + 1;
		record.flow.tx.bytes = 1;
		add_anyhow(t, &record, sums);
		record = (struct record){ .kind = RECORD_INTERFACE };
		record.interface.ifindex = i + 1;
		record.interface.counted_rx.skbs = 1;
		add_anyhow(t, &record, sums);
		record = (struct record){ .kind = RECORD_UNTRACKED };
		record.untracked.netns = i;
		record.untracked.tx.skbs = 1;
		add_anyhow(t, &record, sums);
	}
	assert_table_sums(t, sums);
	assert_true(table_rows(t) <=
		    10 + TABLE_OTHERS_MAX + TABLE_INTERFACES_MAX + TABLE_UNTRACKED_MAX + 3);
	table_free(t);
	free(sums);
}

static void test_hostile_strings(void **state)
{
	char *longest = malloc(5000);
	struct record record;
	struct table *t;

	memset(longest, 'x', 4999);
	longest[4999] = '\0';
	assert_int_equal(table_new(10, &t), 0);
	make_flow(1, &record);
	record.flow.local.workload.id = longest;
	memset(record.flow.local.process.comm, 'y', COMM_LEN);
	assert_int_equal(table_add(t, &record), 0);
	free(longest);
	table_each(t, keep_record, &record);
	assert_int_equal(strlen(record.flow.local.workload.id), POOL_STRING_MAX);
	assert_int_equal(strlen(record.flow.local.process.comm), COMM_LEN - 1);
	table_free(t);
}

static void test_bytes_per_flow(void **state)
{
	unsigned seed = 1;
	struct record record;
	struct table *t;

	assert_int_equal(table_new(TABLE_ROWS_DEFAULT, &t), 0);
	for (unsigned i = 0; i < 10000; i++) {
		random_flow(i, &seed, &record);
		assert_int_equal(table_add(t, &record), 0);
	}
	print_message("%zu bytes per flow\n", table_bytes(t) / 10000);
	assert_true(table_bytes(t) / 10000 <= 160);
	table_free(t);
}

/* Just behind the points where the hash tables double, where a row costs the most. */
static void test_bytes_per_row(void **state)
{
	static const size_t rows[] = { 12289, 24577, 49153 };
	struct table *t;
	struct record record;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(table_new(rows[i], &t), 0);
		make_flow(0, &record);
		for (uint32_t n = 0; n < rows[i]; n++) {
			memcpy(record.flow.peer.address.bytes, &n, sizeof(n));
			assert_int_equal(table_add(t, &record), 0);
		}
		assert_int_equal(table_flows(t), rows[i]);
		assert_in_range(table_bytes(t), 150 * rows[i], TABLE_BYTES_PER_ROW * rows[i]);
		table_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge_of_one_key),
		cmocka_unit_test(test_parts_of_the_key),
		cmocka_unit_test(test_drops),
		cmocka_unit_test(test_limit_and_other),
		cmocka_unit_test(test_thin),
		cmocka_unit_test(test_ranking),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_interface),
		cmocka_unit_test(test_interface_attached_again),
		cmocka_unit_test(test_hostile_strings),
		cmocka_unit_test(test_bytes_per_row),
		cmocka_unit_test(test_bytes_per_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
