/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Members of the envelope that we do not know are left alone, as Varlink asks.
 */
#include "base/varlink-message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/util.h"

void varlink_buffer_done(struct varlink_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct varlink_buffer){};
}

char *varlink_buffer_room(struct varlink_buffer *buffer, size_t n)
{
	size_t want = buffer->size + n;
	size_t alloc = MIN(2 * buffer->alloc, want + (64U << 10)); /* doubles, but not for ever */
	char *data;

	if (buffer->start > 0) {
		memmove(buffer->data, varlink_buffer_start(buffer), buffer->size);
		buffer->start = 0;
	}
	if (want > buffer->alloc) {
		alloc = MAX(want, alloc);
		data = realloc(buffer->data, alloc);
		if (!data)
			return NULL;
		buffer->data = data;
		buffer->alloc = alloc;
	}
	return buffer->data + buffer->size;
}

void varlink_buffer_consume(struct varlink_buffer *buffer, size_t n)
{
	buffer->start += n;
	buffer->size -= n;
	buffer->scanned = 0;
	/* An idle connection shall not keep the memory of its largest message. */
	if (buffer->size == 0)
		varlink_buffer_done(buffer);
}

bool varlink_buffer_has_message(struct varlink_buffer *buffer, size_t *ret_length)
{
	const char *start, *end;

	if (buffer->size == buffer->scanned)
		return false;
	start = varlink_buffer_start(buffer);
	end = memchr(start + buffer->scanned, '\0', buffer->size - buffer->scanned);
	if (!end) {
		buffer->scanned = buffer->size;
		return false;
	}
	*ret_length = (size_t)(end - start);
	return true;
}

int varlink_buffer_append(struct varlink_buffer *buffer, struct json_object *message)
{
	size_t length;
	const char *text = json_object_to_json_string_length(
		message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
	char *room = text ? varlink_buffer_room(buffer, length + 1) : NULL;

	if (!room)
		return -ENOMEM;
	memcpy(room, text, length);
	room[length] = '\0';
	buffer->size += length + 1;
	return 0;
}

static struct json_object *parse_object(const char *text, size_t length, const char **ret_why)
{
	struct json_object *object = NULL;
	int r = json_parse(text, length, VARLINK_RESPONSE_MAX, &object);

	if (r == 0 && json_object_is_type(object, json_type_object))
		return object;
	json_object_put(object);
	if (r == 0)
		*ret_why = "The message is not a JSON object.";
	else
		*ret_why = "The message is not valid JSON, or nested too deeply.";
	return NULL;
}

/* The member key of type. False: it is there, but of another type. null counts as not there. */
static bool get_member(struct json_object *object, const char *key, enum json_type type,
		       struct json_object **ret)
{
	struct json_object *value;

	*ret = NULL;
	if (!json_object_object_get_ex(object, key, &value) || !value)
		return true;
	if (!json_object_is_type(value, type))
		return false;
	*ret = value;
	return true;
}

static bool get_flag(struct json_object *object, const char *key, bool *ret)
{
	struct json_object *value;

	if (!get_member(object, key, json_type_boolean, &value))
		return false;
	*ret = value && json_object_get_boolean(value);
	return true;
}

/* A string with a NUL in it would be read as another, shorter string. */
static bool get_text(struct json_object *object, const char *key, const char **ret)
{
	struct json_object *value;

	if (!get_member(object, key, json_type_string, &value))
		return false;
	*ret = value ? json_object_get_string(value) : NULL;
	return !value || strlen(*ret) == (size_t)json_object_get_string_len(value);
}

int varlink_request_parse(const char *text, size_t length, struct varlink_request *ret,
			  const char **ret_why)
{
	struct varlink_request request = { .message = parse_object(text, length, ret_why) };

	if (!request.message)
		return -EBADMSG;
	if (!get_text(request.message, "method", &request.method) || !request.method)
		*ret_why = "The message has no \"method\" that is a string.";
	else if (!get_member(request.message, "parameters", json_type_object, &request.parameters))
		*ret_why = "\"parameters\" is not an object.";
	else if (!get_flag(request.message, "more", &request.more) ||
		 !get_flag(request.message, "oneway", &request.oneway))
		*ret_why = "\"more\" or \"oneway\" is not true or false.";
	else if (request.more && request.oneway)
		*ret_why = "\"more\" and \"oneway\" exclude each other.";
	else {
		*ret = request;
		return 0;
	}
	varlink_request_done(&request);
	return -EBADMSG;
}

int varlink_response_parse(const char *text, size_t length, struct varlink_response *ret,
			   const char **ret_why)
{
	struct varlink_response response = { .message = parse_object(text, length, ret_why) };

	if (!response.message)
		return -EBADMSG;
	if (!get_text(response.message, "error", &response.error))
		*ret_why = "\"error\" is not a string.";
	else if (!get_member(response.message, "parameters", json_type_object,
			     &response.parameters))
		*ret_why = "\"parameters\" is not an object.";
	else if (!get_flag(response.message, "continues", &response.continues))
		*ret_why = "\"continues\" is not true or false.";
	else {
		*ret = response;
		return 0;
	}
	varlink_response_done(&response);
	return -EBADMSG;
}

void varlink_request_done(struct varlink_request *request)
{
	json_object_put(request->message);
	*request = (struct varlink_request){};
}

void varlink_response_done(struct varlink_response *response)
{
	json_object_put(response->message);
	*response = (struct varlink_response){};
}

/* A message with a string, parameters and a flag, each left out if it says nothing. */
static struct json_object *message_new(const char *text_key, const char *text,
				       struct json_object *parameters, const char *flag_key,
				       bool flag)
{
	struct json_object *message = json_object_new_object();
	int r = message ? 0 : -ENOMEM;

	if (text)
		r = r ?: json_add_string(message, text_key, text);
	if (parameters)
		r = json_add(message, "parameters", parameters) ?: r;
	if (flag)
		r = r ?: json_add_bool(message, flag_key, true);
	if (r == 0)
		return message;
	json_object_put(message);
	return NULL;
}

struct json_object *varlink_request_new(const char *method, struct json_object *parameters,
					bool more)
{
	return message_new("method", method, parameters, "more", more);
}

struct json_object *varlink_response_new(const char *error, struct json_object *parameters,
					 bool continues)
{
	return message_new("error", error, parameters, "continues", continues);
}
