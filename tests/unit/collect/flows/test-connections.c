/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is remembered of a flow from step to step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>

#include "base/util.h"
#include "collect/flows/connections.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

#define SECOND NSEC_PER_SEC
#define MINUTE (60 * SECOND)

static struct wire_flow_key key_of(uint8_t protocol, uint16_t port)
{
	return (struct wire_flow_key){ .protocol = protocol, .port = { port, 80 } };
}

static struct connections *new_connections(size_t limit)
{
	struct connections *connections;

	assert_int_equal(connections_new(limit, &connections), 0);
	return connections;
}

/* A step in which the ends sent these flags. */
static struct connection *step(struct connections *connections, uint16_t port, uint8_t flags0,
			       uint8_t flags1, uint64_t now)
{
	const struct wire_flow_key key = key_of(IPPROTO_TCP, port);
	const struct wire_flow flow = { .traffic.tcp_flags = { flags0, flags1 } };

	return connections_update(connections, &key, &flow, now);
}

static void test_states(void **state)
{
	static const struct {
		uint8_t client, server;
		enum tcp_state state;
	} cases[] = {
		{ 0, 0, TCP_STATE_UNKNOWN },
		{ SYN, 0, TCP_STATE_CONNECTING },
		{ SYN, SYN | ACK, TCP_STATE_ESTABLISHED },
		{ SYN | ACK, SYN | ACK, TCP_STATE_ESTABLISHED },
		{ ACK, 0, TCP_STATE_ESTABLISHED }, /* older than we are */
		{ ACK, ACK, TCP_STATE_ESTABLISHED },
		{ SYN | ACK | FIN, SYN | ACK, TCP_STATE_CLOSING },
		{ SYN | ACK, SYN | ACK | FIN, TCP_STATE_CLOSING },
		{ SYN | ACK | FIN, SYN | ACK | FIN, TCP_STATE_CLOSED },
		{ SYN, RST | ACK, TCP_STATE_REFUSED },
		{ SYN | ACK, SYN | ACK | RST, TCP_STATE_RESET },
		{ SYN | ACK | RST, SYN | ACK, TCP_STATE_RESET },
		{ SYN | RST, 0, TCP_STATE_RESET }, /* given up by the client itself */
		{ ACK | FIN, ACK | RST, TCP_STATE_RESET },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct connection c = { .tcp_flags = { cases[i].client, cases[i].server } };

		assert_int_equal(connection_tcp_state(&c), cases[i].state);
		/* The first sender is the client, whichever end of the key it is. */
		c = (struct connection){ .tcp_flags = { cases[i].server, cases[i].client },
					 .first_sender = 1 };
		assert_int_equal(connection_tcp_state(&c), cases[i].state);
	}
}

static void test_a_life_in_steps(void **state)
{
	struct connections *connections = new_connections(10);
	struct connection *c;

	c = step(connections, 1000, SYN, 0, 1);
	assert_int_equal(connection_tcp_state(c), TCP_STATE_CONNECTING);
	c = step(connections, 1000, ACK, SYN | ACK, 2);
	assert_int_equal(connection_tcp_state(c), TCP_STATE_ESTABLISHED);
	c = step(connections, 1000, ACK, ACK, 3);
	assert_int_equal(connection_tcp_state(c), TCP_STATE_ESTABLISHED);
	c = step(connections, 1000, ACK | FIN, ACK, 4);
	assert_int_equal(connection_tcp_state(c), TCP_STATE_CLOSING);
	c = step(connections, 1000, ACK, ACK | FIN, 5);
	assert_int_equal(connection_tcp_state(c), TCP_STATE_CLOSED);
	c = step(connections, 1000, ACK, 0, 6); /* the last acknowledgement */
	assert_int_equal(connection_tcp_state(c), TCP_STATE_CLOSED);
	assert_int_equal(c->last_ns, 6);
	connections_free(connections);
}

static void test_reopened(void **state)
{
	const struct wire_flow_key key = key_of(IPPROTO_TCP, 1000);
	struct wire_flow flow = { .traffic = { .first_sender = 1,
					       .tcp_flags = { SYN | ACK, SYN } } };
	struct connections *connections = new_connections(10);
	struct connection *c;

	flow.end[0].kind = WIRE_OWNER_PROCESS;
	c = connections_update(connections, &key, &flow, 1);
	c->local_known = true;
	/* A SYN again while it is open is a retransmit. */
	c = step(connections, 1000, 0, SYN, 2);
	assert_int_equal(c->end[0].kind, WIRE_OWNER_PROCESS);
	c = step(connections, 1000, ACK | RST, ACK, 3);
	assert_int_equal(connection_tcp_state(c), TCP_STATE_RESET);
	/* After the end it is another connection, of whom nothing is known. */
	c = step(connections, 1000, SYN, 0, 4);
	assert_int_equal(connection_tcp_state(c), TCP_STATE_CONNECTING);
	assert_int_equal(c->end[0].kind, WIRE_OWNER_NOT_ASKED);
	assert_int_equal(c->first_sender, 0);
	assert_false(c->local_known);
	connections_free(connections);
}

static void test_owners(void **state)
{
	static const struct {
		uint8_t known, known_side, seen, seen_side; /* and then: */
		bool replaced;
		uint8_t side;
	} cases[] = {
		{ WIRE_OWNER_NO_SOCKET, 0, WIRE_OWNER_PROCESS, WIRE_SIDE_CLIENT, true,
		  WIRE_SIDE_CLIENT },
		{ WIRE_OWNER_LISTENER, WIRE_SIDE_SERVER, WIRE_OWNER_PROCESS, WIRE_SIDE_SERVER, true,
		  WIRE_SIDE_SERVER },
		{ WIRE_OWNER_PROCESS, WIRE_SIDE_CLIENT, WIRE_OWNER_TIME_WAIT, 0, false,
		  WIRE_SIDE_CLIENT },
		{ WIRE_OWNER_PROCESS, WIRE_SIDE_SERVER, WIRE_OWNER_LISTENER, WIRE_SIDE_SERVER,
		  false, WIRE_SIDE_SERVER },
		/* The process changed (a socket was handed on), the side is still known. */
		{ WIRE_OWNER_PROCESS, WIRE_SIDE_SERVER, WIRE_OWNER_PROCESS, WIRE_SIDE_UNKNOWN, true,
		  WIRE_SIDE_SERVER },
	};
	const struct wire_flow_key key = key_of(IPPROTO_UDP, 1);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct connections *connections = new_connections(1);
		struct wire_flow flow = { .end[1] = { .tgid = 10 } };
		struct connection *c;

		flow.end[1].kind = cases[i].known;
		flow.end[1].side = cases[i].known_side;
		connections_update(connections, &key, &flow, 1);
		flow.end[1].kind = cases[i].seen;
		flow.end[1].side = cases[i].seen_side;
		flow.end[1].tgid = 20;
		c = connections_update(connections, &key, &flow, 2);
		assert_int_equal(c->end[1].tgid, cases[i].replaced ? 20 : 10);
		assert_int_equal(c->end[1].side, cases[i].side);
		connections_free(connections);
	}
}

static uint64_t total(const struct connections *connections)
{
	uint64_t counts[TCP_STATE_MAX_], sum = 0;

	connections_count(connections, counts);
	for (int i = 0; i < TCP_STATE_MAX_; i++)
		sum += counts[i];
	return sum;
}

/* Of the connects that were never answered: the sum of their ports. */
static void on_failed(void *userdata, const struct wire_flow_key *key, struct connection *c)
{
	unsigned *failed = userdata;

	assert_int_equal(connection_tcp_state(c), TCP_STATE_CONNECTING);
	*failed += key->port[0];
}

static void test_expiry(void **state)
{
	unsigned failed = 0;
	const struct wire_flow_key udp = key_of(IPPROTO_UDP, 53);
	struct connections *connections = new_connections(10);
	uint64_t begin = 1000 * SECOND, counts[TCP_STATE_MAX_];
	size_t empty = connections_bytes(connections);
	const struct wire_flow flow = {};

	step(connections, 1, ACK, ACK, begin);
	step(connections, 2, ACK | FIN, ACK | FIN, begin);
	step(connections, 3, SYN, RST, begin);
	connections_update(connections, &udp, &flow, begin);
	connections_expire(connections, begin + MINUTE, on_failed, &failed);
	connections_count(connections, counts);
	assert_int_equal(counts[TCP_STATE_ESTABLISHED], 1);
	assert_int_equal(counts[TCP_STATE_CLOSED], 1);
	assert_int_equal(counts[TCP_STATE_REFUSED], 1);
	assert_int_equal(counts[TCP_STATE_UNKNOWN], 1); /* UDP */
	connections_expire(connections, begin + MINUTE + 1, on_failed, &failed);
	assert_int_equal(total(connections), 1); /* the one that is open */
	connections_expire(connections, begin + 10 * MINUTE, on_failed, &failed);
	assert_int_equal(total(connections), 1);
	step(connections, 1, ACK, 0, begin + 10 * MINUTE); /* it goes on */
	connections_expire(connections, begin + 20 * MINUTE, on_failed, &failed);
	assert_int_equal(total(connections), 1);
	connections_expire(connections, begin + 20 * MINUTE + 1, on_failed, &failed);
	assert_int_equal(total(connections), 0);
	assert_int_equal(connections_bytes(connections), empty);
	connections_free(connections);
}

/* The last SYN is 64 s before the connect() gives up. */
static void test_failed_connect(void **state)
{
	struct connections *connections = new_connections(10);
	uint64_t begin = 1000 * SECOND;
	unsigned failed = 0;

	step(connections, 4, SYN, 0, begin);
	step(connections, 5, SYN, 0, begin);
	connections_expire(connections, begin + 64 * SECOND, on_failed, &failed);
	assert_int_equal(failed, 0);
	step(connections, 4, 0, SYN | ACK, begin + 64 * SECOND);
	connections_expire(connections, begin + 80 * SECOND, on_failed, &failed);
	assert_int_equal(failed, 5);
	assert_int_equal(total(connections), 1);
	connections_free(connections);
}

static void test_limit(void **state)
{
	struct connections *connections = new_connections(2);
	struct connection *c;

	step(connections, 1, SYN, 0, 1);
	step(connections, 2, SYN, 0, 1);
	assert_int_equal(connections_lost(connections), 0);
	for (int i = 0; i < 3; i++) { /* stands for its step alone, each time */
		c = step(connections, 3, i == 0 ? SYN : ACK, 0, 2);
		assert_int_equal(connection_tcp_state(c),
				 i == 0 ? TCP_STATE_CONNECTING : TCP_STATE_ESTABLISHED);
		c->local_known = true;
		c = step(connections, 3, 0, ACK, 2);
		assert_false(c->local_known);
	}
	assert_int_equal(connections_lost(connections), 6);
	c = step(connections, 1, 0, SYN | ACK, 3); /* those that have a place keep it */
	assert_int_equal(connection_tcp_state(c), TCP_STATE_ESTABLISHED);
	connections_set_limit(connections, 3);
	step(connections, 3, SYN, 0, 4);
	c = step(connections, 3, 0, SYN | ACK, 4);
	assert_int_equal(c->tcp_flags[0], SYN);
	assert_int_equal(connections_lost(connections), 6);
	connections_free(connections);
}

static void test_without_a_table(void **state)
{
	struct connection *c = step(NULL, 1, SYN, 0, 1);

	assert_int_equal(connection_tcp_state(c), TCP_STATE_CONNECTING);
	c = step(NULL, 1, 0, ACK, 1);
	assert_int_equal(c->tcp_flags[0], 0);
	assert_null(connections_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),	 cmocka_unit_test(test_a_life_in_steps),
		cmocka_unit_test(test_reopened), cmocka_unit_test(test_owners),
		cmocka_unit_test(test_expiry),	 cmocka_unit_test(test_failed_connect),
		cmocka_unit_test(test_limit),	 cmocka_unit_test(test_without_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
