/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libnl's own receive loop hides what we need (the error code that a dump's NLMSG_DONE carries,
 * the echo before the acknowledgement), so the answers are read here, message by message.
 */
#include "host/rtnl.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/cleanup.h"

/* The kernel fits its dump messages to the reader's buffer, up to 32 KiB (af_netlink.c). */
#define MESSAGE_BUFFER (64 * 1024)

/* libnl's error codes are its own; errno still holds the cause of a failed system call. */
static int nl_error(int r)
{
	if (r >= 0)
		return r;
	return r == -NLE_NOMEM ? -ENOMEM : errno ? -errno : -EIO;
}

int rtnl_open(struct nl_sock **ret)
{
	_cleanup_(rtnl_close_p) struct nl_sock *sock = nl_socket_alloc();
	int one = 1, r;

	if (!sock)
		return -ENOMEM;
	r = nl_error(nl_connect(sock, NETLINK_ROUTE));
	if (r < 0)
		return r;
	r = nl_error(nl_socket_set_msg_buf_size(sock, MESSAGE_BUFFER));
	if (r < 0)
		return r;
	if (setsockopt(nl_socket_get_fd(sock), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one,
		       sizeof(one)) < 0)
		return -errno;
	*ret = TAKE(sock);
	return 0;
}

struct nl_sock *rtnl_close(struct nl_sock *sock)
{
	nl_socket_free(sock);
	return NULL;
}

struct nl_msg *rtnl_message(int type, int flags, const void *header, size_t size)
{
	struct nl_msg *message = nlmsg_alloc_simple(type, flags | NLM_F_REQUEST);

	if (message && nlmsg_append(message, (void *)header, size, NLMSG_ALIGNTO) < 0) {
		nlmsg_free(message);
		return NULL;
	}
	return message;
}

/* 1: that was the last message and *ret_result is the kernel's verdict; 0: read on. */
static int read_answer(struct nlmsghdr *h, int (*each)(void *, struct nlmsghdr *), void *userdata,
		       int *ret_result)
{
	if (h->nlmsg_flags & NLM_F_DUMP_INTR) {
		*ret_result = -EINTR;
		return 1;
	}
	switch (h->nlmsg_type) {
	case NLMSG_ERROR:
	case NLMSG_DONE: /* its payload is an error code, too (since 4.20) */
		*ret_result = nlmsg_datalen(h) >= (int)sizeof(int) ? *(int *)nlmsg_data(h) : 0;
		return 1;
	case NLMSG_NOOP:
		return 0;
	default:
		return each ? each(userdata, h) : 0;
	}
}

static int read_answers(struct nl_sock *sock, int (*each)(void *, struct nlmsghdr *),
			void *userdata)
{
	struct sockaddr_nl from;
	int n, r = 0, result = 0;

	while (r == 0) {
		_cleanup_free_ unsigned char *buffer = NULL;
		struct nlmsghdr *h;

		n = nl_recv(sock, &from, &buffer, NULL);
		if (n <= 0)
			return n < 0 ? nl_error(n) : -EIO;
		for (h = (struct nlmsghdr *)buffer; r == 0 && nlmsg_ok(h, n); h = nlmsg_next(h, &n))
			r = read_answer(h, each, userdata, &result);
	}
	return r < 0 ? r : result;
}

int rtnl_request(struct nl_sock *sock, struct nl_msg *message,
		 int (*each)(void *userdata, struct nlmsghdr *answer), void *userdata)
{
	struct nlmsghdr *h = nlmsg_hdr(message);
	int r;

	if (!(h->nlmsg_flags & NLM_F_DUMP))
		h->nlmsg_flags |= NLM_F_ACK;
	r = nl_error(nl_send_auto(sock, message));
	if (r < 0)
		return r;
	return read_answers(sock, each, userdata);
}
