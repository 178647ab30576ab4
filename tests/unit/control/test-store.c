/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control room in front of the real store: what a slow client adds up is what was put in. The
 * store is that of the store's own tests.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/varlink-client.h"
#include "control/control.h"
#include "tests/unit/store/fixture.h"

#define FLOWS 3000

static int flush(void *userdata, void (*done)(void *cookie, int r), void *cookie)
{
	done(cookie, 0);
	return 0;
}

static void losses(void *userdata, void (*fn)(void *cookie, const struct loss *loss), void *cookie)
{
	store_losses(userdata, fn, cookie);
}

static const struct control_ops ops = { .flush = flush, .losses = losses };

struct fixture {
	struct bed bed;
	struct control *control;
	struct varlink_client *client;
	char path[96];
};

static void connect_client(struct fixture *f)
{
	assert_int_equal(varlink_client_connect(f->path, &f->client), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	bed_init(&f->bed, true);
	snprintf(f->path, sizeof(f->path), "/tmp/test-control-store-%d", (int)getpid());
	assert_int_equal(control_new(f->bed.event, -1, f->path, f->bed.store, &ops, f->bed.store,
				     &f->control),
			 0);
	connect_client(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	varlink_client_free(f->client);
	control_free(f->control);
	bed_done(&f->bed);
	free(f);
	return 0;
}

/* The loop and the client are one thread, so they take turns. */
static void next(struct fixture *f, struct varlink_response *response)
{
	int r = -ETIMEDOUT;

	while (r == -ETIMEDOUT) {
		sd_event_run(f->bed.event, 1000);
		r = varlink_client_next(f->client, 0, response);
	}
	assert_int_equal(r, 0);
	assert_null(response->error);
}

static void ask(struct fixture *f)
{
	struct json_object *in = json_tokener_parse("{\"since\":\"@0\"}");

	assert_int_equal(
		varlink_client_call(f->client, "io.ebpfobs.Flows.List", in, true, NSEC_PER_SEC), 0);
}

static uint64_t bytes_of(struct json_object *flow, const char *direction)
{
	struct json_object *counts = json_object_object_get(flow, direction);

	return json_object_get_uint64(json_object_object_get(counts, "bytes"));
}

/* Adds the flows of a response; returns how many there are. */
static size_t add_flows(const struct varlink_response *response, uint64_t *tx, uint64_t *rx)
{
	struct json_object *flows = json_object_object_get(response->parameters, "flows");
	size_t n = json_object_array_length(flows);

	for (size_t i = 0; i < n; i++) {
		*tx += bytes_of(json_object_array_get_idx(flows, i), "tx");
		*rx += bytes_of(json_object_array_get_idx(flows, i), "rx");
	}
	return n;
}

static uint64_t sum_bytes(struct flow_count counts[FLOW_ROLE_MAX_][SUM_PROTOCOLS])
{
	uint64_t sum = 0;

	for (size_t role = 0; role < FLOW_ROLE_MAX_; role++)
		for (size_t protocol = 0; protocol < SUM_PROTOCOLS; protocol++)
			sum += counts[role][protocol].bytes;
	return sum;
}

static void test_sums(void **state)
{
	struct sums *sums = calloc(1, sizeof(*sums));
	struct varlink_response response = {};
	struct fixture *f = *state;
	uint64_t tx = 0, rx = 0;
	unsigned seed = 4;
	size_t rows = 0;
	bool more = true;

	assert_non_null(sums);
	bed_step(&f->bed, FLOWS, &seed, sums);
	bed_step(&f->bed, FLOWS, &seed, sums);
	ask(f);
	/* Nobody reads for a while: the answer is larger than all buffers on the way. */
	for (int i = 0; i < 200; i++)
		sd_event_run(f->bed.event, 1000);
	while (more) {
		next(f, &response);
		rows += add_flows(&response, &tx, &rx);
		more = response.continues;
		varlink_response_done(&response);
	}
	assert_int_equal(rows, FLOWS);
	assert_int_equal(tx, sum_bytes(sums->tx));
	assert_int_equal(rx, sum_bytes(sums->rx));
	free(sums);
}

/* Clients that go away in the middle, at different times; the next one is served. */
static void test_cancel(void **state)
{
	struct varlink_response response = {};
	struct fixture *f = *state;
	unsigned seed = 5;

	bed_step(&f->bed, FLOWS, &seed, NULL);
	for (int turns = 0; turns < 40; turns++) {
		ask(f);
		for (int i = 0; i < turns; i++)
			sd_event_run(f->bed.event, 1000);
		varlink_client_free(f->client);
		connect_client(f);
	}
	ask(f);
	next(f, &response);
	assert_true(response.continues);
	varlink_response_done(&response);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sums, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
