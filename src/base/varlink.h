/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A Varlink server (https://varlink.org) on sd-event: each message is a JSON object that ends in a
 * NUL byte, over a UNIX stream socket. Interfaces are data: the text of their definition beside a
 * table of methods. org.varlink.service is answered by the server itself.
 *
 * A connection runs one call at a time, in order, as Varlink wants it; what is pipelined waits in
 * the input buffer and then in the kernel. Nothing here blocks, and every queue has a limit.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define VARLINK_MESSAGE_MAX (1U << 20) /* bytes of a message that we receive */
#define VARLINK_OUTPUT_HIGH (64U << 10) /* varlink_call_full() is true above */
#define VARLINK_OUTPUT_MAX (8U << 20) /* who has more waiting when the next comes is dropped */
#define VARLINK_STALL_MAX_SEC 30 /* a reader that takes no byte for so long is dropped */
#define VARLINK_CONNECTIONS_MAX 64
#define VARLINK_CALLS_PER_SEC 100 /* of a connection; calls beyond it wait */
#define VARLINK_CALLS_BURST 200

struct varlink_server;
struct varlink_call;

enum varlink_type {
	VARLINK_BOOL,
	VARLINK_INT,
	VARLINK_STRING,
	VARLINK_OBJECT,
	VARLINK_STRING_ARRAY,
	VARLINK_INT_ARRAY,
};

/* An input parameter. All of ours may be left out or null: the handler says what is missing. */
struct varlink_field {
	const char *name; /* NULL ends a table */
	enum varlink_type type;
	const struct varlink_field *fields; /* of a VARLINK_OBJECT */
};

struct varlink_method {
	const char *name; /* "List"; NULL ends a table */
	const struct varlink_field *in; /* NULL: no parameters */
	bool root_only; /* for varlink_service.may() */
	/*
	 * Answers the call now or later, with any number of varlink_notify() and one varlink_reply()
	 * or varlink_error(). in was checked against the table; it is borrowed for the time of this
	 * call and may be NULL.
	 */
	void (*handle)(struct varlink_call *call, struct json_object *in);
};

struct varlink_interface {
	const char *name; /* "io.ebpfobs.Flows" */
	const char *description; /* the definition, in Varlink's own language */
	const struct varlink_method *methods;
};

/* Who is at the other end, as the kernel said at connect time. */
struct varlink_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	size_t n_groups; /* supplementary */
	gid_t *groups;
};

struct varlink_service {
	const char *vendor, *product, *version, *url;
	const struct varlink_interface *const *interfaces; /* NULL-terminated */
	/* False: the call is answered with PermissionDenied. method is NULL for org.varlink.service. */
	bool (*may)(void *userdata, const struct varlink_peer *peer,
		    const struct varlink_method *method);
	/* A connection is being dropped; why is a sentence. For the log. */
	void (*dropped)(void *userdata, const struct varlink_peer *peer, const char *why);
};

struct varlink_counters {
	uint64_t connections, calls;
	uint64_t calls_delayed; /* waited for their turn: VARLINK_CALLS_PER_SEC */
	/* Dropped connections, by cause. */
	uint64_t refused; /* VARLINK_CONNECTIONS_MAX reached, or no memory */
	uint64_t oversize, malformed;
	uint64_t slow_readers;
};

/* service and userdata must outlive the server. */
int varlink_server_new(sd_event *event, const struct varlink_service *service, void *userdata,
		       struct varlink_server **ret);
/* Cancels what runs and closes everything. Takes NULL. */
struct varlink_server *varlink_server_free(struct varlink_server *server);
/* Accepts connections on a listening socket; takes fd over when it succeeds. */
int varlink_server_listen(struct varlink_server *server, int fd);
/* Serves a connected socket; takes fd over when it succeeds. -EBUSY: VARLINK_CONNECTIONS_MAX. */
int varlink_server_add(struct varlink_server *server, int fd);
const struct varlink_counters *varlink_server_counters(const struct varlink_server *server);

void *varlink_call_userdata(const struct varlink_call *call); /* the server's */
bool varlink_call_wants_more(const struct varlink_call *call); /* varlink_notify() is allowed */

/* Each takes out (NULL: no parameters) and sends it. After reply or error the call is gone. */
void varlink_notify(struct varlink_call *call, struct json_object *out);
void varlink_reply(struct varlink_call *call, struct json_object *out);
void varlink_error(struct varlink_call *call, const char *error, struct json_object *out);
/* The errors of org.varlink.service; reason (a sentence, or NULL) goes beside the parameter. */
void varlink_error_parameter(struct varlink_call *call, const char *parameter, const char *reason);
void varlink_error_not_implemented(struct varlink_call *call);
/* The error "INTERFACE.NAME" of the interface that was called, with a "message". */
void varlink_error_message(struct varlink_call *call, const char *name, const char *message);

/*
 * A reader that is slower than the handler: while this is true the handler shall not notify, and
 * waits for writable().
 */
bool varlink_call_full(const struct varlink_call *call);
/*
 * For a call that is answered later. cancel: the client went away, or was dropped; the call is gone
 * once it returns. writable: there is room again. Both come from the loop, never from inside the
 * functions above; either may be NULL.
 */
struct varlink_call_watch {
	void (*cancel)(struct varlink_call *call, void *userdata);
	void (*writable)(struct varlink_call *call, void *userdata);
	void *userdata;
};
void varlink_call_watch(struct varlink_call *call, const struct varlink_call_watch *watch);

static inline void varlink_server_free_p(struct varlink_server **server)
{
	varlink_server_free(*server);
}
