/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Varlink server over a socketpair: what a client sends is bytes, and so is what it gets. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "base/varlink-client.h"
#include "base/varlink.h"

struct fixture {
	sd_event *event;
	struct varlink_server *server;
	struct varlink_client *client;
	int fd; /* the client's end of a connection */
	bool allow;
	struct varlink_call *waiting; /* a call of Wait that nobody answered yet */
	int cancelled;
	int rows_left; /* of Rows */
	char dropped[256]; /* why */
};

static void handle_echo(struct varlink_call *call, struct json_object *in)
{
	varlink_reply(call, json_object_get(in));
}

static void on_cancel(struct varlink_call *call, void *userdata)
{
	struct fixture *f = userdata;

	f->cancelled++;
	f->waiting = NULL;
}

static void handle_wait(struct varlink_call *call, struct json_object *in)
{
	struct fixture *f = varlink_call_userdata(call);

	f->waiting = call;
	varlink_call_watch(call,
			   &(struct varlink_call_watch){ .cancel = on_cancel, .userdata = f });
}

#define ROW_SIZE 1000

static struct json_object *row_new(void)
{
	struct json_object *row = json_object_new_object();
	char text[ROW_SIZE + 1] = {};

	memset(text, 'x', ROW_SIZE);
	json_object_object_add(row, "row", json_object_new_string(text));
	return row;
}

static void send_rows(struct varlink_call *call, void *userdata)
{
	struct fixture *f = userdata;

	for (; f->rows_left > 0 && !varlink_call_full(call); f->rows_left--)
		varlink_notify(call, row_new());
	if (f->rows_left == 0)
		varlink_reply(call, NULL);
}

static void handle_rows(struct varlink_call *call, struct json_object *in)
{
	struct fixture *f = varlink_call_userdata(call);

	varlink_call_watch(call, &(struct varlink_call_watch){ .cancel = on_cancel,
							       .writable = send_rows,
							       .userdata = f });
	send_rows(call, f);
}

/* A handler that does not care whether anyone reads. */
static void handle_flood(struct varlink_call *call, struct json_object *in)
{
	struct fixture *f = varlink_call_userdata(call);

	varlink_call_watch(call,
			   &(struct varlink_call_watch){ .cancel = on_cancel, .userdata = f });
	for (size_t i = 0; i < 2 * VARLINK_OUTPUT_MAX / ROW_SIZE; i++)
		varlink_notify(call, row_new());
}

static void handle_fail(struct varlink_call *call, struct json_object *in)
{
	varlink_error_message(call, "Failed", "Nothing works today.");
}

static const struct varlink_field inner_fields[] = {
	{ "names", VARLINK_STRING_ARRAY, NULL },
	{ "numbers", VARLINK_INT_ARRAY, NULL },
	{},
};
static const struct varlink_field echo_fields[] = {
	{ "text", VARLINK_STRING, NULL },
	{ "number", VARLINK_INT, NULL },
	{ "flag", VARLINK_BOOL, NULL },
	{ "inner", VARLINK_OBJECT, inner_fields },
	{},
};
static const struct varlink_method methods[] = {
	{ "Echo", echo_fields, false, handle_echo }, { "Wait", NULL, false, handle_wait },
	{ "Rows", NULL, false, handle_rows },	     { "Flood", NULL, false, handle_flood },
	{ "Fail", NULL, true, handle_fail },	     {},
};
static const struct varlink_interface interface = {
	.name = "org.example.test",
	.description = "interface org.example.test\nmethod Wait() -> ()\n",
	.methods = methods,
};

static bool may(void *userdata, const struct varlink_peer *peer,
		const struct varlink_method *method)
{
	struct fixture *f = userdata;

	assert_int_equal(peer->uid, getuid());
	assert_int_equal(peer->pid, getpid());
	return f->allow || (method && !method->root_only);
}

static void on_dropped(void *userdata, const struct varlink_peer *peer, const char *why)
{
	struct fixture *f = userdata;

	snprintf(f->dropped, sizeof(f->dropped), "%s", why);
}

static const struct varlink_service service = {
	.vendor = "Example",
	.product = "test",
	.version = "1",
	.url = "https://example.org",
	.interfaces = (const struct varlink_interface *const[]){ &interface, NULL },
	.may = may,
	.dropped = on_dropped,
};

static int connect_client(struct fixture *f)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(varlink_server_add(f->server, fds[0]), 0);
	return fds[1];
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->allow = true;
	assert_true(sd_event_new(&f->event) >= 0);
	assert_int_equal(varlink_server_new(f->event, &service, f, &f->server), 0);
	f->fd = connect_client(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close_fd(f->fd);
	varlink_client_free(f->client);
	varlink_server_free(f->server);
	sd_event_unref(f->event);
	free(f);
	return 0;
}

/* Runs the loop until it has nothing more to do. */
static void run_loop(struct fixture *f)
{
	while (sd_event_run(f->event, 0) > 0)
		;
}

static void send_bytes(struct fixture *f, const char *bytes, size_t n)
{
	assert_int_equal(send(f->fd, bytes, n, MSG_DONTWAIT), n);
}

static void send_text(struct fixture *f, const char *text)
{
	send_bytes(f, text, strlen(text) + 1);
}

/* What came, up to n messages; NULs are shown as newlines. "" once the server has closed. */
static const char *receive(struct fixture *f, char *buf, size_t size)
{
	ssize_t n = recv(f->fd, buf, size - 1, MSG_DONTWAIT);

	if (n < 0) {
		assert_int_equal(errno, EAGAIN);
		return "(nothing)";
	}
	for (ssize_t i = 0; i < n; i++)
		if (buf[i] == '\0')
			buf[i] = '\n';
	buf[n] = '\0';
	return buf;
}

#define ANSWER(f) (run_loop(f), receive(f, (char[8192]){}, 8192))

static void expect(struct fixture *f, const char *ask, const char *answer)
{
	send_text(f, ask);
	assert_string_equal(ANSWER(f), answer);
}

static void test_answers(void **state)
{
	struct fixture *f = *state;

	expect(f, "{\"method\":\"org.example.test.Echo\",\"parameters\":{\"text\":\"hé/\\u0001\"}}",
	       "{\"parameters\":{\"text\":\"hé/\\u0001\"}}\n");
	expect(f, "{\"method\":\"org.example.test.Echo\"}", "{}\n");
	expect(f, "{\"method\":\"org.example.test.Fail\",\"unknown\":[1],\"parameters\":null}",
	       "{\"error\":\"org.example.test.Failed\","
	       "\"parameters\":{\"message\":\"Nothing works today.\"}}\n");
	assert_int_equal(varlink_server_counters(f->server)->calls, 3);
}

static void test_broken_up_messages(void **state)
{
	const char text[] = "{\"method\":\"org.example.test.Echo\",\"parameters\":{\"number\":7}}";
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		send_bytes(f, text + i, 1);
		assert_string_equal(ANSWER(f), "(nothing)");
	}
	send_bytes(f, "", 1);
	assert_string_equal(ANSWER(f), "{\"parameters\":{\"number\":7}}\n");
}

static void test_pipelined_calls(void **state)
{
	const char text[] = "{\"method\":\"org.example.test.Echo\",\"parameters\":{\"number\":1}}\0"
			    "{\"method\":\"org.example.test.Wait\"}\0"
			    "{\"method\":\"org.example.test.Echo\",\"oneway\":true}\0"
			    "{\"method\":\"org.example.test.Echo\",\"parameters\":{\"number\":2}}";
	struct fixture *f = *state;

	send_bytes(f, text, sizeof(text));
	assert_string_equal(ANSWER(f), "{\"parameters\":{\"number\":1}}\n");
	assert_non_null(f->waiting);
	varlink_reply(f->waiting, NULL);
	assert_string_equal(ANSWER(f), "{}\n{\"parameters\":{\"number\":2}}\n");
}

static void test_introspection(void **state)
{
	struct fixture *f = *state;

	expect(f, "{\"method\":\"org.varlink.service.GetInfo\"}",
	       "{\"parameters\":{\"vendor\":\"Example\",\"product\":\"test\",\"version\":\"1\","
	       "\"url\":\"https://example.org\","
	       "\"interfaces\":[\"org.varlink.service\",\"org.example.test\"]}}\n");
	expect(f,
	       "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
	       "\"parameters\":{\"interface\":\"org.example.test\"}}",
	       "{\"parameters\":{\"description\":"
	       "\"interface org.example.test\\nmethod Wait() -> ()\\n\"}}\n");
	expect(f,
	       "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
	       "\"parameters\":{\"interface\":\"org.example.tes\"}}",
	       "{\"error\":\"org.varlink.service.InterfaceNotFound\","
	       "\"parameters\":{\"interface\":\"org.example.tes\"}}\n");
	expect(f, "{\"method\":\"org.varlink.service.GetInterfaceDescription\"}",
	       "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":"
	       "{\"parameter\":\"interface\",\"reason\":\"Which interface is missing.\"}}\n");
}

static void test_unknown_names(void **state)
{
	struct fixture *f = *state;

	expect(f, "{\"method\":\"org.example.Echo\"}",
	       "{\"error\":\"org.varlink.service.InterfaceNotFound\","
	       "\"parameters\":{\"interface\":\"org.example\"}}\n");
	expect(f, "{\"method\":\"org.example.test.echo\"}",
	       "{\"error\":\"org.varlink.service.MethodNotFound\","
	       "\"parameters\":{\"method\":\"org.example.test.echo\"}}\n");
	expect(f, "{\"method\":\"Echo\"}",
	       "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":"
	       "{\"parameter\":\"method\",\"reason\":\"A method is called INTERFACE.METHOD.\"}}\n");
}

static void test_wrong_parameters(void **state)
{
	static const struct {
		const char *parameters, *wrong;
	} cases[] = {
		{ "{\"colour\":1}", "colour" },
		{ "{\"text\":1}", "text" },
		{ "{\"text\":\"a\\u0000b\"}", "text" },
		{ "{\"number\":\"1\"}", "number" },
		{ "{\"number\":1.5}", "number" },
		{ "{\"flag\":0}", "flag" },
		{ "{\"inner\":[]}", "inner" },
		{ "{\"inner\":{\"names\":\"a\"}}", "names" },
		{ "{\"inner\":{\"names\":[\"a\",null]}}", "names" },
		{ "{\"inner\":{\"numbers\":[\"1\"]}}", "numbers" },
		{ "{\"inner\":{\"other\":1}}", "other" },
	};
	struct fixture *f = *state;
	char ask[256], answer[512];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(ask, sizeof(ask),
			 "{\"method\":\"org.example.test.Echo\",\"parameters\":%s}",
			 cases[i].parameters);
		snprintf(answer, sizeof(answer),
			 "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":"
			 "{\"parameter\":\"%s\",\"reason\":"
			 "\"There is no such parameter, or its type is another.\"}}\n",
			 cases[i].wrong);
		expect(f, ask, answer);
	}
	expect(f,
	       "{\"method\":\"org.example.test.Echo\",\"parameters\":{\"text\":null,"
	       "\"inner\":{\"names\":[\"a\"],\"numbers\":[1,-1]}}}",
	       "{\"parameters\":{\"text\":null,\"inner\":{\"names\":[\"a\"],\"numbers\":[1,-1]}}}"
	       "\n");
}

static void test_malformed_messages(void **state)
{
	static const struct {
		const char *message, *reason;
	} cases[] = {
		{ "", "The message is not valid JSON, or nested too deeply." },
		{ "{\"method\":", "The message is not valid JSON, or nested too deeply." },
		{ "{\"method\":\"a.b\"}x", "The message is not valid JSON, or nested too deeply." },
		{ "{'method':'a.b'}", "The message is not valid JSON, or nested too deeply." },
		{ "{\"method\":\"\xff\"}", "The message is not valid JSON, or nested too deeply." },
		{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
		  "The message is not valid JSON, or nested too deeply." },
		{ "[]", "The message is not a JSON object." },
		{ "null", "The message is not a JSON object." },
		{ "{}", "The message has no \\\"method\\\" that is a string." },
		{ "{\"method\":1}", "The message has no \\\"method\\\" that is a string." },
		{ "{\"method\":\"a\\u0000b\"}",
		  "The message has no \\\"method\\\" that is a string." },
		{ "{\"method\":\"a.b\",\"parameters\":[]}",
		  "\\\"parameters\\\" is not an object." },
		{ "{\"method\":\"a.b\",\"more\":1}",
		  "\\\"more\\\" or \\\"oneway\\\" is not true or false." },
		{ "{\"method\":\"a.b\",\"more\":true,\"oneway\":true}",
		  "\\\"more\\\" and \\\"oneway\\\" exclude each other." },
	};
	struct fixture *f = *state;
	char answer[512];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(answer, sizeof(answer),
			 "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":"
			 "{\"parameter\":\"message\",\"reason\":\"%s\"}}\n",
			 cases[i].reason);
		expect(f, cases[i].message, answer);
		assert_string_equal(ANSWER(f), ""); /* closed */
		assert_string_not_equal(f->dropped, "");
		close_fd(f->fd);
		f->fd = connect_client(f);
	}
	assert_int_equal(varlink_server_counters(f->server)->malformed, ARRAY_SIZE(cases));
}

static void test_oversize(void **state)
{
	struct fixture *f = *state;
	char piece[4096];
	const char *answer = "(nothing)";

	memset(piece, ' ', sizeof(piece));
	for (size_t sent = 0; sent <= VARLINK_MESSAGE_MAX + sizeof(piece); sent += sizeof(piece)) {
		if (send(f->fd, piece, sizeof(piece), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
		run_loop(f);
	}
	answer = ANSWER(f);
	assert_non_null(strstr(answer, "The message is larger than 1 MiB."));
	assert_int_equal(varlink_server_counters(f->server)->oversize, 1);
	assert_int_equal(varlink_server_counters(f->server)->calls, 0);
}

/* A message of just the limit is taken; a client may send it together with others. */
static void test_largest_message(void **state)
{
	static char text[VARLINK_MESSAGE_MAX + 1];
	const char *call = "{\"method\":\"org.example.test.Echo\"}";
	struct fixture *f = *state;

	memset(text, ' ', VARLINK_MESSAGE_MAX);
	memcpy(text, call, strlen(call));
	for (size_t sent = 0; sent < sizeof(text);) {
		ssize_t n = send(f->fd, text + sent, sizeof(text) - sent, MSG_DONTWAIT);

		assert_true(n > 0);
		sent += (size_t)n;
		run_loop(f);
	}
	assert_string_equal(ANSWER(f), "{}\n");
}

static void test_permission(void **state)
{
	struct fixture *f = *state;

	f->allow = false;
	expect(f, "{\"method\":\"org.example.test.Fail\"}",
	       "{\"error\":\"org.varlink.service.PermissionDenied\"}\n");
	expect(f, "{\"method\":\"org.example.nothing.Fail\"}",
	       "{\"error\":\"org.varlink.service.PermissionDenied\"}\n");
	expect(f, "{\"method\":\"org.example.test.Echo\"}", "{}\n");
}

static void test_close_cancels(void **state)
{
	struct fixture *f = *state;

	send_text(f, "{\"method\":\"org.example.test.Wait\"}");
	run_loop(f);
	assert_non_null(f->waiting);
	f->fd = close_fd(f->fd);
	run_loop(f);
	assert_int_equal(f->cancelled, 1);
	assert_null(f->waiting);
}

/* "printf '...\0' | nc -N -U SOCKET": the client sends no more, but waits for the answer. */
static void test_half_close_does_not_cancel(void **state)
{
	struct fixture *f = *state;

	send_text(f, "{\"method\":\"org.example.test.Wait\"}");
	assert_int_equal(shutdown(f->fd, SHUT_WR), 0);
	run_loop(f);
	assert_non_null(f->waiting);
	varlink_reply(f->waiting, NULL);
	assert_string_equal(ANSWER(f), "{}\n");
	assert_string_equal(ANSWER(f), ""); /* and then it is closed */
}

static void test_server_end_cancels(void **state)
{
	struct fixture *f = *state;

	send_text(f, "{\"method\":\"org.example.test.Wait\"}");
	run_loop(f);
	f->server = varlink_server_free(f->server);
	assert_int_equal(f->cancelled, 1);
}

static size_t count_messages(struct fixture *f)
{
	static char buf[1 << 16];
	size_t messages = 0;
	ssize_t n;

	while ((n = recv(f->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		for (ssize_t i = 0; i < n; i++)
			messages += buf[i] == '\0';
	return messages;
}

/* The handler waits for the reader, and no row is lost. */
static void test_slow_reader_is_waited_for(void **state)
{
	struct fixture *f = *state;
	size_t messages = 0;

	f->rows_left = 20000;
	send_text(f, "{\"method\":\"org.example.test.Rows\",\"more\":true}");
	run_loop(f);
	/* Nobody read: what is out is the socket's buffer and ours. */
	assert_in_range(f->rows_left, 18000, 19900);
	for (int i = 0; i < 1000 && messages < 20001; i++) {
		messages += count_messages(f);
		run_loop(f);
	}
	assert_int_equal(messages, 20001);
	assert_int_equal(varlink_server_counters(f->server)->slow_readers, 0);
}

static void test_flood_drops_the_reader(void **state)
{
	struct fixture *f = *state;

	send_text(f, "{\"method\":\"org.example.test.Flood\",\"more\":true}");
	run_loop(f);
	assert_int_equal(varlink_server_counters(f->server)->slow_readers, 1);
	assert_int_equal(f->cancelled, 1);
	assert_non_null(strstr(f->dropped, "does not read"));
}

/* Pipelined calls beyond the burst wait for their turn, and are all answered. */
static void test_rate(void **state)
{
	const char call[] = "{\"method\":\"org.example.test.Echo\"}";
	struct fixture *f = *state;
	size_t answers, n = VARLINK_CALLS_BURST + 20;
	uint64_t start_ns = now_ns(CLOCK_MONOTONIC);

	for (size_t i = 0; i < n; i++)
		send_bytes(f, call, sizeof(call));
	run_loop(f);
	answers = count_messages(f);
	assert_in_range(answers, VARLINK_CALLS_BURST, n - 1);
	while (answers < n && now_ns(CLOCK_MONOTONIC) - start_ns < 10 * NSEC_PER_SEC) {
		sd_event_run(f->event, 50 * USEC_PER_MSEC);
		answers += count_messages(f);
	}
	assert_int_equal(answers, n);
	assert_true(varlink_server_counters(f->server)->calls_delayed > 0);
}

static void test_connection_limit(void **state)
{
	struct fixture *f = *state;
	int clients[VARLINK_CONNECTIONS_MAX - 1], fds[2];

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		clients[i] = connect_client(f);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(varlink_server_add(f->server, fds[0]), -EBUSY);
	assert_int_equal(varlink_server_counters(f->server)->refused, 1);
	close(clients[0]);
	run_loop(f);
	assert_int_equal(varlink_server_add(f->server, fds[0]), 0);
	for (size_t i = 1; i < ARRAY_SIZE(clients); i++)
		close(clients[i]);
	close(fds[1]);
}

/* Our client against our server; the loop runs in between, since both are in this thread. */
static void test_client(void **state)
{
	struct json_object *in = json_tokener_parse("{\"number\":5}");
	struct varlink_response response;
	struct fixture *f = *state;

	assert_int_equal(varlink_client_new(f->fd, &f->client), 0);
	f->fd = -EBADF;
	assert_int_equal(varlink_client_call(f->client, "org.example.test.Echo", in, false,
					     NSEC_PER_SEC),
			 0);
	run_loop(f);
	assert_int_equal(varlink_client_next(f->client, NSEC_PER_SEC, &response), 0);
	assert_null(response.error);
	assert_false(response.continues);
	assert_string_equal(json_object_to_json_string_ext(response.parameters,
							   JSON_C_TO_STRING_PLAIN),
			    "{\"number\":5}");
	varlink_response_done(&response);
	assert_int_equal(varlink_client_next(f->client, NSEC_PER_MSEC, &response), -ETIMEDOUT);
	f->server = varlink_server_free(f->server);
	assert_int_equal(varlink_client_next(f->client, NSEC_PER_SEC, &response), -ECONNRESET);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers),
		TEST(test_broken_up_messages),
		TEST(test_pipelined_calls),
		TEST(test_introspection),
		TEST(test_unknown_names),
		TEST(test_wrong_parameters),
		TEST(test_malformed_messages),
		TEST(test_oversize),
		TEST(test_largest_message),
		TEST(test_permission),
		TEST(test_close_cancels),
		TEST(test_half_close_does_not_cancel),
		TEST(test_server_end_cancels),
		TEST(test_slow_reader_is_waited_for),
		TEST(test_flood_drops_the_reader),
		TEST(test_rate),
		TEST(test_connection_limit),
		TEST(test_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
