/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The socket is ours (listen.c); what speaks HTTP on it is libmicrohttpd. It has one epoll
 * descriptor for all its sockets: when that is readable, or when the time that it asked for has
 * passed, MHD_run() does what can be done without blocking. A body in pieces is one piece per
 * MHD_run() and connection, so other event sources get their turn in between; the server's sources
 * come after theirs.
 */
#define LOG_COMPONENT "http"
#include "export/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/util.h"
#include "export/listen.h"

#define PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10) /* collectors first */

struct http {
	sd_event *event;
	const char *address;
	char error[256]; /* why it does not listen; "": it does */
	sd_event_source *retry; /* while it does not */
	struct MHD_Daemon *daemon;
	sd_event_source *io, *timer;
	const struct http_route *routes;
	void *userdata;
	struct in6_addr clients[HTTP_CONNECTIONS_MAX]; /* of the open connections */
	size_t n_clients;
	uint64_t refused;
};

/* --- connections ----------------------------------------------------------------------------- */

/* IPv4 as ::ffff:a.b.c.d, so that a client counts as one whichever socket it came through. */
static struct in6_addr client_address(const struct sockaddr *sa)
{
	struct in6_addr address = IN6ADDR_ANY_INIT;

	if (sa->sa_family == AF_INET6)
		return ((const struct sockaddr_in6 *)sa)->sin6_addr;
	address.s6_addr[10] = address.s6_addr[11] = 0xff;
	memcpy(&address.s6_addr[12], &((const struct sockaddr_in *)sa)->sin_addr, 4);
	return address;
}

static enum MHD_Result on_accept(void *userdata, const struct sockaddr *sa, socklen_t length)
{
	struct http *http = userdata;
	struct in6_addr address = client_address(sa);
	size_t same = 0;

	(void)length;
	for (size_t i = 0; i < http->n_clients; i++)
		same += memcmp(&http->clients[i], &address, sizeof(address)) == 0;
	if (same < HTTP_CONNECTIONS_PER_ADDRESS)
		return MHD_YES;
	http->refused++;
	return MHD_NO;
}

static void on_connection(void *userdata, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http *http = userdata;
	struct in6_addr address = client_address(
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
			->client_addr);

	(void)context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		http->clients[http->n_clients++] = address;
		return;
	}
	for (size_t i = 0; i < http->n_clients; i++) {
		if (memcmp(&http->clients[i], &address, sizeof(address)) != 0)
			continue;
		http->clients[i] = http->clients[--http->n_clients];
		return;
	}
}

/* --- answers --------------------------------------------------------------------------------- */

/* What a piecewise body needs while it is sent: the response itself is gone by then. */
struct sending {
	void *body;
	size_t (*read)(void *body, char *buf, size_t size);
	void (*free_body)(void *body);
};

static ssize_t on_read(void *userdata, uint64_t pos, char *buf, size_t size)
{
	struct sending *sending = userdata;
	size_t n = sending->read(sending->body, buf, size);

	(void)pos;
	return n > 0 ? (ssize_t)n : MHD_CONTENT_READER_END_OF_STREAM;
}

static void on_read_end(void *userdata)
{
	struct sending *sending = userdata;

	sending->free_body(sending->body);
	free(sending);
}

static struct MHD_Response *response_in_pieces(const struct http_response *response)
{
	struct sending *sending = malloc(sizeof(*sending));
	struct MHD_Response *r;

	if (!sending) {
		response->free_body(response->body);
		return NULL;
	}
	*sending = (struct sending){ response->body, response->read, response->free_body };
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, HTTP_REQUEST_MAX / 2, on_read,
					      sending, on_read_end);
	if (!r)
		on_read_end(sending);
	return r;
}

static struct MHD_Response *response_of_text(char *text)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);

	if (!r)
		free(text);
	return r;
}

static enum MHD_Result send_response(struct MHD_Connection *connection,
				     const struct http_response *response)
{
	struct MHD_Response *r;
	enum MHD_Result result;

	r = response->text ? response_of_text(response->text) : response_in_pieces(response);
	if (!r)
		return MHD_NO; /* closes the connection */
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, response->content_type);
	if (response->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, response->status, r);
	MHD_destroy_response(r);
	return result;
}

/* An answer to what we do not serve: why, and the list of what we do. */
static int explain(const struct http *http, unsigned status, const char *why,
		   struct http_response *response)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	fprintf(f, "%s. This is ebpfobs; it answers GET and HEAD on:\n", why);
	for (const struct http_route *route = http->routes; route->path; route++)
		fprintf(f, "  %-12s %s\n", route->path, route->help);
	if (fclose(f) != 0)
		return -ENOMEM;
	response->status = status;
	response->content_type = "text/plain; charset=utf-8";
	response->text = TAKE(text);
	return 0;
}

static bool is_served(const char *method)
{
	return streq(method, MHD_HTTP_METHOD_GET) || streq(method, MHD_HTTP_METHOD_HEAD);
}

static int answer(const struct http *http, struct MHD_Connection *connection, const char *path,
		  const char *method, struct http_response *response)
{
	struct http_request request;

	if (!is_served(method))
		return explain(http, MHD_HTTP_METHOD_NOT_ALLOWED, "This method is not served",
			       response);
	request.accept =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	if (!request.accept)
		request.accept = "";
	for (const struct http_route *route = http->routes; route->path; route++)
		if (streq(path, route->path))
			return route->answer(http->userdata, &request, response);
	return explain(http, MHD_HTTP_NOT_FOUND, "There is nothing at this path", response);
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
				  const char *path, const char *method, const char *version,
				  const char *upload, size_t *upload_size, void **context)
{
	struct http_response response = { .status = MHD_HTTP_OK };
	struct http *http = userdata;
	int r;

	(void)version;
	(void)upload;
	/* The first call comes with the headers alone. A response to it ends the connection (for
	 * libmicrohttpd a body may follow that we do not read): right for what we refuse, while a
	 * GET waits for the second call, so that the connection can be used again. */
	if (!*context && is_served(method)) {
		*context = http;
		return MHD_YES;
	}
	if (*upload_size > 0)
		return MHD_NO;
	r = answer(http, connection, path, method, &response);
	if (r < 0) {
		response.status = MHD_HTTP_INTERNAL_SERVER_ERROR;
		response.content_type = "text/plain; charset=utf-8";
		if (asprintf(&response.text, "%s\n", strerror(-r)) < 0)
			return MHD_NO;
	}
	return send_response(connection, &response);
}

/* --- the loop -------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 0))) static void on_mhd_log(void *userdata, const char *format,
							     va_list args)
{
	char text[256];

	(void)userdata;
	if (!log_enabled(LOG_DEBUG))
		return;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("%s", text);
}

/* Does what there is to do and asks when to come back. */
static int run(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;
	uint64_t now;

	MHD_run(http->daemon);
	if (MHD_get_timeout(http->daemon, &timeout_ms) != MHD_YES)
		return sd_event_source_set_enabled(http->timer, SD_EVENT_OFF);
	sd_event_now(sd_event_source_get_event(http->timer), CLOCK_MONOTONIC, &now);
	sd_event_source_set_time(http->timer, now + timeout_ms * USEC_PER_MSEC);
	return sd_event_source_set_enabled(http->timer, SD_EVENT_ONESHOT);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source;
	(void)fd;
	(void)events;
	return run(userdata);
}

static int on_timer(sd_event_source *source, uint64_t now, void *userdata)
{
	(void)source;
	(void)now;
	return run(userdata);
}

static int start_daemon(struct http *http, int fd)
{
	http->daemon =
		MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, on_accept, http, on_request,
				 http, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL,
				 MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				 (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
				 (unsigned)HTTP_TIMEOUT_SEC, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				 (size_t)HTTP_REQUEST_MAX, MHD_OPTION_NOTIFY_CONNECTION,
				 on_connection, http, MHD_OPTION_END);
	return http->daemon ? 0 : -ENOMEM;
}

static int start_sources(struct http *http)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	int r;

	if (!info)
		return -EOPNOTSUPP;
	r = sd_event_add_io(http->event, &http->io, info->epoll_fd, EPOLLIN, on_io, http);
	if (r < 0)
		return r;
	r = sd_event_add_time(http->event, &http->timer, CLOCK_MONOTONIC, 0, 1, on_timer, http);
	if (r < 0)
		return r;
	r = sd_event_source_set_priority(http->io, PRIORITY);
	if (r < 0)
		return r;
	return sd_event_source_set_priority(http->timer, PRIORITY);
}

static void stop(struct http *http)
{
	http->io = sd_event_source_unref(http->io);
	http->timer = sd_event_source_unref(http->timer);
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	http->daemon = NULL;
}

static int start(struct http *http)
{
	_cleanup_close_ int fd = listen_open(http->address);
	int r;

	if (fd < 0)
		return fd;
	r = start_daemon(http, fd);
	if (r < 0)
		return r;
	TAKE_FD(fd); /* MHD_stop_daemon() closes it */
	r = start_sources(http);
	if (r < 0)
		stop(http);
	return r;
}

static int start_or_explain(struct http *http)
{
	int r = start(http);
	size_t n;

	http->error[0] = '\0';
	if (r >= 0)
		return r;
	listen_explain(http->address, r, http->error, sizeof(http->error));
	n = strlen(http->error);
	snprintf(http->error + n, sizeof(http->error) - n, "; it is tried again every %d s",
		 HTTP_RETRY_SEC);
	return r;
}

/* Whoever has the port may give it back, and an address may come up after us. */
static int on_retry(sd_event_source *source, uint64_t now, void *userdata)
{
	struct http *http = userdata;

	(void)now;
	if (start_or_explain(http) >= 0)
		return 0;
	sd_event_source_set_time_relative(source, HTTP_RETRY_SEC * USEC_PER_SEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int http_new(sd_event *event, const char *address, const struct http_route *routes, void *userdata,
	     struct http **ret)
{
	_cleanup_(http_free_p) struct http *http = calloc(1, sizeof(*http));
	int r;

	if (!http)
		return -ENOMEM;
	http->event = event;
	http->address = address;
	http->routes = routes;
	http->userdata = userdata;
	if (start_or_explain(http) < 0) {
		r = sd_event_add_time_relative(event, &http->retry, CLOCK_MONOTONIC,
					       HTTP_RETRY_SEC * USEC_PER_SEC, 0, on_retry, http);
		if (r < 0)
			return r;
	}
	*ret = TAKE(http);
	return 0;
}

struct http *http_free(struct http *http)
{
	if (!http)
		return NULL;
	sd_event_source_disable_unref(http->retry);
	stop(http);
	free(http);
	return NULL;
}

const char *http_error(const struct http *http)
{
	return http->error[0] != '\0' ? http->error : NULL;
}

uint64_t http_refused(const struct http *http)
{
	return http->refused;
}
