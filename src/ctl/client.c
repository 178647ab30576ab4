/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way to the daemon. What goes wrong on it becomes a sentence and an exit status here. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/timestamp.h"
#include "base/util.h"
#include "base/varlink-client.h"
#include "ctl/ctl.h"
#include "ctl/verb.h"

#define TIMEOUT_NS (60 * NSEC_PER_SEC) /* of each response */

static int fail_connect(const struct ctl *ctl, int r)
{
	if (r == -EACCES || r == -EPERM)
		return ctl_fail(EXIT_FAILED,
				"You may not use %s: only root and the group \"ebpfobs\" may.",
				ctl->socket);
	return ctl_fail(
		EXIT_NO_DAEMON,
		"No daemon answers at %s (%s). Start it with \"systemctl start ebpfobsd\", or "
		"name its socket with --socket PATH.",
		ctl->socket, strerror(-r));
}

static int fail_response(const struct ctl *ctl, int r)
{
	if (r == -ETIMEDOUT)
		return ctl_fail(EXIT_FAILED, "The daemon at %s does not answer.", ctl->socket);
	if (r == -ECONNRESET)
		return ctl_fail(EXIT_FAILED,
				"The daemon at %s closed the connection before it had answered: it "
				"was stopped, or serves as many clients as it can.",
				ctl->socket);
	if (r == -EBADMSG)
		return ctl_fail(EXIT_FAILED, "What answers at %s does not speak Varlink.",
				ctl->socket);
	return ctl_fail(EXIT_FAILED, "The answer of %s cannot be read: %s.", ctl->socket,
			strerror(-r));
}

/* An error that the daemon answered with. */
static int fail_error(const struct varlink_response *response)
{
	const char *text = NULL;

	if (response->parameters && json_get_string(response->parameters, "message", &text) < 0)
		(void)json_get_string(response->parameters, "reason", &text);
	if (streq(response->error, "org.varlink.service.InvalidParameter"))
		return ctl_fail(EXIT_USAGE, "%s", text ? text : "A value is not valid.");
	if (streq(response->error, "org.varlink.service.PermissionDenied"))
		return ctl_fail(EXIT_FAILED, "You may not do this: root may, and the group "
					     "\"ebpfobs\" may ask.");
	if (has_prefix(response->error, "org.varlink.service."))
		return ctl_fail(EXIT_FAILED,
				"The daemon is of another version and cannot answer this (%s).",
				response->error);
	return ctl_fail(EXIT_FAILED, "%s", text ? text : response->error);
}

/* Hands over one response. *ret_last: no other follows. */
static int take_response(struct ctl *ctl, struct varlink_client *client,
			 int (*on_reply)(void *userdata, struct json_object *parameters, bool last),
			 void *userdata, bool *ret_last)
{
	struct varlink_response response = {};
	struct json_object *parameters;
	int r = varlink_client_next(client, TIMEOUT_NS, &response), status;

	*ret_last = r < 0 || !response.continues;
	if (r < 0)
		return fail_response(ctl, r);
	if (response.error) {
		status = fail_error(&response);
	} else {
		parameters = response.parameters ? json_object_get(response.parameters)
						 : json_object_new_object();
		status = parameters ? on_reply(userdata, parameters, *ret_last) : ctl_no_memory();
		json_object_put(parameters);
	}
	varlink_response_done(&response);
	return status;
}

int ctl_call(struct ctl *ctl, const char *method, struct json_object *in, bool more,
	     int (*on_reply)(void *userdata, struct json_object *parameters, bool last),
	     void *userdata)
{
	_cleanup_(varlink_client_free_p) struct varlink_client *client = NULL;
	bool last = false;
	int status = EXIT_OK;
	int r = varlink_client_connect(ctl->socket, &client);

	if (r < 0) {
		json_object_put(in);
		return fail_connect(ctl, r);
	}
	r = varlink_client_call(client, method, in, more, TIMEOUT_NS);
	if (r < 0)
		return fail_response(ctl, r);
	while (status == EXIT_OK && !last)
		status = take_response(ctl, client, on_reply, userdata, &last);
	return status;
}

static int keep_reply(void *userdata, struct json_object *parameters, bool last)
{
	struct json_object **ret = userdata;

	*ret = json_object_get(parameters);
	return EXIT_OK;
}

int ctl_ask(struct ctl *ctl, const char *method, struct json_object *in, struct json_object **ret)
{
	return ctl_call(ctl, method, in, false, keep_reply, ret);
}

/* In UTC and absolute, so that it means the same on both sides. */
static int add_time(struct json_object *in, const char *key, const char *text)
{
	char buf[TIMESTAMP_LEN];
	uint64_t t;
	int r;

	if (!text)
		return 0;
	r = timestamp_parse(text, now_ns(CLOCK_REALTIME), &t);
	return r < 0 ? r : json_add_string(in, key, timestamp_format(t, buf));
}

struct json_object *ctl_query(const struct ctl *ctl)
{
	struct json_object *in = json_object_new_object();
	int r = add_time(in, "since", ctl->since) ?: add_time(in, "until", ctl->until);

	if (r == 0 && ctl->filter)
		r = json_add(in, "filter", json_object_get(ctl->filter));
	if (r == 0 && ctl->limit >= 0)
		r = json_add_int(in, "limit", ctl->limit);
	if (r == 0)
		return in;
	json_object_put(in);
	ctl_no_memory();
	return NULL;
}
