/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Jobs: in order in their lane, side by side between lanes, none lost at the end. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/util.h"
#include "base/work.h"

#define JOBS 200

struct world {
	sd_event *event;
	struct work *work;
	atomic_uint ran; /* jobs, in the lane's thread */
	unsigned done; /* in the loop's */
	pthread_t loop;
	sem_t gate, arrived;
};

struct job {
	struct world *world;
	unsigned number;
	unsigned ran_as; /* the how many-th to run */
	pthread_t ran_in;
	unsigned again; /* jobs that done() queues, one after the other */
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_true(sd_event_new(&w->event) >= 0);
	assert_int_equal(work_new(w->event, &w->work), 0);
	w->loop = pthread_self();
	sem_init(&w->gate, 0, 0);
	sem_init(&w->arrived, 0, 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	w->work = work_free(w->work);
	sd_event_unref(w->event);
	sem_destroy(&w->gate);
	sem_destroy(&w->arrived);
	free(w);
	return 0;
}

static struct job *new_job(struct world *w, unsigned number)
{
	struct job *job = calloc(1, sizeof(*job));

	assert_non_null(job);
	*job = (struct job){ .world = w, .number = number };
	return job;
}

static void run_in_order(void *arg)
{
	struct job *job = arg;

	job->ran_as = atomic_fetch_add(&job->world->ran, 1);
	job->ran_in = pthread_self();
}

static void done_in_order(void *arg)
{
	struct job *job = arg;
	struct world *w = job->world;

	assert_false(pthread_equal(job->ran_in, w->loop));
	assert_true(pthread_equal(pthread_self(), w->loop));
	assert_int_equal(job->ran_as, job->number);
	assert_int_equal(w->done, job->number);
	w->done++;
	free(job);
}

static void test_order_in_a_lane(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < JOBS; i++)
		assert_int_equal(work_run(w->work, WORK_LANE_NET, run_in_order, done_in_order,
					  new_job(w, i)),
				 0);
	assert_int_equal(w->done, 0); /* done() only from the loop */
	while (w->done < JOBS)
		assert_true(sd_event_run(w->event, 10 * USEC_PER_SEC) > 0);
	assert_int_equal(w->ran, JOBS);
}

static void wait_at_gate(void *arg)
{
	struct world *w = arg;

	sem_post(&w->arrived);
	while (sem_wait(&w->gate) < 0)
		;
}

static void nothing(void *arg)
{
}

static void count(void *arg)
{
	struct world *w = arg;

	w->done++;
}

/* One that blocks holds up its own lane only. */
static void test_lanes_are_apart(void **state)
{
	struct world *w = *state;

	assert_int_equal(work_run(w->work, WORK_LANE_NET, wait_at_gate, count, w), 0);
	assert_int_equal(work_run(w->work, WORK_LANE_STORE, nothing, count, w), 0);
	while (w->done < 1)
		assert_true(sd_event_run(w->event, 10 * USEC_PER_SEC) > 0);
	sem_post(&w->gate);
	work_drain(w->work);
	assert_int_equal(w->done, 2);
}

static void test_queue_limit(void **state)
{
	struct world *w = *state;

	assert_int_equal(work_run(w->work, WORK_LANE_BPF, wait_at_gate, NULL, w), 0);
	sem_wait(&w->arrived); /* it runs, so it does not wait any more */
	for (unsigned i = 0; i < WORK_QUEUE_MAX; i++)
		assert_int_equal(work_run(w->work, WORK_LANE_BPF, nothing, count, w), 0);
	assert_int_equal(work_run(w->work, WORK_LANE_BPF, nothing, count, w), -EAGAIN);
	assert_int_equal(work_run(w->work, WORK_LANE_FILES, nothing, count, w), 0);
	sem_post(&w->gate);
	work_drain(w->work);
	assert_int_equal(w->done, WORK_QUEUE_MAX + 1);
	assert_int_equal(work_run(w->work, WORK_LANE_BPF, nothing, count, w), 0);
}

static void run_slowly(void *arg)
{
	struct job *job = arg;
	struct timespec pause = { .tv_nsec = NSEC_PER_MSEC };

	nanosleep(&pause, NULL);
	atomic_fetch_add(&job->world->ran, 1);
}

static void queue_another(void *arg)
{
	struct job *job = arg;
	struct world *w = job->world;

	w->done++;
	if (job->again-- == 0) {
		free(job);
		return;
	}
	/* In another lane each time. */
	assert_int_equal(work_run(w->work, (enum work_lane)(job->again % WORK_LANE_MAX_),
				  run_slowly, queue_another, job),
			 0);
}

/* Also what a done() queues. */
static void test_drain(void **state)
{
	struct world *w = *state;
	struct job *job = new_job(w, 0);

	work_drain(w->work); /* nothing to wait for */
	job->again = 20;
	assert_int_equal(work_run(w->work, WORK_LANE_STORE, run_slowly, queue_another, job), 0);
	work_drain(w->work);
	assert_int_equal(w->ran, 21);
	assert_int_equal(w->done, 21);
}

static void test_free_finishes(void **state)
{
	struct world *w = *state;

	for (int lane = 0; lane < WORK_LANE_MAX_; lane++)
		for (unsigned i = 0; i < 10; i++)
			assert_int_equal(work_run(w->work, lane, nothing, count, w), 0);
	w->work = work_free(w->work);
	assert_int_equal(w->done, 10 * WORK_LANE_MAX_);
	assert_null(work_free(NULL));
}

static void look_at_signals(void *arg)
{
	sigset_t *blocked = arg;

	pthread_sigmask(SIG_SETMASK, NULL, blocked);
}

/* Signals are the loop's. */
static void test_signals(void **state)
{
	struct world *w = *state;
	sigset_t blocked, own;

	sigemptyset(&blocked);
	assert_int_equal(work_run(w->work, WORK_LANE_NET, look_at_signals, NULL, &blocked), 0);
	work_drain(w->work);
	assert_true(sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGCHLD));
	pthread_sigmask(SIG_SETMASK, NULL, &own);
	assert_false(sigismember(&own, SIGTERM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order_in_a_lane, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lanes_are_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queue_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drain, setup, teardown),
		cmocka_unit_test_setup_teardown(test_free_finishes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
