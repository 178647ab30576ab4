/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control room: a Varlink server on a UNIX socket, one file per interface. The daemon hands in
 * a table of operations, so that this room knows nothing of the others but the store's query face.
 *
 * Root and members of the group "ebpfobs" may ask, trace and record; root alone loads policies and
 * reloads. The peer's credentials decide (SO_PEERCRED at connect time).
 */
#pragma once

#include <json-c/json.h>
#include <systemd/sd-event.h>

#include "model/accounting.h"
#include "model/naming.h"
#include "store/store.h"

struct control;

struct control_ops {
	/* The whole of "ebpfobsctl status -o json" as a new object. */
	int (*status)(void *userdata, struct json_object **ret);
	/* The configuration in force: {"files": [], "options": [{"key", "value", "source"}]};
	 * secrets left out. */
	int (*config)(void *userdata, struct json_object **ret);
	/* Reads the configuration again. On failure error gets a sentence (file, line, what), the
	 * old configuration stays. done may be called later. */
	int (*reload)(void *userdata, void (*done)(void *cookie, int r, const char *error),
		      void *cookie);
	/*
	 * {"checks": [{"name", "state": "ok|missing", "meaning"}], "kernel": what this kernel
	 * allows; "process": {"pid", "comm", "verdict", ...}, absent with pid 0: why it is not
	 * seen; "maps": [{"name", "type", ...}], absent without maps: all with the same keys, which
	 * become the columns of a table}
	 */
	int (*doctor)(void *userdata, pid_t pid, bool maps, struct json_object **ret);
	/* Drains the collectors now, so that the answer holds what happened up to this moment. */
	int (*flush)(void *userdata, void (*done)(void *cookie, int r), void *cookie);
	/* Names what is in naming, and then calls done(). -errno: it will not. */
	int (*symbolize)(void *userdata, struct naming *naming, void (*done)(void *cookie),
			 void *cookie);
	/* Losses of every room: what each answer ends with. */
	void (*losses)(void *userdata, void (*fn)(void *cookie, const struct loss *loss),
		       void *cookie);
};

/*
 * Serves on listen_fd (socket activation; taken over) or, when it is negative, makes the socket at
 * path with mode 0660 and group ebpfobs where that group exists. A path at which another daemon
 * answers gives -EADDRINUSE.
 */
int control_new(sd_event *event, int listen_fd, const char *path, struct store *store,
		const struct control_ops *ops, void *userdata, struct control **ret);
/* Closes connections and unlinks a socket that it made itself; to be done before store_free().
 * Takes NULL. */
struct control *control_free(struct control *control);
/* Clients dropped for being slow, messages refused, ... */
void control_losses(const struct control *control,
		    void (*fn)(void *userdata, const struct loss *loss), void *userdata);
