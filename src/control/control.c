/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server of the control room: who may ask, what the service is called, what was refused. */
#define LOG_COMPONENT "control"
#include "control/control.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/util.h"
#include "control/control-internal.h"

#define GROUP_NAME "ebpfobs"

static const struct varlink_interface *const interfaces[] = {
	&control_daemon_interface,
	&control_flows_interface,
	&control_profile_interface,
	NULL,
};

static bool is_member(const struct varlink_peer *peer, gid_t group)
{
	for (size_t i = 0; i < peer->n_groups; i++)
		if (peer->groups[i] == group)
			return true;
	return peer->gid == group;
}

/* The user that runs the daemon counts as root: without installation that is a developer. */
static bool may(void *userdata, const struct varlink_peer *peer,
		const struct varlink_method *method)
{
	const struct control *control = userdata;

	if (peer->uid == 0 || peer->uid == geteuid())
		return true;
	return control->has_group && is_member(peer, control->group) &&
	       !(method && method->root_only);
}

static void on_dropped(void *userdata, const struct varlink_peer *peer, const char *why)
{
	log_warning_limited("The control connection of process %d (user %u) is dropped. %s",
			    (int)peer->pid, (unsigned)peer->uid, why);
}

static const struct varlink_service service = {
	.vendor = "ebpfobs",
	.product = "ebpfobsd",
	.version = EBPFOBS_VERSION,
	.url = "https://github.com/ebpfobs/ebpfobs",
	.interfaces = interfaces,
	.may = may,
	.dropped = on_dropped,
};

static void find_group(struct control *control)
{
	const struct group *group = getgrnam(GROUP_NAME);

	control->has_group = group != NULL;
	if (group)
		control->group = group->gr_gid;
}

/* Serves on fd, or on a socket that is made at path. */
static int listen_on(struct control *control, int listen_fd, const char *path)
{
	_cleanup_close_ int fd = listen_fd;
	int r;

	if (fd < 0) {
		r = control_socket_listen(path, control->has_group ? &control->group : NULL, &fd);
		if (r < 0)
			return r;
		control->path = strdup(path);
		if (!control->path) {
			unlink(path);
			return -ENOMEM;
		}
	}
	r = varlink_server_listen(control->server, fd);
	if (r >= 0)
		TAKE_FD(fd);
	return r;
}

DEFINE_CLEANUP(struct control *, control_free)

int control_new(sd_event *event, int listen_fd, const char *path, struct store *store,
		const struct control_ops *ops, void *userdata, struct control **ret)
{
	_cleanup_(control_free_p) struct control *control = calloc(1, sizeof(*control));
	int r;

	if (!control)
		return -ENOMEM;
	control->store = store;
	control->ops = ops;
	control->userdata = userdata;
	find_group(control);
	r = varlink_server_new(event, &service, control, &control->server);
	if (r == 0)
		r = listen_on(control, listen_fd, path);
	if (r < 0)
		return r;
	*ret = TAKE(control);
	return 0;
}

struct control *control_free(struct control *control)
{
	if (!control)
		return NULL;
	varlink_server_free(control->server);
	if (control->path)
		unlink(control->path);
	free(control->path);
	free(control);
	return NULL;
}

void control_losses(const struct control *control,
		    void (*fn)(void *userdata, const struct loss *loss), void *userdata)
{
	const struct varlink_counters *counters = varlink_server_counters(control->server);
	const struct loss losses[] = {
		{ "control.connection_refused", counters->refused },
		{ "control.message_oversize", counters->oversize },
		{ "control.message_malformed", counters->malformed },
		{ "control.slow_reader", counters->slow_readers },
		{ "control.query_refused", control->queries_refused },
	};

	for (size_t i = 0; i < ARRAY_SIZE(losses); i++)
		fn(userdata, &losses[i]);
}
