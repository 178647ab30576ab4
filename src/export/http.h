/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small HTTP server on the loop: libmicrohttpd without threads of its own, its epoll descriptor
 * and its timeouts as sd-event sources. It answers GET and HEAD on a fixed list of paths; any other
 * path or method gets an answer that says what there is. Requests have no bodies.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define HTTP_CONNECTIONS_MAX 64 /* per server; more wait in the kernel's queue */
#define HTTP_CONNECTIONS_PER_ADDRESS 16 /* more are closed, and counted */
#define HTTP_REQUEST_MAX 32768 /* bytes of memory per connection: headers and what is being sent */
#define HTTP_TIMEOUT_SEC 10 /* without a byte in either direction */
#define HTTP_RETRY_SEC 10 /* between two attempts to listen */

struct http;

struct http_request {
	const char *accept; /* the Accept header; "" if there is none */
};

/* What a route fills in: text, or a body that is made in pieces while it is sent. */
struct http_response {
	unsigned status;
	const char *content_type;
	char *text; /* NUL-terminated; the server frees it. NULL: body */
	void *body;
	/* Writes up to size bytes, at least 1; 0 at the end. */
	size_t (*read)(void *body, char *buf, size_t size);
	void (*free_body)(void *body); /* also when the client has gone away */
};

struct http_route {
	const char *path; /* "/metrics" */
	const char *help; /* one line, for whoever asks for another path */
	/* The response is zeroed, but for status 200. A negative errno becomes status 500. */
	int (*answer)(void *userdata, const struct http_request *request,
		      struct http_response *response);
};

/*
 * Listens. address (as listen_check() wants it), routes (ended by path NULL) and userdata outlive
 * the server. An address that cannot be had is no error: http_error() says why, and it is tried again
 * every HTTP_RETRY_SEC. Errors: -ENOMEM, those of sd-event.
 */
int http_new(sd_event *event, const char *address, const struct http_route *routes, void *userdata,
	     struct http **ret);
/* Closes all connections. Takes NULL, returns NULL. */
struct http *http_free(struct http *http);

/* Why it does not listen now: what, why, what to do. NULL: it listens. */
const char *http_error(const struct http *http);

/* Connections closed for HTTP_CONNECTIONS_PER_ADDRESS. */
uint64_t http_refused(const struct http *http);

static inline void http_free_p(struct http **http)
{
	http_free(*http);
}
