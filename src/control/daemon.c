/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* io.ebpfobs.Daemon: how it is doing, its configuration, what the kernel allows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "control/control-internal.h"

static const char description[] =
	"# How ebpfobsd is doing, its configuration, and what the kernel allows\n"
	"interface io.ebpfobs.Daemon\n"
	"\n"
	"# state: on, degraded, off. rung: the kernel hooks in use. reason: what is missing, why,\n"
	"# what to do\n"
	"type Part (name: string, state: string, rung: ?string, reason: ?string)\n"
	"\n"
	"# seen = delivered + filtered + dropped, in the collector's own unit\n"
	"type Accounting (seen: int, delivered: int, filtered: int, dropped: int)\n"
	"\n"
	"# anon_bytes + bpf_bytes stay below limit_bytes. loop_stall_max_s: the longest turn of "
	"the event\n"
	"# loop, the time that other programs had the CPU included; loop_cpu_max_s: the most CPU "
	"of one\n"
	"type Self (\n"
	"  anon_bytes: int,\n"
	"  bpf_bytes: int,\n"
	"  limit_bytes: ?int,\n"
	"  rss_bytes: int,\n"
	"  cpu_seconds: float,\n"
	"  loop_stall_max_s: ?float,\n"
	"  loop_cpu_max_s: ?float\n"
	")\n"
	"\n"
	"method Status() -> (\n"
	"  version: string,\n"
	"  uptime_s: float,\n"
	"  collectors: []Part,\n"
	"  exporters: []Part,\n"
	"  store: ?object,\n"
	"  accounting: [string]Accounting,\n"
	"  loss: [string]int,\n"
	"  self: Self\n"
	")\n"
	"\n"
	"# The configuration in force, with the file and line of each value; secrets are left out\n"
	"type Option (key: string, value: object, source: string)\n"
	"\n"
	"type Configuration (files: []string, options: []Option)\n"
	"\n"
	"method Config() -> (config: Configuration)\n"
	"\n"
	"# Reads the configuration again and answers when it is in force. Root only\n"
	"method Reload() -> ()\n"
	"\n"
	"# state: ok, missing\n"
	"type Check (name: string, state: string, meaning: ?string)\n"
	"\n"
	"# What this kernel allows; why the process pid is not seen; with maps, the BPF maps\n"
	"method Doctor(pid: ?int, maps: ?bool) -> (\n"
	"  kernel: string,\n"
	"  checks: []Check,\n"
	"  process: ?object,\n"
	"  maps: ?[]object\n"
	")\n"
	"\n"
	"# The old configuration stays\n"
	"error ReloadFailed (message: string)\n"
	"\n"
	"error Failed (message: string)\n";

static void reply(struct varlink_call *call, int r, struct json_object *out)
{
	if (r < 0)
		varlink_error_message(call, "Failed", strerror(-r));
	else
		varlink_reply(call, out);
}

static void handle_status(struct varlink_call *call, struct json_object *in)
{
	struct control *control = control_of(call);
	struct json_object *out = NULL;
	int r = control->ops->status(control->userdata, &out);

	reply(call, r, out);
}

static void handle_config(struct varlink_call *call, struct json_object *in)
{
	struct control *control = control_of(call);
	struct json_object *config = NULL, *out = NULL;
	int r = control->ops->config(control->userdata, &config);

	if (r >= 0) {
		out = json_object_new_object();
		r = json_add(out, "config", config);
	}
	reply(call, r, out);
}

static void handle_doctor(struct varlink_call *call, struct json_object *in)
{
	struct control *control = control_of(call);
	struct json_object *out = NULL;
	uint64_t pid = 0;
	bool maps = false;
	int r;

	if (in && json_get_u64(in, "pid", &pid) == -EINVAL) {
		varlink_error_parameter(call, "pid", "A process id is a positive number.");
		return;
	}
	if (in)
		(void)json_get_bool(in, "maps", &maps); /* absent is false */
	if (pid > INT32_MAX) {
		varlink_error_parameter(call, "pid", "There are no process ids so large.");
		return;
	}
	r = control->ops->doctor(control->userdata, (pid_t)pid, maps, &out);
	reply(call, r, out);
}

/* A reload goes on when the client that asked for it went away. */
struct reload {
	struct varlink_call *call; /* NULL: gone */
};

static void on_reload_cancel(struct varlink_call *call, void *userdata)
{
	struct reload *reload = userdata;

	reload->call = NULL;
}

static void on_reload_done(void *cookie, int r, const char *error)
{
	struct reload *reload = cookie;

	if (reload->call && r < 0)
		varlink_error_message(reload->call, "ReloadFailed", error ? error : strerror(-r));
	else if (reload->call)
		varlink_reply(reload->call, NULL);
	free(reload);
}

static void handle_reload(struct varlink_call *call, struct json_object *in)
{
	struct control *control = control_of(call);
	struct reload *reload = calloc(1, sizeof(*reload));
	int r;

	if (!reload) {
		reply(call, -ENOMEM, NULL);
		return;
	}
	reload->call = call;
	varlink_call_watch(call, &(struct varlink_call_watch){ .cancel = on_reload_cancel,
							       .userdata = reload });
	r = control->ops->reload(control->userdata, on_reload_done, reload);
	if (r < 0)
		on_reload_done(reload, r, NULL);
}

static const struct varlink_field doctor_in[] = {
	{ "pid", VARLINK_INT, NULL },
	{ "maps", VARLINK_BOOL, NULL },
	{},
};

static const struct varlink_method methods[] = {
	{ .name = "Status", .handle = handle_status },
	{ .name = "Config", .handle = handle_config },
	{ .name = "Reload", .handle = handle_reload, .root_only = true },
	{ .name = "Doctor", .handle = handle_doctor, .in = doctor_in },
	{},
};

const struct varlink_interface control_daemon_interface = {
	.name = "io.ebpfobs.Daemon",
	.description = description,
	.methods = methods,
};
