/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls: finds the method, asks whether the peer may, checks the parameters against the method's
 * table, runs the handler, and sends what it answers.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/util.h"
#include "base/varlink-internal.h"

void *varlink_call_userdata(const struct varlink_call *call)
{
	return varlink_call_connection(call)->server->userdata;
}

bool varlink_call_wants_more(const struct varlink_call *call)
{
	return call->more;
}

bool varlink_call_full(const struct varlink_call *call)
{
	return varlink_call_connection(call)->out.size > VARLINK_OUTPUT_HIGH;
}

void varlink_call_watch(struct varlink_call *call, const struct varlink_call_watch *watch)
{
	call->watch = *watch;
}

static void answer(struct varlink_call *call, const char *error, struct json_object *out,
		   bool continues)
{
	if (call->oneway)
		json_object_put(out);
	else
		varlink_connection_send(varlink_call_connection(call),
					varlink_response_new(error, out, continues));
}

static void end_call(struct varlink_call *call)
{
	varlink_request_done(&call->request);
	*call = (struct varlink_call){};
}

void varlink_notify(struct varlink_call *call, struct json_object *out)
{
	answer(call, NULL, out, true);
}

static void answer_last(struct varlink_call *call, const char *error, struct json_object *out)
{
	answer(call, error, out, false);
	end_call(call);
	varlink_connection_continue(varlink_call_connection(call));
}

void varlink_reply(struct varlink_call *call, struct json_object *out)
{
	answer_last(call, NULL, out);
}

void varlink_error(struct varlink_call *call, const char *error, struct json_object *out)
{
	answer_last(call, error, out);
}

/* An error with one or two strings; without memory it is sent with what there is. */
static void error_strings(struct varlink_call *call, const char *error, const char *key1,
			  const char *value1, const char *key2, const char *value2)
{
	struct json_object *out = json_object_new_object();

	json_add_string(out, key1, value1);
	if (value2)
		json_add_string(out, key2, value2);
	varlink_error(call, error, out);
}

void varlink_error_parameter(struct varlink_call *call, const char *parameter, const char *reason)
{
	error_strings(call, "org.varlink.service.InvalidParameter", "parameter", parameter,
		      "reason", reason);
}

void varlink_error_not_implemented(struct varlink_call *call)
{
	error_strings(call, "org.varlink.service.MethodNotImplemented", "method",
		      call->request.method, NULL, NULL);
}

void varlink_error_message(struct varlink_call *call, const char *name, const char *message)
{
	char error[256];

	snprintf(error, sizeof(error), "%s.%s", call->interface->name, name);
	error_strings(call, error, "message", message, NULL, NULL);
}

void varlink_call_cancel(struct varlink_call *call)
{
	if (!call->active)
		return;
	if (call->watch.cancel)
		call->watch.cancel(call, call->watch.userdata);
	end_call(call);
}

static bool is_string(struct json_object *value)
{
	/* A NUL inside would make it another, shorter string for everyone after us. */
	return json_object_is_type(value, json_type_string) &&
	       strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value);
}

static bool is_int(struct json_object *value)
{
	return json_object_is_type(value, json_type_int);
}

static bool is_array_of(struct json_object *value, bool (*is)(struct json_object *))
{
	if (!json_object_is_type(value, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(value); i++)
		if (!is(json_object_array_get_idx(value, i)))
			return false;
	return true;
}

static const char *find_wrong_field(const struct varlink_field *fields, struct json_object *in);

/* The name of what is wrong, or NULL. */
static const char *check_field(const struct varlink_field *field, struct json_object *value)
{
	bool ok = false;

	switch (field->type) {
	case VARLINK_BOOL:
		ok = json_object_is_type(value, json_type_boolean);
		break;
	case VARLINK_INT:
		ok = is_int(value);
		break;
	case VARLINK_STRING:
		ok = is_string(value);
		break;
	case VARLINK_STRING_ARRAY:
		ok = is_array_of(value, is_string);
		break;
	case VARLINK_INT_ARRAY:
		ok = is_array_of(value, is_int);
		break;
	case VARLINK_OBJECT:
		if (json_object_is_type(value, json_type_object))
			return find_wrong_field(field->fields, value);
		break;
	}
	return ok ? NULL : field->name;
}

static const struct varlink_field *find_field(const struct varlink_field *fields, const char *name)
{
	for (const struct varlink_field *f = fields; f && f->name; f++)
		if (streq(f->name, name))
			return f;
	return NULL;
}

static const char *find_wrong_field(const struct varlink_field *fields, struct json_object *in)
{
	const struct varlink_field *field;
	const char *wrong;

	if (!in)
		return NULL;
	json_object_object_foreach(in, name, value)
	{
		field = find_field(fields, name);
		if (!field)
			return name;
		wrong = value ? check_field(field, value) : NULL;
		if (wrong)
			return wrong;
	}
	return NULL;
}

static const struct varlink_method *find_method(const struct varlink_interface *interface,
						const char *name)
{
	for (const struct varlink_method *m = interface->methods; m->name; m++)
		if (streq(m->name, name))
			return m;
	return NULL;
}

static bool may_call(struct varlink_connection *c, const struct varlink_method *method)
{
	const struct varlink_service *service = c->server->service;

	return !service->may || service->may(c->server->userdata, &c->peer, method);
}

static void dispatch(struct varlink_call *call)
{
	struct varlink_connection *c = varlink_call_connection(call);
	const char *name = call->request.method;
	const char *dot = strrchr(name, '.');
	const struct varlink_method *method;
	const char *wrong;

	if (!dot) {
		varlink_error_parameter(call, "method", "A method is called INTERFACE.METHOD.");
		return;
	}
	call->interface = varlink_find_interface(c->server->service, name, (size_t)(dot - name));
	method = call->interface ? find_method(call->interface, dot + 1) : NULL;
	if (!may_call(c, method)) {
		varlink_error(call, "org.varlink.service.PermissionDenied", NULL);
	} else if (!call->interface) {
		char interface[256];

		snprintf(interface, sizeof(interface), "%.*s", (int)(dot - name), name);
		error_strings(call, "org.varlink.service.InterfaceNotFound", "interface", interface,
			      NULL, NULL);
	} else if (!method) {
		error_strings(call, "org.varlink.service.MethodNotFound", "method", name, NULL,
			      NULL);
	} else if ((wrong = find_wrong_field(method->in, call->request.parameters))) {
		varlink_error_parameter(call, wrong,
					"There is no such parameter, or its type is another.");
	} else {
		method->handle(call, call->request.parameters);
	}
}

void varlink_call_start(struct varlink_connection *c, struct varlink_request *request)
{
	c->server->counters.calls++;
	c->call = (struct varlink_call){
		.active = true,
		.more = request->more,
		.oneway = request->oneway,
		.request = *request,
	};
	dispatch(&c->call);
}
