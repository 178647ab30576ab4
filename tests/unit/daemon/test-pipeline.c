/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rounds of draining, with collectors whose drains end when the test says so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <netinet/in.h>

#include "base/util.h"
#include "base/work.h"
#include "daemon/pipeline.h"

#define NEVER (3600 * NSEC_PER_SEC)
#define STEP (50 * NSEC_PER_MSEC)

struct collector {
	unsigned drains; /* begun */
	void (*done)(void *userdata, int r); /* NULL: none is under way */
	void *userdata;
};

static void fake_drain(struct collector *c, void (*done)(void *userdata, int r), void *userdata)
{
	assert_null(c->done); /* one at a time */
	c->drains++;
	c->done = done;
	c->userdata = userdata;
}

static const struct collect_ops fake_ops = { .name = "fake", .drain = fake_drain };

struct bed {
	sd_event *event;
	struct work *work;
	struct store *store;
	struct pipeline *pipeline;
	struct collector a, b;
	struct pipeline_collector collectors[2];
	unsigned before_rounds, before_steps, steps;
	struct flow_count sent; /* in the steps that ended */
};

struct question {
	unsigned answers;
	int r;
};

static void on_answer(void *cookie, int r)
{
	struct question *q = cookie;

	q->answers++;
	q->r = r;
}

/* Nothing is being drained yet. */
static void on_before_round(void *userdata, bool ends_step)
{
	struct bed *bed = userdata;

	assert_int_equal(bed->a.drains, bed->before_rounds);
	bed->before_rounds++;
	bed->before_steps += ends_step;
}

static void on_record(void *userdata, const struct record *record)
{
	struct bed *bed = userdata;

	flow_count_add(&bed->sent, &record->flow.tx);
}

static void on_step_end(void *userdata)
{
	struct bed *bed = userdata;

	bed->steps++;
}

static struct bed *new_bed(uint64_t interval)
{
	static const struct store_options options = {
		.max_size = 64 << 20, .retention = NEVER, .top = 10, .top_stacks = 10
	};
	struct bed *bed = calloc(1, sizeof(*bed));

	assert_non_null(bed);
	assert_true(sd_event_new(&bed->event) >= 0);
	assert_int_equal(work_new(bed->event, &bed->work), 0);
	assert_int_equal(store_new(bed->work, NULL, &options, &bed->store), 0);
	assert_int_equal(store_on_step(bed->store, on_record, on_step_end, bed), 0);
	assert_int_equal(pipeline_new(bed->event, interval, bed->store, on_before_round, bed,
				      &bed->pipeline),
			 0);
	bed->collectors[0] = (struct pipeline_collector){ &fake_ops, &bed->a };
	bed->collectors[1] = (struct pipeline_collector){ &fake_ops, &bed->b };
	pipeline_set(bed->pipeline, bed->collectors, 2, NULL);
	return bed;
}

static void free_bed(struct bed *bed)
{
	bed->pipeline = pipeline_free(bed->pipeline);
	bed->store = store_free(bed->store);
	bed->work = work_free(bed->work);
	sd_event_unref(bed->event);
	free(bed);
}

/* Runs the loop until a drain of the collector is under way. */
static void await_drain(struct bed *bed, const struct collector *c)
{
	while (!c->done)
		assert_true(sd_event_run(bed->event, 10 * USEC_PER_SEC) > 0);
}

static void run_for(struct bed *bed, uint64_t ns)
{
	uint64_t end = now_ns(CLOCK_MONOTONIC) + ns;

	while (now_ns(CLOCK_MONOTONIC) < end)
		assert_true(sd_event_run(bed->event, USEC_PER_MSEC) >= 0);
}

static void end_drain(struct collector *c, int r)
{
	void (*done)(void *userdata, int r) = c->done;

	c->done = NULL;
	done(c->userdata, r);
}

static void end_round(struct bed *bed)
{
	await_drain(bed, &bed->a);
	end_drain(&bed->a, 0);
	await_drain(bed, &bed->b);
	end_drain(&bed->b, 0);
}

static void emit_flow(struct bed *bed)
{
	struct record record = { .kind = RECORD_FLOW,
				 .flow = { .protocol = IPPROTO_UDP, .tx = { 1, 100, 1, 100 } } };

	for (int end = 0; end < 2; end++) {
		struct endpoint *e = end ? &record.flow.peer : &record.flow.local;

		e->workload = (struct workload){ WORKLOAD_NONE, "", "", "" };
	}
	pipeline_emit(bed->pipeline, &record);
}

static void test_steps(void **state)
{
	struct bed *bed = new_bed(STEP);

	for (unsigned i = 1; i <= 3; i++) {
		await_drain(bed, &bed->a);
		assert_null(bed->b.done); /* one after the other */
		assert_int_equal(bed->before_steps, i);
		assert_int_equal(bed->steps, i - 1);
		emit_flow(bed);
		end_drain(&bed->a, 0);
		await_drain(bed, &bed->b);
		assert_int_equal(bed->steps, i - 1);
		end_drain(&bed->b, 0);
		assert_int_equal(bed->steps, i); /* it ends when its drain did */
	}
	assert_int_equal(bed->sent.skbs, 3);
	assert_int_equal(pipeline_records(bed->pipeline), 3);
	free_bed(bed);
}

static void test_flush(void **state)
{
	struct bed *bed = new_bed(NEVER);
	struct question q = { 0 }, other = { 0 };

	assert_int_equal(pipeline_flush(bed->pipeline, on_answer, &q), 0);
	assert_int_equal(pipeline_flush(bed->pipeline, on_answer, &other), 0);
	assert_int_equal(bed->a.drains, 0); /* from the loop, not from inside */
	end_round(bed);
	assert_int_equal(q.answers, 1);
	assert_int_equal(other.answers, 1);
	assert_int_equal(q.r, 0);
	assert_int_equal(bed->a.drains, 1); /* one round for both */
	assert_int_equal(bed->before_rounds, 1);
	assert_int_equal(bed->steps + bed->before_steps, 0); /* no step of its own */
	free_bed(bed);
}

/* Packets may have come after the round began: who asks then waits for another one. */
static void test_flush_while_draining(void **state)
{
	struct bed *bed = new_bed(NEVER);
	struct question first = { 0 }, second = { 0 };

	assert_int_equal(pipeline_flush(bed->pipeline, on_answer, &first), 0);
	await_drain(bed, &bed->a);
	assert_int_equal(pipeline_flush(bed->pipeline, on_answer, &second), 0);
	end_round(bed);
	assert_int_equal(first.answers, 1);
	assert_int_equal(second.answers, 0);
	end_round(bed);
	assert_int_equal(first.answers, 1);
	assert_int_equal(second.answers, 1);
	assert_int_equal(bed->a.drains, 2);
	assert_int_equal(bed->b.drains, 2);
	free_bed(bed);
}

/* A hundred questions a second must not make a hundred rounds. */
static void test_flushes_are_apart(void **state)
{
	struct bed *bed = new_bed(NEVER);
	struct question q = { 0 };
	uint64_t end;

	pipeline_flush(bed->pipeline, on_answer, &q);
	end_round(bed);
	end = now_ns(CLOCK_MONOTONIC);
	pipeline_flush(bed->pipeline, on_answer, &q);
	end_round(bed);
	assert_int_equal(q.answers, 2);
	assert_true(now_ns(CLOCK_MONOTONIC) - end >= 95 * NSEC_PER_MSEC);
	free_bed(bed);
}

static void test_failure(void **state)
{
	struct bed *bed = new_bed(NEVER);
	struct question q = { 0 };

	pipeline_flush(bed->pipeline, on_answer, &q);
	await_drain(bed, &bed->a);
	end_drain(&bed->a, -EIO);
	await_drain(bed, &bed->b); /* costs the others nothing */
	end_drain(&bed->b, -EPERM);
	assert_int_equal(q.answers, 1);
	assert_int_equal(q.r, -EIO);
	pipeline_flush(bed->pipeline, on_answer, &q);
	end_round(bed);
	assert_int_equal(q.r, 0); /* and the next round nothing */
	free_bed(bed);
}

/* However many steps a slow drain takes: one is made up for, at once. */
static void test_step_while_draining(void **state)
{
	struct bed *bed = new_bed(STEP);

	await_drain(bed, &bed->a);
	run_for(bed, 5 * STEP);
	assert_int_equal(bed->before_steps, 1);
	end_round(bed);
	assert_int_equal(bed->steps, 1);
	assert_non_null(bed->a.done);
	assert_int_equal(bed->before_steps, 2);
	pipeline_set_interval(bed->pipeline, NEVER);
	end_round(bed);
	assert_int_equal(bed->steps, 2);
	assert_null(bed->a.done);
	free_bed(bed);
}

static void test_without_collectors(void **state)
{
	struct bed *bed = new_bed(NEVER);
	struct question q = { 0 };

	pipeline_set(bed->pipeline, NULL, 0, NULL);
	pipeline_flush(bed->pipeline, on_answer, &q);
	while (q.answers == 0)
		assert_true(sd_event_run(bed->event, 10 * USEC_PER_SEC) > 0);
	assert_int_equal(q.r, 0);
	free_bed(bed);
}

/* A reload in the middle of a drain: that collector is gone and says nothing, or says it late. */
static void test_set_while_draining(void **state)
{
	struct bed *bed = new_bed(STEP);
	struct question q = { 0 };

	for (int late = 0; late < 2; late++) {
		await_drain(bed, &bed->a);
		assert_int_equal(pipeline_flush(bed->pipeline, on_answer, &q), 0);
		pipeline_set(bed->pipeline, NULL, 0, NULL);
		if (late)
			end_drain(&bed->a, 0);
		bed->a.done = NULL;
		assert_int_equal(q.answers, late);
		pipeline_set(bed->pipeline, bed->collectors, 2, NULL);
		end_round(bed);
		assert_int_equal(q.answers, late + 1);
		assert_int_equal(bed->steps, late + 1); /* the step that was due */
	}
	free_bed(bed);
}

static void test_free_answers(void **state)
{
	struct bed *bed = new_bed(NEVER);
	struct question asked = { 0 }, waiting = { 0 };

	pipeline_flush(bed->pipeline, on_answer, &asked);
	await_drain(bed, &bed->a);
	pipeline_flush(bed->pipeline, on_answer, &waiting);
	free_bed(bed);
	assert_int_equal(asked.r, -ECANCELED);
	assert_int_equal(waiting.r, -ECANCELED);
	assert_null(pipeline_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_flush_while_draining),
		cmocka_unit_test(test_flushes_are_apart),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_step_while_draining),
		cmocka_unit_test(test_without_collectors),
		cmocka_unit_test(test_set_while_draining),
		cmocka_unit_test(test_free_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
