/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client's half: writes a call, reads responses, and gives up when the time is over. */
#include "base/varlink-client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/unix-address.h"
#include "base/util.h"

#define READ_SIZE (64U << 10)

struct varlink_client {
	int fd;
	struct varlink_buffer in, out;
};

int varlink_client_new(int fd, struct varlink_client **ret)
{
	struct varlink_client *client = calloc(1, sizeof(*client));

	if (!client)
		return -ENOMEM;
	client->fd = fd;
	*ret = client;
	return 0;
}

struct varlink_client *varlink_client_free(struct varlink_client *client)
{
	if (!client)
		return NULL;
	close_fd(client->fd);
	varlink_buffer_done(&client->in);
	varlink_buffer_done(&client->out);
	free(client);
	return NULL;
}

int varlink_client_fd(const struct varlink_client *client)
{
	return client->fd;
}

int varlink_client_connect(const char *path, struct varlink_client **ret)
{
	_cleanup_close_ int fd = -EBADF;
	struct sockaddr_un address;
	int r;

	r = unix_address(path, &address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	r = varlink_client_new(fd, ret);
	if (r == 0)
		TAKE_FD(fd);
	return r;
}

/* Waits until deadline (CLOCK_MONOTONIC) for events. */
static int wait_for(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd p = { .fd = fd, .events = events };
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	struct timespec left = {};
	int r;

	if (now < deadline_ns) {
		left.tv_sec = (time_t)((deadline_ns - now) / NSEC_PER_SEC);
		left.tv_nsec = (long)((deadline_ns - now) % NSEC_PER_SEC);
	}
	r = ppoll(&p, 1, &left, NULL);
	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	return r == 0 ? -ETIMEDOUT : 0;
}

static int send_some(struct varlink_client *client, uint64_t deadline_ns)
{
	ssize_t n;
	int r = wait_for(client->fd, POLLOUT, deadline_ns);

	if (r < 0)
		return r;
	n = send(client->fd, varlink_buffer_start(&client->out), client->out.size,
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -ECONNRESET;
	varlink_buffer_consume(&client->out, (size_t)n);
	return 0;
}

int varlink_client_call(struct varlink_client *client, const char *method,
			struct json_object *parameters, bool more, uint64_t timeout_ns)
{
	uint64_t deadline_ns = now_ns(CLOCK_MONOTONIC) + timeout_ns;
	struct json_object *message = varlink_request_new(method, parameters, more);
	int r = message ? varlink_buffer_append(&client->out, message) : -ENOMEM;

	json_object_put(message);
	while (r == 0 && client->out.size > 0)
		r = send_some(client, deadline_ns);
	return r;
}

static int read_some(struct varlink_client *client, uint64_t deadline_ns)
{
	char *room;
	ssize_t n;
	int r = wait_for(client->fd, POLLIN, deadline_ns);

	if (r < 0)
		return r;
	room = varlink_buffer_room(&client->in, READ_SIZE);
	if (!room)
		return -ENOMEM;
	n = recv(client->fd, room, READ_SIZE, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -ECONNRESET;
	if (n == 0)
		return -ECONNRESET;
	client->in.size += (size_t)n;
	return 0;
}

int varlink_client_next(struct varlink_client *client, uint64_t timeout_ns,
			struct varlink_response *ret)
{
	uint64_t deadline_ns = now_ns(CLOCK_MONOTONIC) + timeout_ns;
	const char *why;
	size_t length;
	int r;

	while (!varlink_buffer_has_message(&client->in, &length)) {
		if (client->in.size > VARLINK_RESPONSE_MAX)
			return -EMSGSIZE;
		r = read_some(client, deadline_ns);
		if (r < 0)
			return r;
	}
	r = varlink_response_parse(varlink_buffer_start(&client->in), length, ret, &why);
	varlink_buffer_consume(&client->in, length + 1);
	return r;
}
