/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server object: accepts connections up to the limit and counts what it refuses. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "base/varlink-internal.h"

#define ACCEPTS_PER_SEC 200 /* beyond it clients wait in the backlog */

int varlink_server_new(sd_event *event, const struct varlink_service *service, void *userdata,
		       struct varlink_server **ret)
{
	struct varlink_server *server = calloc(1, sizeof(*server));

	if (!server)
		return -ENOMEM;
	server->event = sd_event_ref(event);
	server->service = service;
	server->userdata = userdata;
	*ret = server;
	return 0;
}

struct varlink_server *varlink_server_free(struct varlink_server *server)
{
	if (!server)
		return NULL;
	while (server->connections)
		varlink_connection_free(server->connections);
	sd_event_source_disable_unref(server->listen);
	sd_event_unref(server->event);
	free(server);
	return NULL;
}

const struct varlink_counters *varlink_server_counters(const struct varlink_server *server)
{
	return &server->counters;
}

int varlink_server_add(struct varlink_server *server, int fd)
{
	struct varlink_connection *c;
	int r = -EBUSY;

	if (server->n_connections < VARLINK_CONNECTIONS_MAX)
		r = varlink_connection_new(server, fd, &c);
	if (r < 0)
		server->counters.refused++;
	else
		server->counters.connections++;
	return r;
}

static int on_connect(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	_cleanup_close_ int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct varlink_server *server = userdata;

	if (connection < 0) {
		/* Out of descriptors: we are told again and again, but no more than the limit. */
		server->counters.refused += errno != EAGAIN && errno != EINTR;
		return 0;
	}
	if (varlink_server_add(server, connection) == 0)
		TAKE_FD(connection);
	return 0;
}

int varlink_server_listen(struct varlink_server *server, int fd)
{
	int r = sd_event_add_io(server->event, &server->listen, fd, EPOLLIN, on_connect, server);

	if (r >= 0)
		r = sd_event_source_set_ratelimit(server->listen, USEC_PER_SEC, ACCEPTS_PER_SEC);
	if (r < 0)
		return r;
	return sd_event_source_set_io_fd_own(server->listen, true);
}
