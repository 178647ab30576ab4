/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order matters after kill -9: what we are about to do to a clsact interface is recorded before
 * it is done, and again with the handles that the kernel chose.
 */
#include "collect/shared/attach.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "collect/bpf_sys.h"
#include "collect/shared/tc-record.h"
#include "host/link-message.h"
#include "host/netns-find.h"
#include "host/rtnl.h"

#define PAUSE_NS (500 * NSEC_PER_USEC)
#define PAUSE_LONG_NS (2 * NSEC_PER_MSEC) /* once the first few readings did not settle it */

/* --- attaching ----------------------------------------------------------------------------- */

static int record_intent(const struct attach_task *task, struct tc_record *record)
{
	bool clsact;
	int r;

	*record = (struct tc_record){ .netns = task->ns.inode, .ifindex = (int)task->link.ifindex };
	r = tc_has_clsact(record->ifindex, &clsact);
	if (r < 0)
		return r;
	record->made_clsact = !clsact;
	for (int i = 0; i < TC_DIRECTIONS; i++) {
		int64_t id = bpf_sys_prog_id(task->programs[i]);

		if (id < 0)
			return (int)id;
		record->program[i] = (uint32_t)id;
	}
	return tc_record_write(task->runtime_dir, record);
}

static int record_result(const struct attach_task *task, struct tc_record *record)
{
	record->made_clsact = task->attached.made_clsact;
	for (int i = 0; i < TC_DIRECTIONS; i++) {
		record->priority[i] = task->attached.at[i].priority;
		record->handle[i] = task->attached.at[i].handle;
	}
	return tc_record_write(task->runtime_dir, record);
}

static int attach_both(struct attach_task *task, enum tc_mode mode)
{
	int r = 0;

	for (int i = 0; r == 0 && i < TC_DIRECTIONS; i++)
		r = tc_attach(mode, (int)task->link.ifindex, i, task->programs[i],
			      &task->attached.at[i]);
	return r;
}

static int attach_clsact(struct attach_task *task)
{
	struct tc_record record;
	int r;

	r = record_intent(task, &record);
	if (r < 0)
		return r;
	r = tc_make_clsact(record.ifindex, &task->attached.made_clsact);
	if (r == 0)
		r = attach_both(task, TC_CLSACT);
	if (r == 0)
		r = record_result(task, &record);
	return r;
}

static int undo_here(struct attached *attached, int ifindex)
{
	int r, first = 0;

	for (int i = 0; i < TC_DIRECTIONS; i++) {
		r = tc_detach(&attached->at[i]);
		if (r < 0 && first == 0)
			first = r;
	}
	if (first == 0 && attached->made_clsact)
		first = tc_drop_clsact(ifindex);
	attached->made_clsact = false;
	return first;
}

/* What could not be undone stays recorded, for the next start. */
static void abandon(struct attach_task *task, enum tc_mode mode)
{
	int ifindex = (int)task->link.ifindex;

	if (undo_here(&task->attached, ifindex) == 0 && mode == TC_CLSACT)
		tc_record_remove(task->runtime_dir, task->ns.inode, ifindex);
}

static int attach_here(struct attach_task *task)
{
	enum tc_mode mode = task->mode;
	int r;

	if (mode != TC_CLSACT) {
		r = tc_probe_tcx(task->programs[TC_INGRESS]);
		if (r < 0)
			return r;
		if (r == 0 && mode == TC_TCX) {
			snprintf(task->reason, sizeof(task->reason),
				 "this kernel has no TCX (Linux 6.6); attach: tc works");
			return -EINVAL;
		}
		mode = r > 0 ? TC_TCX : TC_CLSACT;
	}
	r = mode == TC_TCX ? attach_both(task, TC_TCX) : attach_clsact(task);
	if (r < 0)
		abandon(task, mode);
	return r;
}

/* --- bracketing ---------------------------------------------------------------------------- */

struct readings {
	struct attach_task *task;
	struct nl_sock *sock; /* in the interface's namespace; closed before we leave */
};

static int read_programs(void *userdata, struct flow_count ret[TC_DIRECTIONS])
{
	struct readings *readings = userdata;

	return readings->task->count(readings->task->userdata, ret);
}

static int read_interface(void *userdata, struct link_counter ret[TC_DIRECTIONS])
{
	struct readings *readings = userdata;

	return link_counters(readings->sock, readings->task->link.ifindex, &ret[TC_INGRESS],
			     &ret[TC_EGRESS]);
}

static void pause_between(void *userdata, unsigned reading)
{
	struct timespec ts = { .tv_nsec = reading < 8 ? PAUSE_NS : PAUSE_LONG_NS };

	nanosleep(&ts, NULL);
}

static bool offload(int fd, const char *name, uint32_t command)
{
	struct ethtool_value value = { .cmd = command };
	struct ifreq request;

	memset(&request, 0, sizeof(request));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	request.ifr_data = (void *)&value;
	return ioctl(fd, SIOCETHTOOL, &request) == 0 && value.data;
}

static struct link_offloads read_offloads(const struct link *link)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct link_offloads offloads = { .gro = false };
	char peer[IFNAMSIZ];

	if (fd < 0)
		return offloads;
	offloads.gro = offload(fd, link->name, ETHTOOL_GGRO);
	offloads.tso = offload(fd, link->name, ETHTOOL_GTSO);
	offloads.peer_seen = link->lower && link->lower_nsid == NETNS_NSID_NONE &&
			     if_indextoname(link->lower, peer);
	if (offloads.peer_seen) {
		offloads.peer_gro = offload(fd, peer, ETHTOOL_GGRO);
		offloads.peer_tso = offload(fd, peer, ETHTOOL_GTSO);
	}
	return offloads;
}

static int bracket_here(struct attach_task *task)
{
	const struct link *link = &task->link;
	_cleanup_(rtnl_close_p) struct nl_sock *sock = NULL;
	struct readings readings = { .task = task };
	struct bracket_source source = {
		.programs = read_programs,
		.interface = read_interface,
		.pause = pause_between,
		.userdata = &readings,
	};
	struct link_offloads offloads = read_offloads(link);
	int r;

	for (int i = 0; i < TC_DIRECTIONS; i++)
		task->units[i] = source.units[i] =
			link_units(link->kind, link->type, i == TC_EGRESS, &offloads);
	r = rtnl_open(&sock);
	if (r < 0)
		return r;
	readings.sock = sock;
	return bracket_take(&source, &task->bracket);
}

/* --- the tasks ----------------------------------------------------------------------------- */

static int find_neighbours(const struct attached *attached, struct neighbours *ret)
{
	static const char *const names[] = { "ingress", "egress" };
	struct neighbours found = { .tcx = false };
	char what[INTERFACE_REASON_LEN - 16];
	size_t n = 0;
	int r;

	for (int i = 0; i < TC_DIRECTIONS; i++) {
		r = tc_find_foreign(&attached->at[i], what, sizeof(what), &found.tcx);
		if (r < 0)
			return r;
		if (r > 0 && n < sizeof(found.before))
			n += (size_t)snprintf(found.before + n, sizeof(found.before) - n,
					      "%s%s: %s", n > 0 ? ", " : "", names[i], what);
	}
	*ret = found;
	return 0;
}

static void explain(struct attach_task *task, int r)
{
	const char *why;

	if (task->reason[0])
		return;
	switch (r) {
	case -EPERM:
	case -EACCES:
		why = "not permitted: CAP_NET_ADMIN and CAP_BPF are needed, and CAP_SYS_ADMIN in "
		      "other namespaces";
		break;
	case -EEXIST:
		why = "someone else's ingress qdisc or filters leave no place for ours";
		break;
	case -EOPNOTSUPP:
		why = "its filter block is shared with other interfaces";
		break;
	case -ENODEV:
	case -ESTALE:
		why = "it went away while it was being attached";
		break;
	default:
		why = strerror(-r);
	}
	snprintf(task->reason, sizeof(task->reason), "%s", why);
}

/* The interface went between attaching and bracketing: what we have got is all that there is. */
static void count_last(struct attach_task *task)
{
	struct flow_count counts[TC_DIRECTIONS];

	if (task->count(task->userdata, counts) < 0)
		return;
	for (int i = 0; i < TC_DIRECTIONS; i++)
		task->counted[i] = link_convert(&task->units[i], &counts[i]);
}

static int run_here(struct attach_task *task)
{
	int r;

	r = attach_here(task);
	if (r < 0)
		return r;
	r = bracket_here(task);
	if (r == 0)
		r = find_neighbours(&task->attached, &task->neighbours);
	if (r < 0) {
		abandon(task, task->attached.at[TC_INGRESS].mode);
		count_last(task);
	}
	return r;
}

int attach_run(struct attach_task *task)
{
	int back, r;

	r = netns_enter(&task->ns, &back);
	if (r == 0) {
		r = run_here(task);
		netns_leave(back);
	}
	for (int i = 0; i < TC_DIRECTIONS; i++)
		task->programs[i] = close_fd(task->programs[i]);
	task->vanished = r == -ENODEV || r == -ESTALE;
	if (r < 0)
		explain(task, r);
	return r;
}

int attach_undo(const struct netns_ref *ns, int ifindex, const char *runtime_dir,
		struct attached *attached, bool gone)
{
	bool recorded = attached->at[TC_INGRESS].mode == TC_CLSACT;
	int back, r = 0;

	/* The filters went with the interface. A TCX link is detached by closing it, from anywhere. */
	if (recorded && gone)
		*attached = (struct attached){ .made_clsact = false };
	if (!recorded || gone) {
		undo_here(attached, ifindex);
	} else {
		r = netns_enter(ns, &back);
		if (r == 0) {
			r = undo_here(attached, ifindex);
			netns_leave(back);
		} else if (r == -ESTALE) {
			r = 0;
		}
	}
	/* Else the record stays for the next start. */
	if (r == 0 && recorded)
		r = tc_record_remove(runtime_dir, ns->inode, ifindex);
	return r;
}

int attach_audit(const struct netns_ref *ns, const struct attached *attached,
		 struct neighbours *ret)
{
	int back, r;

	r = netns_enter(ns, &back);
	if (r < 0)
		return r;
	r = find_neighbours(attached, ret);
	netns_leave(back);
	return r;
}
