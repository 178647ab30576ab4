/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A blocking Varlink client: one connection, one call at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/varlink-message.h"

struct varlink_client;

/* Errors as connect(2): -ENOENT, -ECONNREFUSED, -EACCES; -ENAMETOOLONG. */
int varlink_client_connect(const char *path, struct varlink_client **ret);
/* Takes a connected socket over when it succeeds. */
int varlink_client_new(int fd, struct varlink_client **ret);
struct varlink_client *varlink_client_free(struct varlink_client *client); /* takes NULL */

/* Sends a call; takes parameters (NULL: none). With more, any number of responses follow. */
int varlink_client_call(struct varlink_client *client, const char *method,
			struct json_object *parameters, bool more, uint64_t timeout_ns);
/*
 * The next response, to be released with varlink_response_done(). -ETIMEDOUT: none came in time;
 * -ECONNRESET: the service closed the connection; -EBADMSG: it does not speak Varlink; -EMSGSIZE.
 */
int varlink_client_next(struct varlink_client *client, uint64_t timeout_ns,
			struct varlink_response *ret);
/* For poll(2): readable when something came, also the end. */
int varlink_client_fd(const struct varlink_client *client);

static inline void varlink_client_free_p(struct varlink_client **client)
{
	varlink_client_free(*client);
}
