/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A segment says what its table said; a damaged one is refused, whatever it says. */
#include "fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/bytes.h"
#include "store/segment.h"
#include "store/table.h"

static struct table *make_table(unsigned n, unsigned seed)
{
	struct record record;
	struct table *t;

	assert_int_equal(table_new(n, &t), 0);
	for (unsigned i = 0; i < n + 10; i++) {
		random_flow(i, &seed, &record);
		if (table_add(t, &record) < 0)
			assert_int_equal(table_add_other(t, &record), 0);
	}
	record = (struct record){ .kind = RECORD_UNTRACKED };
	record.untracked = (struct flow_untracked){ .netns = 7,
						    .role = FLOW_ROLE_VETH,
						    .reason = UNTRACKED_MAP_FULL,
						    .tx = { 1, 2, 3, 4 } };
	assert_int_equal(table_add(t, &record), 0);
	record = (struct record){ .kind = RECORD_INTERFACE };
	record.interface = (struct flow_interface){
		.netns = 7,
		.ifindex = 3,
		.name = "eth0",
		.role = FLOW_ROLE_WIRE,
		.exact = true,
		.counted_tx = { 9, 8, 7, 6 },
		.before_attach_rx = { 5, UINT64_MAX, 5, 0 },
	};
	assert_int_equal(table_add(t, &record), 0);
	return t;
}

static void add_to_table(void *userdata, const struct record *record)
{
	assert_int_equal(table_add(userdata, record), 0);
}

/* Adding it to what was decoded must meet the same key. */
static void meet_key(void *userdata, const struct record *record)
{
	struct table *other = userdata;
	size_t rows = table_rows(other);

	assert_int_equal(table_add(other, record), 0);
	assert_int_equal(table_rows(other), rows);
}

static void sum_record(void *userdata, const struct record *record)
{
	sums_add(userdata, record);
}

static void test_round_trip(void **state)
{
	struct sums *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
	struct table *t = make_table(500, 1), *decoded;
	size_t size;
	void *data;

	assert_int_equal(segment_encode(t, &data, &size), 0);
	assert_int_equal(table_new(500, &decoded), 0);
	assert_int_equal(segment_decode(data, size, add_to_table, decoded), 0);
	free(data);
	assert_int_equal(table_rows(decoded), table_rows(t));
	table_each(t, sum_record, a);
	table_each(decoded, sum_record, b);
	assert_sums_equal(a, b);
	table_each(t, meet_key, decoded);
	table_free(t);
	table_free(decoded);
	free(a);
	free(b);
}

static void keep_record(void *userdata, const struct record *record)
{
	if (record->kind == RECORD_FLOW)
		*(struct record *)userdata = *record;
}

static void assert_same_end(const struct endpoint *a, const struct endpoint *b)
{
	assert_memory_equal(&a->address, &b->address, sizeof(a->address));
	assert_int_equal(a->port, b->port);
	assert_int_equal(a->external, b->external);
	assert_int_equal(a->process.pid, b->process.pid);
	assert_int_equal(a->process.start_ns, b->process.start_ns);
	assert_int_equal(a->process.cgroup_id, b->process.cgroup_id);
	assert_string_equal(a->process.comm, b->process.comm);
	assert_int_equal(a->workload.kind, b->workload.kind);
	assert_string_equal(a->workload.id, b->workload.id);
	assert_string_equal(a->workload.name, b->workload.name);
	assert_string_equal(a->workload.namespace_, b->workload.namespace_);
}

static void assert_same_flow(const struct flow *a, const struct flow *b)
{
	assert_int_equal(a->netns, b->netns);
	assert_int_equal(a->role, b->role);
	assert_int_equal(a->protocol, b->protocol);
	assert_int_equal(a->fragment, b->fragment);
	assert_int_equal(a->inner, b->inner);
	assert_int_equal(a->side, b->side);
	assert_int_equal(a->unowned, b->unowned);
	assert_int_equal(a->other, b->other);
	assert_same_end(&a->local, &b->local);
	assert_same_end(&a->peer, &b->peer);
	assert_memory_equal(&a->tx, &b->tx, sizeof(a->tx));
	assert_memory_equal(&a->rx, &b->rx, sizeof(a->rx));
	assert_memory_equal(&a->tcp, &b->tcp, sizeof(a->tcp));
	assert_int_equal(a->n_drops, b->n_drops);
	for (unsigned i = 0; i < a->n_drops; i++) {
		assert_string_equal(a->drops[i].reason, b->drops[i].reason);
		assert_int_equal(a->drops[i].count, b->drops[i].count);
	}
}

static void test_every_field(void **state)
{
	struct record in, out;
	struct table *t;
	size_t size;
	void *data;

	make_flow(77, &in);
	memset(in.flow.peer.address.bytes, 0xfd, 16);
	in.flow.side = FLOW_SIDE_SERVER;
	in.flow.unowned = FLOW_UNOWNED_ORPHAN;
	in.flow.fragment = in.flow.inner = true;
	in.flow.tx = (struct flow_count){ UINT64_MAX, 0, 1, UINT64_MAX };
	in.flow.tcp = (struct flow_tcp){ UINT32_MAX, 4, 5, 0xff, TCP_STATE_FAILED };
	in.flow.n_drops = 2;
	in.flow.drops[0] = (struct flow_drops){ "NO_SOCKET", 1 };
	in.flow.drops[1] = (struct flow_drops){ "a reason that is as long as it may be..", 2 };
	in.flow.local.workload.namespace_ = "default";
	assert_int_equal(table_new(1, &t), 0);
	assert_int_equal(table_add(t, &in), 0);
	assert_int_equal(segment_encode(t, &data, &size), 0);
	assert_int_equal(segment_decode(data, size, keep_record, &out), 0);
	assert_same_flow(&in.flow, &out.flow);
	free(data);
	table_free(t);
}

/* What a record says must be in range, even if the segment is not what we wrote. */
static void check_record(void *userdata, const struct record *record)
{
	const struct flow *f = &record->flow;
	size_t *n = userdata;

	(*n)++;
	if (record->kind != RECORD_FLOW)
		return;
	assert_true(f->role < FLOW_ROLE_MAX_ && f->side < FLOW_SIDE_MAX_);
	assert_true(f->unowned < FLOW_UNOWNED_MAX_ && f->tcp.state < TCP_STATE_MAX_);
	assert_true(f->n_drops <= FLOW_DROPS_MAX);
	assert_true(strlen(f->local.workload.id) <= POOL_STRING_MAX);
	assert_true(strlen(f->peer.workload.namespace_) <= POOL_STRING_MAX);
	assert_true(strlen(f->local.process.comm) < COMM_LEN);
}

static void test_mutated(void **state)
{
	struct table *t = make_table(30, 5);
	unsigned char *copy;
	unsigned seed = 6;
	size_t size, n = 0;
	void *data;
	int r;

	assert_int_equal(segment_encode(t, &data, &size), 0);
	copy = malloc(size);
	for (int i = 0; i < 20000; i++) {
		memcpy(copy, data, size);
		for (int k = rand_r(&seed) % 4; k >= 0; k--)
			copy[(size_t)rand_r(&seed) % size] = (unsigned char)rand_r(&seed);
		r = segment_decode(copy, size, check_record, &n);
		assert_true(r == 0 || r == -EBADMSG);
	}
	free(copy);
	for (size_t cut = 0; cut < size; cut++) {
		copy = malloc(cut + 1);
		memcpy(copy, data, cut);
		assert_int_equal(segment_decode(copy, cut, check_record, &n), -EBADMSG);
		free(copy);
	}
	assert_true(n > 0);
	free(data);
	table_free(t);
}

static void test_trailing_and_version(void **state)
{
	struct table *t = make_table(3, 5);
	unsigned char *longer;
	size_t size, n = 0;
	void *data;

	assert_int_equal(segment_encode(t, &data, &size), 0);
	longer = calloc(1, size + 1);
	memcpy(longer, data, size);
	assert_int_equal(segment_decode(longer, size + 1, check_record, &n), -EBADMSG);
	longer[0] = SEGMENT_VERSION + 1;
	assert_int_equal(segment_decode(longer, size, check_record, &n), -EBADMSG);
	assert_int_equal(segment_decode(NULL, 0, check_record, &n), -EBADMSG);
	free(longer);
	free(data);
	table_free(t);
}

static void test_numbers(void **state)
{
	static const uint64_t numbers[] = {
		0, 1, 127, 128, 16384, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX
	};
	struct byte_writer w = {};
	struct byte_reader r;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		write_number(&w, numbers[i]);
		write_signed(&w, (int64_t)numbers[i]);
	}
	r = (struct byte_reader){ .p = w.data, .end = w.data + w.n };
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		assert_true(read_number(&r) == numbers[i]);
		assert_true(read_signed(&r) == (int64_t)numbers[i]);
	}
	assert_false(r.failed);
	assert_int_equal(read_number(&r), 0);
	assert_true(r.failed);
	byte_writer_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_every_field),
		cmocka_unit_test(test_mutated),	   cmocka_unit_test(test_trailing_and_version),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
