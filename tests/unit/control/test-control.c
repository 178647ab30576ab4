/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control room over a real socket, with a fake daemon and store behind it. */
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/util.h"
#include "base/varlink-client.h"
#include "control/control-internal.h"
#include "fake.h"

struct fixture {
	sd_event *event;
	struct fake fake;
	struct control *control;
	struct varlink_client *client;
	char directory[64], path[96];
	struct varlink_response response; /* the last one */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->directory, "/tmp/test-control-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->path, sizeof(f->path), "%s/run/socket", f->directory);
	assert_true(sd_event_new(&f->event) >= 0);
	fake_init(&f->fake, f->event);
	assert_int_equal(control_new(f->event, -1, f->path, NULL, &fake_ops, &f->fake, &f->control),
			 0);
	assert_int_equal(varlink_client_connect(f->path, &f->client), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char run[96];

	varlink_response_done(&f->response);
	varlink_client_free(f->client);
	control_free(f->control);
	fake_done(&f->fake);
	sd_event_unref(f->event);
	snprintf(run, sizeof(run), "%s/run", f->directory);
	assert_int_equal(rmdir(run), 0); /* so the socket is gone */
	assert_int_equal(rmdir(f->directory), 0);
	free(f);
	return 0;
}

static void run_loop(struct fixture *f)
{
	while (sd_event_run(f->event, 0) > 0)
		;
}

static void call(struct fixture *f, const char *method, const char *parameters, bool more)
{
	struct json_object *in = parameters ? json_tokener_parse(parameters) : NULL;

	assert_int_equal(varlink_client_call(f->client, method, in, more, NSEC_PER_SEC), 0);
	run_loop(f);
}

/* A large answer takes several turns: the socket holds only a part of it. */
static int next(struct fixture *f)
{
	int r = -ETIMEDOUT;

	varlink_response_done(&f->response);
	for (int i = 0; i < 1000 && r == -ETIMEDOUT; i++) {
		run_loop(f);
		r = varlink_client_next(f->client, 0, &f->response);
	}
	return r;
}

/* Calls and returns the answer's parameters; no error. */
static struct json_object *ask(struct fixture *f, const char *method, const char *parameters)
{
	call(f, method, parameters, false);
	assert_int_equal(next(f), 0);
	assert_null(f->response.error);
	return f->response.parameters;
}

static void ask_wrong(struct fixture *f, const char *method, const char *parameters,
		      const char *error, const char *detail)
{
	call(f, method, parameters, false);
	assert_int_equal(next(f), 0);
	assert_non_null(f->response.error);
	assert_string_equal(f->response.error, error);
	assert_non_null(strstr(json_object_to_json_string(f->response.parameters), detail));
}

/* The value at a path of keys and indices: "flows.0.tx.bytes". */
static struct json_object *at(struct json_object *object, const char *path)
{
	char copy[128], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *key = strtok_r(copy, ".", &save); key; key = strtok_r(NULL, ".", &save)) {
		if (json_object_is_type(object, json_type_array))
			object = json_object_array_get_idx(object, (size_t)atoi(key));
		else
			assert_true(json_object_object_get_ex(object, key, &object));
	}
	return object;
}

static const char *text_at(struct json_object *object, const char *path)
{
	return json_object_to_json_string_ext(at(object, path), JSON_C_TO_STRING_PLAIN);
}

static void test_daemon(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(text_at(ask(f, "io.ebpfobs.Daemon.Status", NULL), "collectors.0.state"),
			    "\"degraded\"");
	assert_string_equal(text_at(ask(f, "io.ebpfobs.Daemon.Config", NULL),
				    "config.options.1.key"),
			    "\"collectors.flows.protocols\"");
	ask(f, "io.ebpfobs.Daemon.Doctor", "{\"pid\":7,\"maps\":true}");
	assert_int_equal(f->fake.doctor_pid, 7);
	assert_true(f->fake.doctor_maps);
	ask(f, "io.ebpfobs.Daemon.Doctor", "{\"pid\":null}");
	assert_int_equal(f->fake.doctor_pid, 0);
	ask_wrong(f, "io.ebpfobs.Daemon.Doctor", "{\"pid\":-1}",
		  "org.varlink.service.InvalidParameter", "\"pid\"");
	ask_wrong(f, "io.ebpfobs.Daemon.Doctor", "{\"pid\":4294967303}",
		  "org.varlink.service.InvalidParameter", "\"pid\"");
}

static void test_reload(void **state)
{
	struct fixture *f = *state;

	ask(f, "io.ebpfobs.Daemon.Reload", NULL);
	f->fake.reload_error = "ebpfobsd.yaml:3: no such key";
	ask_wrong(f, "io.ebpfobs.Daemon.Reload", NULL, "io.ebpfobs.Daemon.ReloadFailed",
		  "ebpfobsd.yaml:3: no such key");
}

/* The answer comes when the reload is done, and nobody is hurt if the client did not wait. */
static void test_reload_is_synchronous(void **state)
{
	struct fixture *f = *state;
	struct fake *fake = &f->fake;

	fake->hold_reload = true;
	call(f, "io.ebpfobs.Daemon.Reload", NULL, false);
	assert_non_null(fake->reload_done);
	assert_int_equal(varlink_client_next(f->client, 0, &f->response), -ETIMEDOUT);
	fake->reload_done(fake->reload_cookie, 0, NULL);
	assert_int_equal(next(f), 0);
	assert_null(f->response.error);
	call(f, "io.ebpfobs.Daemon.Reload", NULL, false);
	f->client = varlink_client_free(f->client);
	run_loop(f);
	fake->reload_done(fake->reload_cookie, 0, NULL);
}

static void test_flows(void **state)
{
	struct fixture *f = *state;
	struct json_object *out = ask(f, "io.ebpfobs.Flows.List", NULL);

	assert_int_equal(f->fake.flushed, 1);
	assert_int_equal(json_object_array_length(at(out, "flows")), 3);
	assert_string_equal(
		text_at(out, "flows.0"),
		"{\"proto\":\"tcp\",\"role\":\"wire\",\"netns\":4026531840,\"side\":\"server\","
		"\"local\":{\"address\":\"192.168.1.10\",\"port\":443,"
		"\"workload\":{\"kind\":\"unit\",\"name\":\"nginx.service\",\"namespace\":\"\","
		"\"id\":\"nginx.service\"},\"process\":{\"pid\":812,\"comm\":\"nginx\"},"
		"\"external\":false},"
		"\"peer\":{\"address\":\"203.0.0.1\",\"port\":40000,\"workload\":null,"
		"\"process\":null,\"external\":true},"
		"\"tx\":{\"skbs\":50001,\"bytes\":50000000,\"packets\":100001,"
		"\"bytes_wire\":50000054},"
		"\"rx\":{\"skbs\":1001,\"bytes\":1000000,\"packets\":2001,\"bytes_wire\":1000054},"
		"\"unowned\":null,"
		"\"tcp\":{\"rtt_us\":1500,\"retransmits\":0,\"resets\":0,"
		"\"flags\":[\"SYN\",\"ACK\"],\"state\":\"established\"},"
		"\"drops\":{},\"fragment\":false,\"inner\":false,\"other\":false}");
	assert_string_equal(text_at(out, "flows.1.drops"), "{\"NO_SOCKET\":3}");
	/* Two reasons of 4200 bytes each. */
	assert_string_equal(text_at(out, "untracked.wire.rx.bytes"), "8400");
	assert_string_equal(text_at(out, "untracked.tunnel.rx.bytes"), "0");
	assert_string_equal(text_at(out, "untracked_by.1.reason"), "\"map_full\"");
	assert_string_equal(text_at(out, "interfaces.0.counted.tx.bytes"), "12345");
	assert_string_equal(text_at(out, "loss"), "{\"flows.map_full\":10,\"store.disk_full\":0}");
	assert_string_equal(text_at(out, "exact"), "true");
	assert_string_equal(text_at(out, "left_out"), "0");
	assert_string_equal(text_at(out, "range.since"), text_at(out, "range.covered_since"));
}

static void test_flows_default_range(void **state)
{
	struct fixture *f = *state;
	const struct time_range *range = &f->fake.query.range;
	uint64_t before = now_ns(CLOCK_REALTIME);

	ask(f, "io.ebpfobs.Flows.List", NULL);
	assert_in_range(range->until_ns, before, now_ns(CLOCK_REALTIME));
	assert_int_equal(range->until_ns - range->since_ns, 60 * NSEC_PER_SEC);
	ask(f, "io.ebpfobs.Flows.List",
	    "{\"since\":\"@1000.5\",\"until\":\"1970-01-01T00:20:00Z\"}");
	assert_int_equal(range->since_ns, 1000500000000);
	assert_int_equal(range->until_ns, 1200 * NSEC_PER_SEC);
}

static void test_flows_filter(void **state)
{
	struct fixture *f = *state;
	const struct filter *filter = &f->fake.filter;

	ask(f, "io.ebpfobs.Flows.List",
	    "{\"filter\":{\"unit\":[\"nginx\",\"a*\"],\"port\":[443,53],\"pid\":[812],"
	    "\"cgroup\":[\"77\"],\"peer\":[\"10.0.0.0/8\"],\"role\":[\"veth\"],"
	    "\"protocol\":null,\"external\":true},\"limit\":2}");
	assert_int_equal(filter->unit.n, 2);
	assert_int_equal(filter->n_port, 2);
	assert_int_equal(filter->port[1], 53);
	assert_int_equal(filter->pid[0], 812);
	assert_int_equal(filter->cgroup[0], 77);
	assert_int_equal(filter->n_peer, 1);
	assert_int_equal(filter->role.n, 1);
	assert_true(filter->external_only);
	assert_int_equal(f->fake.query.limit, 2);
	assert_string_equal(text_at(f->response.parameters, "left_out"), "1");
}

static void test_flows_wrong(void **state)
{
	static const struct {
		const char *parameters, *parameter;
	} cases[] = {
		{ "{\"since\":\"yesterday or so\"}", "\"since\"" },
		{ "{\"since\":\"@20\",\"until\":\"@10\"}", "\"since\"" },
		{ "{\"until\":\"2026-02-30\"}", "\"until\"" },
		{ "{\"limit\":-1}", "\"limit\"" },
		{ "{\"filter\":{\"port\":[65536]}}", "\"port\"" },
		{ "{\"filter\":{\"port\":[\"http\"]}}", "\"port\"" },
		{ "{\"filter\":{\"peer\":[\"10.0.0.0/33\"]}}", "\"peer\"" },
		{ "{\"filter\":{\"role\":[\"wires\"]}}", "\"role\"" },
		{ "{\"filter\":{\"cgroup\":[\"/no/such\"]}}", "\"cgroup\"" },
		{ "{\"filter\":{\"cgroup\":[\"../..\"]}}", "\"cgroup\"" },
		{ "{\"filter\":{\"colour\":[\"red\"]}}", "\"colour\"" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ask_wrong(f, "io.ebpfobs.Flows.List", cases[i].parameters,
			  "org.varlink.service.InvalidParameter", cases[i].parameter);
	assert_int_equal(f->fake.flushed, 0);
}

static void test_flows_too_many_values(void **state)
{
	struct fixture *f = *state;
	char parameters[1024] = "{\"filter\":{\"pid\":[1";

	for (int i = 0; i < FILTER_VALUES_MAX; i++)
		strcat(parameters, ",1");
	strcat(parameters, "]}}");
	ask_wrong(f, "io.ebpfobs.Flows.List", parameters, "org.varlink.service.InvalidParameter",
		  "more than 64 values");
}

/* Without "more" an answer must be one message, and stays of a sensible size. */
static void test_flows_single_reply(void **state)
{
	struct fixture *f = *state;

	f->fake.rows = 5000;
	ask(f, "io.ebpfobs.Flows.List", NULL);
	assert_int_equal(json_object_array_length(at(f->response.parameters, "flows")), 100);
	assert_string_equal(text_at(f->response.parameters, "left_out"), "4900");
}

static void test_flows_stream(void **state)
{
	struct fixture *f = *state;
	size_t rows = 0, replies = 0, interfaces = 0;
	struct json_object *list;

	f->fake.rows = 5000;
	f->fake.interfaces = 300;
	call(f, "io.ebpfobs.Flows.List", NULL, true);
	assert_true(f->fake.paused); /* until somebody reads */
	assert_in_range(f->fake.next, 256, 4000);
	do {
		assert_int_equal(next(f), 0);
		assert_null(f->response.error);
		rows += json_object_array_length(at(f->response.parameters, "flows"));
		if (json_object_object_get_ex(f->response.parameters, "interfaces", &list))
			interfaces += json_object_array_length(list);
		replies++;
	} while (f->response.continues);
	assert_int_equal(rows, 5000);
	assert_int_equal(interfaces, 300);
	assert_in_range(replies, 5300 / 64, 5300 / 64 + 2);
	assert_string_equal(text_at(f->response.parameters, "left_out"), "0");
}

static void test_flows_cancel(void **state)
{
	struct fixture *f = *state;

	f->fake.rows = 5000;
	call(f, "io.ebpfobs.Flows.List", NULL, true);
	f->client = varlink_client_free(f->client);
	run_loop(f);
	assert_int_equal(f->fake.cancelled, 1);
}

/* The client goes while the collectors are drained: the drain ends after the control room did. */
static void test_flows_cancel_while_flushing(void **state)
{
	struct fixture *f = *state;

	f->fake.hold_flush = true;
	call(f, "io.ebpfobs.Flows.List", NULL, true);
	f->client = varlink_client_free(f->client);
	run_loop(f);
	f->control = control_free(f->control);
	f->fake.flush_done(f->fake.flush_cookie, 0);
	assert_null(f->fake.userdata); /* the store was not asked */
}

static void test_query_limit(void **state)
{
	struct varlink_client *clients[8];
	struct fixture *f = *state;
	void *cookies[8];

	f->fake.hold_flush = true;
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		assert_int_equal(varlink_client_connect(f->path, &clients[i]), 0);
		assert_int_equal(varlink_client_call(clients[i], "io.ebpfobs.Flows.List", NULL,
						     true, NSEC_PER_SEC),
				 0);
		run_loop(f);
		cookies[i] = f->fake.flush_cookie;
	}
	ask_wrong(f, "io.ebpfobs.Flows.List", NULL, "io.ebpfobs.Flows.Failed", "ask again later");
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		varlink_client_free(clients[i]);
		run_loop(f);
		f->fake.flush_done(cookies[i], 0);
	}
	f->fake.hold_flush = false;
	ask(f, "io.ebpfobs.Flows.List", NULL);
}

static void count_loss(void *userdata, const struct loss *loss)
{
	uint64_t *malformed = userdata;

	if (streq(loss->site, "control.message_malformed"))
		*malformed = loss->count;
}

static void test_losses(void **state)
{
	struct fixture *f = *state;
	uint64_t malformed = 0;

	assert_true(send(varlink_client_fd(f->client), "{}", 3, 0) == 3);
	run_loop(f);
	control_losses(f->control, count_loss, &malformed);
	assert_int_equal(malformed, 1);
}

static void test_socket(void **state)
{
	struct control *second = NULL;
	struct fixture *f = *state;
	char other[128];
	struct stat st;
	int fd;
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(control_new(f->event, -1, f->path, NULL, &fake_ops, &f->fake, &second),
			 -EADDRINUSE);
	assert_int_equal(stat(f->path, &st), 0); /* and left alone */
	/* A socket that nobody listens on is replaced; another file is not. */
	snprintf(other, sizeof(other), "%s/other", f->directory);
	strcpy(address.sun_path, other);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(control_new(f->event, -1, other, NULL, &fake_ops, &f->fake, &second), 0);
	control_free(second);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(control_new(f->event, -1, other, NULL, &fake_ops, &f->fake, &second),
			 -EEXIST);
	assert_int_equal(rmdir(other), 0);
}

/* What a process of another user gets: the error, or NULL. It runs until the loop has served it. */
static void ask_as(struct fixture *f, uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups,
		   const char *method, int expected)
{
	struct varlink_response response;
	struct varlink_client *client;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgroups(n_groups, groups) < 0 || setgid(gid) < 0 || setuid(uid) < 0 ||
		    varlink_client_connect(f->path, &client) < 0 ||
		    varlink_client_call(client, method, NULL, false, NSEC_PER_SEC) < 0 ||
		    varlink_client_next(client, 5 * NSEC_PER_SEC, &response) < 0)
			_exit(100);
		if (!response.error)
			_exit(0);
		_exit(streq(response.error, "org.varlink.service.PermissionDenied") ? 1 : 101);
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		sd_event_run(f->event, 10 * USEC_PER_MSEC);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), expected);
}

static void test_permission(void **state)
{
	struct fixture *f = *state;
	const gid_t member = 64999, groups[2] = { 65533, member };

	if (geteuid() != 0)
		skip(); /* only root can be somebody else */
	assert_int_equal(chmod(f->directory, 0755), 0);
	assert_int_equal(chmod(f->path, 0666), 0); /* as if the socket were open to all */
	ask_as(f, 0, 0, NULL, 0, "io.ebpfobs.Daemon.Reload", 0);
	ask_as(f, 65534, 65534, NULL, 0, "io.ebpfobs.Daemon.Status", 1);
	ask_as(f, 65534, 65534, NULL, 0, "org.varlink.service.GetInfo", 1);
	f->control->has_group = false;
	ask_as(f, 65534, 0, NULL, 0, "io.ebpfobs.Daemon.Status", 1); /* the group 0 is no member */
	/* The group of the machine, if there is one, is not asked. */
	f->control->has_group = true;
	f->control->group = member;
	ask_as(f, 65534, 65534, groups, 2, "io.ebpfobs.Daemon.Status", 0);
	ask_as(f, 65534, 65534, groups, 2, "io.ebpfobs.Daemon.Reload", 1);
	ask_as(f, 65534, member, groups, 1, "io.ebpfobs.Flows.List", 0);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_daemon),
		TEST(test_reload),
		TEST(test_reload_is_synchronous),
		TEST(test_flows),
		TEST(test_flows_default_range),
		TEST(test_flows_filter),
		TEST(test_flows_wrong),
		TEST(test_flows_too_many_values),
		TEST(test_flows_single_reply),
		TEST(test_flows_stream),
		TEST(test_flows_cancel),
		TEST(test_flows_cancel_while_flushing),
		TEST(test_query_limit),
		TEST(test_losses),
		TEST(test_socket),
		TEST(test_permission),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
