/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the Varlink server share: varlink-server.c (accept, limits),
 * varlink-connection.c (bytes), varlink-call.c (calls), varlink-service.c (introspection).
 */
#pragma once

#include "base/varlink-message.h"
#include "base/varlink.h"

struct varlink_connection;

struct varlink_server {
	sd_event *event;
	sd_event_source *listen;
	const struct varlink_service *service;
	void *userdata;
	struct varlink_connection *connections; /* a list */
	size_t n_connections;
	struct varlink_counters counters;
};

/* A connection has one call at a time, so the call is a part of it. */
struct varlink_call {
	bool active;
	bool more, oneway;
	const struct varlink_interface *interface;
	struct varlink_request request;
	struct varlink_call_watch watch;
};

struct varlink_connection {
	struct varlink_server *server;
	struct varlink_connection *next, **link; /* link points to what points to us */
	struct varlink_peer peer;
	int fd;
	sd_event_source *io;
	sd_event_source *work; /* one-shot: go on with the input, or close */
	sd_event_source *turn; /* timer: calls may be taken again */
	sd_event_source *stall; /* timer: the reader took nothing for too long */
	struct varlink_buffer in, out;
	struct varlink_call call;
	double tokens; /* calls that may be taken now */
	uint64_t tokens_ns; /* CLOCK_MONOTONIC of that figure */
	bool eof; /* the peer sends nothing more, but may still read */
	bool drain; /* take no more input; close when the output is out */
	bool closing; /* close in the next iteration of the loop */
};

static inline struct varlink_connection *varlink_call_connection(const struct varlink_call *call)
{
	return (struct varlink_connection *)((char *)call -
					     offsetof(struct varlink_connection, call));
}

/* varlink-connection.c. Takes fd over when it succeeds. */
int varlink_connection_new(struct varlink_server *server, int fd, struct varlink_connection **ret);
struct varlink_connection *varlink_connection_free(struct varlink_connection *c);
/* Queues a message, which it takes over; NULL means that there was no memory for one. */
void varlink_connection_send(struct varlink_connection *c, struct json_object *message);
/* Goes on with the input in the next iteration of the loop: a call has ended. */
void varlink_connection_continue(struct varlink_connection *c);
/* Refuses what it sent: answers with the reason, then closes. */
void varlink_connection_refuse(struct varlink_connection *c, uint64_t *counter, const char *why);

/* varlink-call.c: runs a request, which it takes over. */
void varlink_call_start(struct varlink_connection *c, struct varlink_request *request);
/* The client is gone: tells the handler. */
void varlink_call_cancel(struct varlink_call *call);

/* varlink-service.c */
extern const struct varlink_interface varlink_service_interface;
const struct varlink_interface *varlink_find_interface(const struct varlink_service *service,
						       const char *name, size_t name_length);
