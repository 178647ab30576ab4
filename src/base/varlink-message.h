/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The messages of Varlink, and the buffer that cuts a stream into them. Loop and client share it. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#define VARLINK_RESPONSE_MAX (64U << 20) /* bytes of a message that the client takes */

struct varlink_buffer {
	char *data;
	size_t start, size, alloc; /* what is in it begins at start and takes size bytes */
	size_t scanned; /* that many of them hold no NUL */
};

void varlink_buffer_done(struct varlink_buffer *buffer);
/* Makes room for n bytes more and says where they go; then add n to size. NULL: no memory. */
char *varlink_buffer_room(struct varlink_buffer *buffer, size_t n);
void varlink_buffer_consume(struct varlink_buffer *buffer, size_t n);
/* True if there is a whole message: *ret_length bytes and a NUL at the buffer's start. */
bool varlink_buffer_has_message(struct varlink_buffer *buffer, size_t *ret_length);
/* Appends message and its NUL. */
int varlink_buffer_append(struct varlink_buffer *buffer, struct json_object *message);

static inline const char *varlink_buffer_start(const struct varlink_buffer *buffer)
{
	return buffer->data + buffer->start;
}

struct varlink_request {
	struct json_object *message; /* owns what the others point to */
	const char *method;
	struct json_object *parameters; /* NULL: none */
	bool more, oneway;
};

struct varlink_response {
	struct json_object *message;
	const char *error; /* NULL: none */
	struct json_object *parameters;
	bool continues;
};

/* Parse one message. -EBADMSG: *ret_why is a static sentence about what is wrong with it. */
int varlink_request_parse(const char *text, size_t length, struct varlink_request *ret,
			  const char **ret_why);
int varlink_response_parse(const char *text, size_t length, struct varlink_response *ret,
			   const char **ret_why);
void varlink_request_done(struct varlink_request *request);
void varlink_response_done(struct varlink_response *response);

/* New messages; parameters are taken over and may be NULL. NULL: no memory. */
struct json_object *varlink_request_new(const char *method, struct json_object *parameters,
					bool more);
struct json_object *varlink_response_new(const char *error, struct json_object *parameters,
					 bool continues);
