/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses are numeric, so that nothing here blocks; what cannot be had is told apart. */
#include "export/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

#define BACKLOG 16

/* Splits "ADDRESS:PORT" or "[ADDRESS]:PORT" in place. */
static int split_address(char *address, const char **ret_host, const char **ret_port)
{
	char *colon = strrchr(address, ':');
	size_t n;

	if (!colon || colon[1] == '\0')
		return -EINVAL;
	*colon = '\0';
	n = strlen(address);
	if (address[0] == '[' && n > 2 && address[n - 1] == ']') {
		address[n - 1] = '\0';
		address++;
	} else if (strchr(address, ':')) {
		return -EINVAL; /* IPv6 without brackets: where does the port begin? */
	}
	*ret_host = address;
	*ret_port = colon + 1;
	return 0;
}

static int resolve_address(const char *address, struct addrinfo **ret)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM,
	};
	_cleanup_free_ char *copy = strdup(address);
	const char *host, *port;
	int r;

	if (!copy)
		return -ENOMEM;
	r = split_address(copy, &host, &port);
	if (r < 0)
		return r;
	return getaddrinfo(host[0] ? host : "::", port, &hints, ret) == 0 ? 0 : -EINVAL;
}

void listen_explain(const char *address, int r, char *error, size_t size)
{
	switch (r) {
	case -EINVAL:
		snprintf(error, size,
			 "\"%s\" is not ADDRESS:PORT with a numeric address, like 127.0.0.1:9909 "
			 "or [::1]:9909",
			 address);
		break;
	case -EADDRINUSE:
		snprintf(error, size, "cannot listen on %s: the port is taken; choose another one",
			 address);
		break;
	case -EACCES:
		snprintf(error, size,
			 "cannot listen on %s: not permitted; ports below 1024 need "
			 "CAP_NET_BIND_SERVICE, choose a higher one",
			 address);
		break;
	case -EADDRNOTAVAIL:
		snprintf(error, size, "cannot listen on %s: this host has no such address",
			 address);
		break;
	default:
		snprintf(error, size, "cannot listen on %s: %s", address, strerror(-r));
	}
}

int listen_check(const char *address, char *error, size_t size)
{
	struct addrinfo *info;
	int r;

	if (address[0] == '\0')
		return 0;
	r = resolve_address(address, &info);
	if (r < 0) {
		listen_explain(address, r, error, size);
		return r;
	}
	freeaddrinfo(info);
	return 0;
}

static int listen_socket(const struct addrinfo *info)
{
	_cleanup_close_ int fd =
		socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	/* Or a restart would have to wait for the TIME_WAIT of old scrapes. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) < 0 ||
	    bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int listen_open(const char *address)
{
	struct addrinfo *info;
	int r;

	r = resolve_address(address, &info);
	if (r < 0)
		return r;
	r = listen_socket(info);
	freeaddrinfo(info);
	return r;
}
