/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sums here are added up by the test itself, record by record, without any table.
 */
#include "fixture.h"

#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

static const struct ip_address v4 = { { [10] = 0xff, [11] = 0xff, 10 } };

static void make_end(unsigned n, struct endpoint *ret)
{
	static char ids[64][24], names[64][24];
	char *id = ids[n % 64], *name = names[n % 64];

	snprintf(id, sizeof(ids[0]), "unit-%u.service", n % 64);
	snprintf(name, sizeof(names[0]), "name %u", n % 64);
	ret->address = v4;
	ret->address.bytes[14] = (uint8_t)(n >> 3);
	ret->address.bytes[15] = (uint8_t)(n & 7);
	ret->process = (struct process_ref){ .pid = (pid_t)(n % 64) + 1,
					     .start_ns = n % 64,
					     .cgroup_id = n % 64 };
	strcpy(ret->process.comm, "worker");
	ret->workload = (struct workload){ WORKLOAD_UNIT, id, name, "" };
}

void make_flow(unsigned n, struct record *ret)
{
	struct flow *f = &ret->flow;

	*ret = (struct record){ .kind = RECORD_FLOW };
	f->netns = 4026531840U + n % 3;
	f->role = n % FLOW_ROLE_MAX_;
	f->protocol = n % 4 == 0 ? IPPROTO_UDP : IPPROTO_TCP;
	f->side = FLOW_SIDE_CLIENT;
	make_end(n, &f->local);
	make_end(n * 7 + 1, &f->peer);
	f->local.port = (uint16_t)n;
	f->peer.port = (uint16_t)(n >> 16 | 0x8000);
	f->peer.external = n % 2;
}

static void random_count(unsigned *seed, struct flow_count *ret)
{
	ret->skbs = (uint64_t)rand_r(seed) % 1000 + 1;
	ret->packets = ret->skbs + (uint64_t)rand_r(seed) % 3;
	ret->bytes = ret->skbs * ((uint64_t)rand_r(seed) % 1500 + 54);
	ret->bytes_wire = ret->bytes + (ret->packets - ret->skbs) * 54;
}

void random_flow(unsigned n, unsigned *seed, struct record *ret)
{
	struct flow *f = &ret->flow;

	make_flow(n, ret);
	random_count(seed, &f->tx);
	random_count(seed, &f->rx);
	if (f->protocol == IPPROTO_TCP)
		f->tcp = (struct flow_tcp){
			.rtt_us = (uint32_t)rand_r(seed) % 100000,
			.retransmits = (uint32_t)rand_r(seed) % 3,
			.resets = (uint16_t)(rand_r(seed) % 2),
			.flags = 0x18,
			.state = TCP_STATE_ESTABLISHED,
		};
	if (n % 50 == 0) {
		f->n_drops = 1;
		strcpy(f->drops[0].reason, n % 100 ? "NO_SOCKET" : "NETFILTER_DROP");
		f->drops[0].count = (uint64_t)rand_r(seed) % 10;
	}
}

static void add_interface(struct flow_count *sum, const struct flow_interface *i)
{
	flow_count_add(sum, &i->counted_tx);
	flow_count_add(sum, &i->counted_rx);
	flow_count_add(sum, &i->duplicate_tx);
	flow_count_add(sum, &i->duplicate_rx);
	flow_count_add(sum, &i->before_attach_tx);
	flow_count_add(sum, &i->before_attach_rx);
}

void sums_add(struct sums *s, const struct record *record)
{
	const struct flow *f = &record->flow;

	if (record->kind == RECORD_UNTRACKED) {
		flow_count_add(&s->untracked, &record->untracked.tx);
		flow_count_add(&s->untracked, &record->untracked.rx);
	} else if (record->kind == RECORD_INTERFACE) {
		add_interface(&s->interfaces, &record->interface);
	} else {
		flow_count_add(&s->tx[f->role][f->protocol], &f->tx);
		flow_count_add(&s->rx[f->role][f->protocol], &f->rx);
		s->retransmits += f->tcp.retransmits;
		s->resets += f->tcp.resets;
		for (unsigned i = 0; i < f->n_drops; i++)
			s->drops += f->drops[i].count;
	}
}

void assert_sums_equal(const struct sums *a, const struct sums *b)
{
	assert_memory_equal(a, b, sizeof(*a));
}

void bed_close(struct bed *bed)
{
	bed->store = store_free(bed->store);
	bed->work = work_free(bed->work);
	bed->event = sd_event_unref(bed->event);
}

void bed_open(struct bed *bed)
{
	const char *dir = *bed->dir ? bed->dir : NULL;

	assert_true(sd_event_new(&bed->event) >= 0);
	assert_int_equal(work_new(bed->event, &bed->work), 0);
	assert_int_equal(store_new(bed->work, dir, &bed->options, &bed->store), 0);
	/* Begins the first step at the test's own time. */
	assert_int_equal(store_step(bed->store, bed->now), 0);
	bed_settle(bed);
}

void bed_prepare(struct bed *bed, bool on_disk)
{
	*bed = (struct bed){
		.options = { .max_size = 256 << 20,
			     .retention = 86400 * NSEC_PER_SEC,
			     .top = 1000,
			     .top_stacks = 1000 },
		.now = UINT64_C(1700000000) * NSEC_PER_SEC, /* 20 s into a minute */
	};
	if (on_disk) {
		strcpy(bed->dir, "/tmp/ebpfobs-store-XXXXXX");
		assert_non_null(mkdtemp(bed->dir));
	}
}

void bed_init(struct bed *bed, bool on_disk)
{
	bed_prepare(bed, on_disk);
	bed_open(bed);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void bed_done(struct bed *bed)
{
	bed_close(bed);
	if (*bed->dir)
		nftw(bed->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

void bed_step(struct bed *bed, unsigned n, unsigned *seed, struct sums *sums)
{
	struct record record;

	for (unsigned i = 0; i < n; i++) {
		random_flow(i, seed, &record);
		assert_int_equal(store_add(bed->store, &record), 0);
		if (sums)
			sums_add(sums, &record);
	}
	bed->now += 5 * NSEC_PER_SEC;
	assert_int_equal(store_step(bed->store, bed->now), 0);
	bed_settle(bed);
}

void bed_turn(struct bed *bed)
{
	assert_true(sd_event_run(bed->event, USEC_PER_MSEC) >= 0);
}

static void turn_done(void *arg)
{
	*(bool *)arg = true;
}

static void turn_run(void *arg)
{
}

/* A job of ours comes through the lane when those before it have; tidying posts one job after the
 * other, so three in a row find it idle unless it has a lot to do. */
void bed_settle(struct bed *bed)
{
	struct store_figures figures;

	for (int round = 0; round < 3; round++) {
		bool done = false;

		assert_int_equal(work_run(bed->work, WORK_LANE_STORE, turn_run, turn_done, &done),
				 0);
		while (!done)
			bed_turn(bed);
	}
	store_figures(bed->store, &figures);
	assert_int_equal(figures.waiting_steps, 0);
}

void answer_row(void *userdata, const struct record *record)
{
	struct answer *a = userdata;
	uint64_t bytes;

	sums_add(&a->sums, record);
	if (record->kind != RECORD_FLOW)
		return;
	bytes = record->flow.tx.bytes + record->flow.rx.bytes;
	if (a->flows++ > 0 && bytes > a->last_bytes)
		a->in_order = false;
	a->last_bytes = bytes;
	a->others += record->flow.other;
}

void answer_end(void *userdata, int r, const struct store_summary *summary)
{
	struct answer *a = userdata;

	assert_false(a->ended);
	a->ended = true;
	a->r = r;
	a->summary = *summary;
}

void bed_ask(struct bed *bed, uint64_t since, uint64_t until, size_t limit, struct answer *ret)
{
	struct store_query query = { .kinds = 7, .range = { since, until }, .limit = limit };
	struct store_cursor *cursor;

	*ret = (struct answer){ .in_order = true };
	assert_int_equal(store_query(bed->store, &query, answer_row, answer_end, ret, &cursor), 0);
	while (!ret->ended)
		bed_turn(bed);
	assert_int_equal(ret->r, 0);
}

struct wanted {
	const char *site;
	uint64_t count;
	bool found;
};

static void match_loss(void *userdata, const struct loss *loss)
{
	struct wanted *wanted = userdata;

	if (streq(loss->site, wanted->site)) {
		wanted->count = loss->count;
		wanted->found = true;
	}
}

uint64_t loss_of(const struct store *store, const char *site)
{
	struct wanted wanted = { .site = site };

	store_losses(store, match_loss, &wanted);
	assert_true(wanted.found);
	return wanted.count;
}
