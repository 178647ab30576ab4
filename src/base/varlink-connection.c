/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes of a connection. Input is read only while no call runs, so a client that pipelines is
 * held back by its own socket; output is queued and written when the socket takes it. A connection
 * is only ever freed from the event loop, never from inside a call of a handler: trouble sets
 * "closing" and the one-shot source "work" does the rest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/util.h"
#include "base/varlink-internal.h"

#define READ_SIZE (64U << 10) /* at a time, so that one connection does not hold up the loop */

static bool wants_input(const struct varlink_connection *c)
{
	return !c->call.active && !c->eof && !c->drain && !c->closing &&
	       c->in.size <= VARLINK_MESSAGE_MAX;
}

static void watch_io(struct varlink_connection *c)
{
	uint32_t events = (wants_input(c) ? EPOLLIN : 0) | (c->out.size > 0 ? EPOLLOUT : 0);

	/* With no bit set we are still told of a hang-up. */
	sd_event_source_set_io_events(c->io, events);
}

static void schedule_work(struct varlink_connection *c)
{
	sd_event_source_set_enabled(c->work, SD_EVENT_ONESHOT);
}

static void drop(struct varlink_connection *c, uint64_t *counter, const char *why)
{
	const struct varlink_service *service = c->server->service;

	if (c->closing)
		return;
	(*counter)++;
	if (service->dropped)
		service->dropped(c->server->userdata, &c->peer, why);
	c->closing = true;
	schedule_work(c);
}

void varlink_connection_refuse(struct varlink_connection *c, uint64_t *counter, const char *why)
{
	const struct varlink_service *service = c->server->service;
	struct json_object *out = json_object_new_object();

	(*counter)++;
	if (service->dropped)
		service->dropped(c->server->userdata, &c->peer, why);
	c->drain = true;
	json_add_string(out, "parameter", "message");
	json_add_string(out, "reason", why);
	varlink_connection_send(c, varlink_response_new("org.varlink.service.InvalidParameter", out,
							false));
}

void varlink_connection_continue(struct varlink_connection *c)
{
	schedule_work(c);
}

/* The time to the stall starts with the first byte that waits, and again with each progress. */
static void watch_stall(struct varlink_connection *c)
{
	if (c->out.size == 0) {
		sd_event_source_set_enabled(c->stall, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time_relative(c->stall, VARLINK_STALL_MAX_SEC * USEC_PER_SEC);
	sd_event_source_set_enabled(c->stall, SD_EVENT_ONESHOT);
}

void varlink_connection_send(struct varlink_connection *c, struct json_object *message)
{
	bool was_empty = c->out.size == 0;

	if (c->closing) {
		json_object_put(message);
		return;
	}
	/* Looked at before: one large message to a reader that keeps up is no reason to drop it. */
	if (c->out.size > VARLINK_OUTPUT_MAX)
		drop(c, &c->server->counters.slow_readers,
		     "It does not read its answers: too much is waiting.");
	else if (!message || varlink_buffer_append(&c->out, message) < 0)
		drop(c, &c->server->counters.refused, "There is no memory to answer.");
	else if (was_empty) {
		watch_stall(c);
		watch_io(c);
	}
	json_object_put(message);
}

/* Refills the bucket; false and a timer if it is empty. */
static bool take_turn(struct varlink_connection *c)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	double filled = (double)(now - c->tokens_ns) * VARLINK_CALLS_PER_SEC / (double)NSEC_PER_SEC;

	c->tokens = MIN(c->tokens + filled, (double)VARLINK_CALLS_BURST);
	c->tokens_ns = now;
	if (c->tokens >= 1) {
		c->tokens -= 1;
		return true;
	}
	sd_event_source_set_time_relative(c->turn, USEC_PER_SEC / VARLINK_CALLS_PER_SEC);
	sd_event_source_set_enabled(c->turn, SD_EVENT_ONESHOT);
	c->server->counters.calls_delayed++;
	return false;
}

static void take_message(struct varlink_connection *c, size_t length)
{
	struct varlink_request request;
	const char *why;
	int r = varlink_request_parse(varlink_buffer_start(&c->in), length, &request, &why);

	varlink_buffer_consume(&c->in, length + 1);
	if (r < 0)
		varlink_connection_refuse(c, &c->server->counters.malformed, why);
	else
		varlink_call_start(c, &request);
}

/* Takes calls from the input until one is not answered at once. */
static void process(struct varlink_connection *c)
{
	size_t length;

	/* Whoever does not read the answers shall not ask more. */
	while (!c->call.active && !c->drain && !c->closing && c->out.size <= VARLINK_OUTPUT_HIGH) {
		bool whole = varlink_buffer_has_message(&c->in, &length);

		if ((whole ? length : c->in.size) > VARLINK_MESSAGE_MAX) {
			varlink_connection_refuse(c, &c->server->counters.oversize,
						  "The message is larger than 1 MiB.");
			return;
		}
		if (!whole) {
			/* What is left, if anything, is the begin of a message without an end. */
			c->drain = c->eof;
			return;
		}
		if (!take_turn(c))
			return;
		take_message(c, length);
	}
}

/* Goes on after something changed: takes calls, closes if there is nothing more to do. */
static void go_on(struct varlink_connection *c)
{
	process(c);
	if (c->closing || (c->drain && !c->call.active && c->out.size == 0)) {
		varlink_connection_free(c);
		return;
	}
	watch_io(c);
}

static int on_work(sd_event_source *source, void *userdata)
{
	go_on(userdata);
	return 0;
}

static int on_turn(sd_event_source *source, uint64_t usec, void *userdata)
{
	go_on(userdata);
	return 0;
}

static int on_stall(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct varlink_connection *c = userdata;

	drop(c, &c->server->counters.slow_readers, "It does not read its answers.");
	return 0;
}

/* False: the connection is broken. */
static bool read_input(struct varlink_connection *c)
{
	char *room = varlink_buffer_room(&c->in, READ_SIZE);
	ssize_t n;

	if (!room)
		return false;
	n = recv(c->fd, room, READ_SIZE, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->in.size += (size_t)n;
	c->eof = n == 0;
	return true;
}

static bool write_output(struct varlink_connection *c)
{
	ssize_t n = send(c->fd, varlink_buffer_start(&c->out), c->out.size,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	varlink_buffer_consume(&c->out, (size_t)n);
	watch_stall(c);
	return true;
}

static void tell_writable(struct varlink_connection *c)
{
	struct varlink_call *call = &c->call;

	if (call->active && call->watch.writable && c->out.size <= VARLINK_OUTPUT_HIGH)
		call->watch.writable(call, call->watch.userdata);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct varlink_connection *c = userdata;
	bool ok = true;

	if (revents & EPOLLIN)
		ok = read_input(c);
	else if (revents & (EPOLLHUP | EPOLLERR))
		ok = false; /* nobody reads the answer, so nobody wants it */
	if (ok && (revents & EPOLLOUT)) {
		ok = write_output(c);
		if (ok)
			tell_writable(c);
	}
	c->closing |= !ok;
	go_on(c);
	return 0;
}

static int add_sources(struct varlink_connection *c)
{
	sd_event *event = c->server->event;
	int r = sd_event_add_io(event, &c->io, c->fd, EPOLLIN, on_io, c);

	if (r >= 0)
		r = sd_event_add_defer(event, &c->work, on_work, c);
	if (r >= 0)
		r = sd_event_source_set_enabled(c->work, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &c->turn, CLOCK_MONOTONIC, 0, 1, on_turn, c);
	if (r >= 0)
		r = sd_event_source_set_enabled(c->turn, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &c->stall, CLOCK_MONOTONIC, 0, USEC_PER_SEC,
					       on_stall, c);
	if (r >= 0)
		r = sd_event_source_set_enabled(c->stall, SD_EVENT_OFF);
	return r < 0 ? r : 0;
}

static int get_peer_groups(int fd, struct varlink_peer *peer)
{
	socklen_t size = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0)
		return 0; /* none */
	if (errno != ERANGE)
		return -errno;
	peer->groups = malloc(size);
	if (!peer->groups)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &size) < 0)
		return -errno;
	peer->n_groups = size / sizeof(gid_t);
	return 0;
}

static int get_peer(int fd, struct varlink_peer *peer)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return -errno;
	peer->pid = cred.pid;
	peer->uid = cred.uid;
	peer->gid = cred.gid;
	return get_peer_groups(fd, peer);
}

static void link_connection(struct varlink_connection *c)
{
	struct varlink_server *server = c->server;

	c->next = server->connections;
	if (c->next)
		c->next->link = &c->next;
	c->link = &server->connections;
	server->connections = c;
	server->n_connections++;
}

DEFINE_CLEANUP(struct varlink_connection *, varlink_connection_free)

int varlink_connection_new(struct varlink_server *server, int fd, struct varlink_connection **ret)
{
	_cleanup_(varlink_connection_free_p) struct varlink_connection *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->server = server;
	c->fd = -EBADF;
	c->tokens = VARLINK_CALLS_BURST;
	c->tokens_ns = now_ns(CLOCK_MONOTONIC);
	r = get_peer(fd, &c->peer);
	if (r < 0)
		return r;
	c->fd = fd;
	r = add_sources(c);
	if (r < 0) {
		c->fd = -EBADF;
		return r;
	}
	link_connection(c);
	*ret = TAKE(c);
	return 0;
}

struct varlink_connection *varlink_connection_free(struct varlink_connection *c)
{
	if (!c)
		return NULL;
	c->closing = true;
	varlink_call_cancel(&c->call);
	if (c->link) {
		*c->link = c->next;
		if (c->next)
			c->next->link = c->link;
		c->server->n_connections--;
	}
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->work);
	sd_event_source_disable_unref(c->turn);
	sd_event_source_disable_unref(c->stall);
	close_fd(c->fd);
	varlink_buffer_done(&c->in);
	varlink_buffer_done(&c->out);
	free(c->peer.groups);
	free(c);
	return NULL;
}
