/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client of the control room that says anything. The first byte of the input is how many bytes it
 * writes at a time, so that messages arrive broken up; the rest is what it writes. The server is
 * the real one with the real interfaces, behind them the fake daemon and store of the unit tests.
 * Whatever it answers must be messages: JSON objects, each with a NUL behind it.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/util.h"
#include "control/control-internal.h"
#include "tests/unit/control/fake.h"

#define ROUNDS_MAX 1000 /* of the loop after a write; a timer may keep it waiting */
#define OUTPUT_MAX (1 << 20) /* looked at; an answer of the fake store is smaller */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sd_event *event;
static struct fake fake;
static struct control control;

static const struct varlink_interface *const interfaces[] = {
	&control_daemon_interface,
	&control_flows_interface,
	NULL,
};

static const struct varlink_service service = {
	.vendor = "ebpfobs",
	.product = "fuzz",
	.version = "1",
	.url = "",
	.interfaces = interfaces,
};

static void start(void)
{
	assert(sd_event_new(&event) >= 0);
	fake_init(&fake, event);
	control = (struct control){ .ops = &fake_ops, .userdata = &fake };
	assert(varlink_server_new(event, &service, &control, &control.server) == 0);
}

static void run_loop(void)
{
	for (int i = 0; i < ROUNDS_MAX && sd_event_run(event, 0) > 0; i++)
		;
}

/* Reads what there is behind the first *at bytes of output. */
static void read_output(int fd, char *output, size_t *at)
{
	ssize_t n;

	while (*at < OUTPUT_MAX && (n = recv(fd, output + *at, OUTPUT_MAX - *at, MSG_DONTWAIT)) > 0)
		*at += (size_t)n;
}

static void check_output(const char *output, size_t size)
{
	const char *end;

	while ((end = memchr(output, '\0', size))) {
		size_t length = (size_t)(end - output);
		struct json_object *message = NULL;

		assert(json_parse(output, length, OUTPUT_MAX, &message) == 0);
		assert(json_object_is_type(message, json_type_object));
		json_object_put(message);
		output += length + 1;
		size -= length + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char output[OUTPUT_MAX];
	size_t received = 0;
	int fds[2];

	if (!event)
		start();
	if (size == 0)
		return 0;
	fake.rows = data[0];
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	assert(varlink_server_add(control.server, fds[0]) == 0);
	for (size_t at = 1, step = (size_t)data[0] + 1; at < size; at += step) {
		if (send(fds[1], data + at, MIN(step, size - at), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break; /* it has had enough of us */
		run_loop();
		read_output(fds[1], output, &received);
	}
	/* Odd inputs hang up at once, even ones only stop to send. */
	if (size % 2 == 0) {
		shutdown(fds[1], SHUT_WR);
		run_loop();
		read_output(fds[1], output, &received);
	}
	close(fds[1]);
	run_loop();
	assert(control.n_queries == 0 && !fake.userdata);
	check_output(output, received);
	return 0;
}
