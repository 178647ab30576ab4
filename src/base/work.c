/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each lane has a queue and a thread; finished jobs go to one list that the loop is told of through
 * an eventfd. All signals are blocked in the threads: they belong to the loop's signalfd.
 */
#include "base/work.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"

struct job {
	void (*run)(void *arg);
	void (*done)(void *arg);
	void *arg;
	struct job *next;
};

struct queue {
	struct job *first, **last;
	size_t n;
};

struct lane {
	struct work *work;
	pthread_t thread;
	bool started;
	pthread_cond_t wake;
	struct queue queue;
	bool busy; /* a job runs */
};

struct work {
	sd_event_source *source;
	pthread_cond_t idle; /* a lane ran out of jobs */
	int event_fd;
	pthread_mutex_t lock; /* guards what follows */
	bool stopping;
	struct queue finished;
	struct lane lanes[WORK_LANE_MAX_];
};

static void queue_init(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
	q->n = 0;
}

static void queue_push(struct queue *q, struct job *job)
{
	job->next = NULL;
	*q->last = job;
	q->last = &job->next;
	q->n++;
}

static struct job *queue_pop(struct queue *q)
{
	struct job *job = q->first;

	if (!job)
		return NULL;
	q->first = job->next;
	if (!q->first)
		q->last = &q->first;
	q->n--;
	return job;
}

static void notify_loop(struct work *work)
{
	uint64_t one = 1;

	/* Cannot fail but for an overflow after 2^64 jobs. */
	while (write(work->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void *lane_main(void *arg)
{
	struct lane *lane = arg;
	struct work *work = lane->work;
	struct job *job;

	pthread_mutex_lock(&work->lock);
	for (;;) {
		job = queue_pop(&lane->queue);
		if (!job) {
			if (work->stopping)
				break;
			pthread_cond_wait(&lane->wake, &work->lock);
			continue;
		}
		lane->busy = true;
		pthread_mutex_unlock(&work->lock);
		job->run(job->arg);
		pthread_mutex_lock(&work->lock);
		lane->busy = false;
		queue_push(&work->finished, job);
		pthread_cond_signal(&work->idle);
		notify_loop(work);
	}
	pthread_mutex_unlock(&work->lock);
	return NULL;
}

static void finish_jobs(struct work *work)
{
	struct queue finished;
	struct job *job;

	pthread_mutex_lock(&work->lock);
	finished = work->finished;
	if (!finished.first)
		finished.last = &finished.first;
	queue_init(&work->finished);
	pthread_mutex_unlock(&work->lock);

	while ((job = queue_pop(&finished))) {
		if (job->done)
			job->done(job->arg);
		free(job);
	}
}

static int on_finished(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) < 0 && errno != EAGAIN && errno != EINTR)
		return -errno;
	finish_jobs(userdata);
	return 0;
}

int work_new(sd_event *event, struct work **ret)
{
	_cleanup_(work_free_p) struct work *work = calloc(1, sizeof(*work));
	int r;

	if (!work)
		return -ENOMEM;
	pthread_mutex_init(&work->lock, NULL);
	pthread_cond_init(&work->idle, NULL);
	queue_init(&work->finished);
	for (int i = 0; i < WORK_LANE_MAX_; i++) {
		work->lanes[i].work = work;
		pthread_cond_init(&work->lanes[i].wake, NULL);
		queue_init(&work->lanes[i].queue);
	}
	work->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (work->event_fd < 0)
		return -errno;
	r = sd_event_add_io(event, &work->source, work->event_fd, EPOLLIN, on_finished, work);
	if (r < 0)
		return r;
	*ret = TAKE(work);
	return 0;
}

struct work *work_free(struct work *work)
{
	if (!work)
		return NULL;
	pthread_mutex_lock(&work->lock);
	work->stopping = true;
	for (int i = 0; i < WORK_LANE_MAX_; i++)
		pthread_cond_signal(&work->lanes[i].wake);
	pthread_mutex_unlock(&work->lock);
	for (int i = 0; i < WORK_LANE_MAX_; i++) {
		if (work->lanes[i].started)
			pthread_join(work->lanes[i].thread, NULL);
		pthread_cond_destroy(&work->lanes[i].wake);
	}
	finish_jobs(work);
	sd_event_source_disable_unref(work->source);
	close_fd(work->event_fd);
	pthread_cond_destroy(&work->idle);
	pthread_mutex_destroy(&work->lock);
	free(work);
	return NULL;
}

static int lane_start(struct lane *lane)
{
	sigset_t all, before;
	int r;

	if (lane->started)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&lane->thread, NULL, lane_main, lane);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	lane->started = r == 0;
	return r;
}

int work_run(struct work *work, enum work_lane lane_id, void (*run)(void *arg),
	     void (*done)(void *arg), void *arg)
{
	struct lane *lane = &work->lanes[lane_id];
	struct job *job;
	int r;

	r = lane_start(lane);
	if (r < 0)
		return r;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	*job = (struct job){ .run = run, .done = done, .arg = arg };

	pthread_mutex_lock(&work->lock);
	r = lane->queue.n < WORK_QUEUE_MAX && !work->stopping ? 0 : -EAGAIN;
	if (r == 0) {
		queue_push(&lane->queue, job);
		pthread_cond_signal(&lane->wake);
	}
	pthread_mutex_unlock(&work->lock);
	if (r < 0)
		free(job);
	return r;
}

static bool all_idle(const struct work *work)
{
	for (int i = 0; i < WORK_LANE_MAX_; i++)
		if (work->lanes[i].busy || work->lanes[i].queue.first)
			return false;
	return true;
}

/* A done() may queue more: round and round until there is nothing. */
void work_drain(struct work *work)
{
	bool more = true;

	while (more) {
		pthread_mutex_lock(&work->lock);
		while (!all_idle(work))
			pthread_cond_wait(&work->idle, &work->lock);
		more = work->finished.first != NULL;
		pthread_mutex_unlock(&work->lock);
		finish_jobs(work);
	}
}
