/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * "ebpfobsctl doctor": what this kernel allows, why a process is invisible, which BPF maps there
 * are. Each check is a name, a verdict (ok, missing) and a sentence that says what it is needed for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/util.h"
#include "collect/shared/tc.h"
#include "daemon/manager-internal.h"
#include "host/cgroup-tree.h"

static int add_check(struct json_object *checks, const char *name, bool ok, const char *meaning)
{
	struct json_object *o = json_object_new_object();
	int r;

	r = json_add_string(o, "name", name)
	    ?: json_add_string(o, "state", ok ? "ok" : "missing")
	    ?: json_add_string(o, "meaning", meaning);
	return json_append(checks, o) ?: r;
}

/* The word in brackets of "[none] integrity confidentiality". */
static void read_lockdown(char *ret, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen("/sys/kernel/security/lockdown", "re");
	char line[128], *begin, *end;

	snprintf(ret, size, "none");
	if (!f || !fgets(line, sizeof(line), f))
		return;
	begin = strchr(line, '[');
	end = begin ? strchr(begin, ']') : NULL;
	if (end)
		snprintf(ret, size, "%.*s", (int)(end - begin - 1), begin + 1);
}

static bool has_capability(cap_value_t capability)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	if (caps) {
		cap_get_flag(caps, capability, CAP_EFFECTIVE, &value);
		cap_free(caps);
	}
	return value == CAP_SET;
}

static int add_capabilities(struct json_object *checks)
{
	static const struct {
		cap_value_t capability;
		const char *name, *meaning;
	} wanted[] = {
		{ CAP_BPF, "CAP_BPF", "loading programs and making maps" },
		{ CAP_PERFMON, "CAP_PERFMON", "tracing programs: processes, accepts, old sockets" },
		{ CAP_NET_ADMIN, "CAP_NET_ADMIN", "attaching to interfaces and cgroups" },
		{ CAP_NET_BROADCAST, "CAP_NET_BROADCAST",
		  "hearing of interfaces in other network namespaces" },
		{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "entering other network namespaces" },
		{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "executables' paths of others' processes" },
		{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH",
		  "names of containers from their runtime's files; cgroups by id" },
		{ CAP_SYSLOG, "CAP_SYSLOG",
		  "addresses of kernel symbols: connections older than the daemon, on Linux 5.10" },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(wanted) && r >= 0; i++)
		r = add_check(checks, wanted[i].name, has_capability(wanted[i].capability),
			      wanted[i].meaning);
	return r;
}

static int add_kernel(struct json_object *checks)
{
	_cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NONE;
	char lockdown[32];
	int r;

	read_lockdown(lockdown, sizeof(lockdown));
	r = add_check(checks, "BTF", access("/sys/kernel/btf/vmlinux", R_OK) == 0,
		      "every program but the TC ones needs /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)")
	    ?: add_check(checks, "cgroup v2", cgroup_tree_open(&host_roots_machine, &tree) >= 0,
			 "new sockets are named by programs attached to the cgroup v2 hierarchy")
	    ?: add_check(checks, "tracefs",
			 access("/sys/kernel/tracing/events", R_OK) == 0 ||
				 access("/sys/kernel/debug/tracing/events", R_OK) == 0,
			 "the syscall rung attaches through tracefs (mount -t tracefs tracefs "
			 "/sys/kernel/tracing)")
	    ?: add_check(checks, "lockdown: not confidentiality", !streq(lockdown, "confidentiality"),
			 "under confidentiality programs that read kernel memory are refused; flows go on");
	return r;
}

static int add_parts(struct manager *m, struct json_object *checks)
{
	struct part_status status;
	int r = 0;

	for (size_t i = 0; i < m->n_collectors && r >= 0; i++) {
		m->collectors[i].ops->status(m->collectors[i].collector, &status);
		r = add_check(checks, status.name, status.state == PART_ON,
			      status.reason[0] ? status.reason : "running");
	}
	return r;
}

static uint64_t netns_of(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* Why a process would not be seen. */
static int explain_process(struct manager *m, pid_t pid, struct json_object *o)
{
	struct process_ref ref = { .pid = pid };
	struct scope_task task = { .pid = pid, .netns = netns_of(pid) };
	struct json_object *process = json_object_new_object();
	const char *why = "it is seen: its sockets are named from the next connection on";
	struct workload workload;
	bool known;

	if (task.netns == 0)
		why = "there is no such process, or its /proc entry may not be read";
	known = inventory_workload(m->inventory, &ref, &workload);
	task.exe = inventory_exe(m->inventory, pid);
	if (task.netns && !scope_is_empty(m->scope) && !scope_contains(m->scope, &task))
		why = "it is out of scope: see the section scope of the configuration";
	else if (task.netns && task.netns != netns_of(getpid()))
		why = "it is in another network namespace than the daemon: its traffic is seen "
		      "where it "
		      "leaves, or directly with collectors.flows.netns: all";
	return json_add_int(process, "pid", pid)
	    ?: json_add_string(process, "comm", known ? ref.comm : NULL)
	    ?: json_add_string(process, "workload_kind",
			       known ? workload_kind_name(workload.kind) : NULL)
	    ?: json_add_string(process, "workload", known ? workload.name : NULL)
	    ?: json_add_u64(process, "netns", task.netns)
	    ?: json_add_string(process, "verdict", why)
	    ?: json_add(o, "process", process);
}

struct map_list {
	struct json_object *array;
	int r;
};

static void add_map(void *userdata, const struct bpf_held_map *map)
{
	struct map_list *list = userdata;
	struct json_object *o = json_object_new_object();
	int r;

	r = json_add_u64(o, "id", map->id)
	    ?: json_add_string(o, "name", map->name)
	    ?: json_add_string(o, "type", map->type)
	    ?: json_add_u64(o, "key_size", map->key_size)
	    ?: json_add_u64(o, "value_size", map->value_size)
	    ?: json_add_u64(o, "max_entries", map->max_entries)
	    ?: json_add_u64(o, "bytes", map->bytes);
	list->r = json_append(list->array, o) ?: r ?: list->r;
}

static int add_maps(struct json_object *o)
{
	struct map_list list = { .array = json_object_new_array() };

	bpf_each_held_map(add_map, &list);
	return json_add(o, "maps", list.array) ?: list.r;
}

int manager_doctor(struct manager *m, pid_t pid, bool maps, struct json_object **ret)
{
	struct json_object *o = json_object_new_object(), *checks = json_object_new_array();
	struct utsname kernel = {};
	int r;

	uname(&kernel);
	r = add_capabilities(checks) ?: add_kernel(checks) ?: add_parts(m, checks);
	r = json_add(o, "checks", checks) ?: r;
	r = r ?: json_add_string(o, "kernel", kernel.release);
	if (r >= 0 && pid)
		r = explain_process(m, pid, o);
	if (r >= 0 && maps)
		r = add_maps(o);
	if (r < 0) {
		json_object_put(o);
		return r;
	}
	*ret = o;
	return 0;
}
