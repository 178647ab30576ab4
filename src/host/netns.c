/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of namespaces. A scan (worker) or a hint says that an inode exists; a second job gives
 * it an nsid; only then is it announced. RTM_DELNSID takes it out. What we cannot be told of (a
 * namespace made by unshare(2) that no tracepoint saw) is found by a scan every SCAN_INTERVAL.
 *
 * Jobs outlive netns_free(): each holds a reference, and what it found is dropped then.
 */
#include "host/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/hashmap.h"
#include "base/util.h"
#include "base/work.h"
#include "host/netns-find.h"
#include "host/rtnl.h"

#define SCAN_INTERVAL (30 * USEC_PER_SEC)
/* A burst of mounts must not keep a core busy with scans: after one of length L the next of its kind
 * comes not before SCAN_PAUSE_FACTOR * L, so that each kind takes at most 1/20 of a core. */
#define SCAN_PAUSE_MIN (5 * USEC_PER_MSEC)
#define SCAN_PAUSE_FACTOR 20

/* The mount table is read in some 100 us, /proc in 10 us per process; and what lives for a tenth of
 * a second has a mount, as a rule. */
enum scan {
	SCAN_MOUNTS,
	SCAN_ALL, /* processes, too */
	SCANS,
};

struct entry {
	struct netns_ref ref;
	bool announced; /* false: its nsid is being asked for */
};

struct netns_table {
	sd_event *event;
	struct work *work;
	struct netns_handler handler;
	uint64_t own;
	bool foreign;
	struct hashmap *entries; /* inode to struct entry */
	struct hashmap *by_nsid; /* nsid to inode, of the announced */
	sd_event_source *mounts, *timer;
	int mounts_fd;
	bool scanning;
	/* CLOCK_MONOTONIC, in us: when a scan is due, and before which it is not */
	uint64_t due[SCANS], not_before[SCANS];
	struct netns_stats stats;
	unsigned references; /* the owner and each job under way */
	bool closed;
};

static struct netns_table *table_unref(struct netns_table *table)
{
	if (--table->references > 0)
		return NULL;
	hashmap_free(table->entries);
	hashmap_free(table->by_nsid);
	free(table);
	return NULL;
}

static void announce(struct netns_table *table, const struct netns_ref *ref,
		     enum netns_change change)
{
	struct netns_ref copy = *ref; /* the table may move while the handler runs */

	table->handler.changed(table->handler.userdata, &copy, change);
}

static void forget(struct netns_table *table, uint64_t inode)
{
	struct entry *entry = hashmap_get(table->entries, &inode);
	struct netns_ref ref = entry->ref;
	bool announced = entry->announced;

	hashmap_remove(table->entries, &inode);
	if (!announced)
		return;
	hashmap_remove(table->by_nsid, &ref.nsid);
	announce(table, &ref, NETNS_REMOVED);
}

/* --- a number for a namespace -------------------------------------------------------------- */

struct number_job {
	struct netns_table *table;
	struct netns_ref ref;
	int result;
};

static int assign_number(struct netns_ref *ref)
{
	_cleanup_(rtnl_close_p) struct nl_sock *sock = NULL;
	/* Just seen there. A hint may come for each process that runs where we cannot see. */
	_cleanup_close_ int fd = netns_open_known(ref);
	int r;

	if (fd < 0)
		return fd;
	r = rtnl_open(&sock);
	if (r < 0)
		return r;
	return netns_assign_nsid(sock, fd, &ref->nsid);
}

static void number_run(void *arg)
{
	struct number_job *job = arg;

	job->result = assign_number(&job->ref);
}

static void number_take(struct netns_table *table, const struct number_job *job)
{
	struct entry *entry = hashmap_get(table->entries, &job->ref.inode);
	const uint64_t *stale;
	uint64_t *inode;

	if (!entry || entry->announced)
		return;
	/* The kernel gives a number to one namespace at a time: who had it before is gone, and the
	 * notice is still on its way. */
	stale = job->result < 0 ? NULL : hashmap_get(table->by_nsid, &job->ref.nsid);
	if (stale)
		forget(table, *stale);
	inode = job->result < 0 ? NULL : hashmap_put(table->by_nsid, &job->ref.nsid, NULL);
	if (!inode) {
		table->stats.unreachable++;
		table->stats.refused += job->result == -EPERM || job->result == -EACCES;
		hashmap_remove(table->entries, &job->ref.inode);
		return;
	}
	*inode = job->ref.inode;
	entry = hashmap_get(table->entries, &job->ref.inode);
	entry->ref.nsid = job->ref.nsid;
	entry->announced = true;
	announce(table, &entry->ref, NETNS_ADDED);
}

static void number_done(void *arg)
{
	struct number_job *job = arg;

	if (!job->table->closed)
		number_take(job->table, job);
	table_unref(job->table);
	free(job);
}

static int ask_number(struct netns_table *table, const struct netns_ref *ref)
{
	_cleanup_free_ struct number_job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	*job = (struct number_job){ .table = table, .ref = *ref };
	r = work_run(table->work, WORK_LANE_FILES, number_run, number_done, job);
	if (r < 0)
		return r;
	table->references++;
	TAKE(job);
	return 0;
}

static void add(struct netns_table *table, const struct netns_ref *seen)
{
	struct entry *entry = hashmap_put(table->entries, &seen->inode, NULL);

	if (!entry) {
		table->stats.lost++;
		return;
	}
	entry->ref = *seen;
	if (ask_number(table, seen) < 0) {
		hashmap_remove(table->entries, &seen->inode);
		table->stats.unreachable++;
	}
}

/* --- scans --------------------------------------------------------------------------------- */

struct scan_job {
	struct netns_table *table;
	enum scan scan;
	struct hashmap *all;
	uint64_t denied, took_us;
	int32_t own_nsid; /* others may number our own, too */
	int result;
};

static int32_t own_number(void)
{
	_cleanup_(rtnl_close_p) struct nl_sock *sock = NULL;
	_cleanup_close_ int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int32_t nsid = NETNS_NSID_NONE;

	if (fd >= 0 && rtnl_open(&sock) == 0)
		netns_nsid(sock, fd, &nsid);
	return nsid;
}

static void scan_run(void *arg)
{
	struct scan_job *job = arg;
	uint64_t start = now_ns(CLOCK_MONOTONIC);

	job->own_nsid = own_number();
	job->result = netns_scan(job->scan == SCAN_ALL, &job->all, &job->denied);
	job->took_us = (now_ns(CLOCK_MONOTONIC) - start) / NSEC_PER_USEC;
}

static void take_seen(struct netns_table *table, const struct netns_ref *seen)
{
	struct entry *entry = hashmap_get(table->entries, &seen->inode);

	if (!entry) {
		add(table, seen);
		return;
	}
	if (seen->pid)
		entry->ref.pid = seen->pid;
	if (streq(entry->ref.path, seen->path))
		return;
	strcpy(entry->ref.path, seen->path);
	if (entry->announced)
		announce(table, &entry->ref, NETNS_NAMED);
}

static void take_own_number(struct netns_table *table, int32_t nsid)
{
	struct entry *own = hashmap_get(table->entries, &table->own);
	uint64_t *inode;

	if (nsid == NETNS_NSID_NONE || nsid == own->ref.nsid)
		return;
	inode = hashmap_put(table->by_nsid, &nsid, NULL);
	if (!inode)
		return;
	*inode = table->own;
	own->ref.nsid = nsid;
}

static uint64_t now_us(void)
{
	return now_ns(CLOCK_MONOTONIC) / NSEC_PER_USEC;
}

static void arm_timer(struct netns_table *table)
{
	sd_event_source_set_time(table->timer, MIN(table->due[SCAN_MOUNTS], table->due[SCAN_ALL]));
	sd_event_source_set_enabled(table->timer, SD_EVENT_ONESHOT);
}

/* During a scan, too: it may have passed already what is to be looked at. */
static void want_scan(struct netns_table *table, enum scan scan)
{
	uint64_t soonest = MAX(now_us(), table->not_before[scan]);

	table->due[scan] = MIN(table->due[scan], soonest);
	if (!table->scanning)
		arm_timer(table);
}

static void scan_take(struct netns_table *table, const struct scan_job *job)
{
	const struct netns_ref *seen;
	const uint64_t *inode;
	uint64_t pause = MAX(SCAN_PAUSE_MIN, job->took_us * SCAN_PAUSE_FACTOR);

	table->scanning = false;
	table->not_before[job->scan] = now_us() + pause;
	table->due[job->scan] = MAX(table->due[job->scan], table->not_before[job->scan]);
	arm_timer(table);
	if (job->result < 0)
		return;
	if (job->scan == SCAN_ALL)
		table->stats.denied = job->denied;
	take_own_number(table, job->own_nsid);
	HASHMAP_FOREACH(job->all, pos, inode, seen)
		take_seen(table, seen);
}

static void scan_done(void *arg)
{
	struct scan_job *job = arg;

	if (!job->table->closed)
		scan_take(job->table, job);
	table_unref(job->table);
	hashmap_free(job->all);
	free(job);
}

static int start_scan(struct netns_table *table, enum scan scan)
{
	_cleanup_free_ struct scan_job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	job->table = table;
	job->scan = scan;
	r = work_run(table->work, WORK_LANE_FILES, scan_run, scan_done, job);
	if (r < 0)
		return r;
	table->references++;
	table->scanning = true;
	TAKE(job);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct netns_table *table = userdata;
	enum scan scan = table->due[SCAN_MOUNTS] <= usec ? SCAN_MOUNTS : SCAN_ALL;

	table->due[scan] = scan == SCAN_ALL ? now_us() + SCAN_INTERVAL : UINT64_MAX;
	if (start_scan(table, scan) < 0) {
		table->due[SCAN_ALL] = now_us() + SCAN_INTERVAL;
		arm_timer(table);
	}
	return 0;
}

void netns_rescan(struct netns_table *table)
{
	if (!table->foreign)
		return;
	want_scan(table, SCAN_MOUNTS);
	want_scan(table, SCAN_ALL);
}

static int on_mounts(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	netns_rescan(userdata);
	return 0;
}

/* --- what others tell ---------------------------------------------------------------------- */

void netns_hint(struct netns_table *table, pid_t pid, uint64_t inode)
{
	struct netns_ref seen = { .inode = inode, .nsid = NETNS_NSID_NONE, .pid = pid };
	struct entry *entry;

	if (!table->foreign)
		return;
	entry = hashmap_get(table->entries, &inode);
	if (!entry)
		add(table, &seen);
	else if (entry->ref.pid == 0)
		entry->ref.pid = pid;
}

void netns_on_nsid(struct netns_table *table, int32_t nsid, bool gone)
{
	const uint64_t *inode = hashmap_get(table->by_nsid, &nsid);

	if (gone && inode && *inode != table->own)
		forget(table, *inode);
	/* A new number means a namespace that somebody just connected with ours. One that went may
	 * have left its inode number to a successor that a scan has taken for it. */
	if (gone || !inode)
		netns_rescan(table);
}

/* --- life and questions -------------------------------------------------------------------- */

/* poll(2) on the mount table says that it changed: proc_pid_mountinfo(5). */
static int watch(struct netns_table *table)
{
	int r;

	table->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (table->mounts_fd < 0)
		return -errno;
	r = sd_event_add_io(table->event, &table->mounts, table->mounts_fd, EPOLLPRI, on_mounts,
			    table);
	if (r < 0)
		return r;
	return sd_event_add_time_relative(table->event, &table->timer, CLOCK_MONOTONIC, 0, 0,
					  on_timer, table);
}

static int add_own(struct netns_table *table)
{
	struct entry *entry;
	int r;

	r = netns_own_inode(&table->own);
	if (r < 0)
		return r;
	entry = hashmap_put(table->entries, &table->own, NULL);
	if (!entry)
		return -ENOMEM;
	entry->ref = (struct netns_ref){ .inode = table->own, .nsid = NETNS_NSID_NONE };
	entry->announced = true;
	return 0;
}

int netns_new(sd_event *event, struct work *work, bool foreign, const struct netns_handler *handler,
	      struct netns_table **ret)
{
	_cleanup_(netns_free_p) struct netns_table *table = calloc(1, sizeof(*table));
	int r;

	if (!table)
		return -ENOMEM;
	*table = (struct netns_table){ .event = event,
				       .work = work,
				       .handler = *handler,
				       .foreign = foreign,
				       .mounts_fd = -EBADF,
				       .references = 1 };
	r = hashmap_new(sizeof(uint64_t), sizeof(struct entry), NETNS_MAX, &table->entries);
	if (r < 0)
		return r;
	r = hashmap_new(sizeof(int32_t), sizeof(uint64_t), NETNS_MAX, &table->by_nsid);
	if (r < 0)
		return r;
	r = add_own(table);
	if (r < 0)
		return r;
	if (foreign) {
		r = watch(table);
		if (r < 0)
			return r;
	}
	*ret = TAKE(table);
	return 0;
}

struct netns_table *netns_free(struct netns_table *table)
{
	if (!table)
		return NULL;
	table->closed = true;
	table->mounts = sd_event_source_disable_unref(table->mounts);
	table->timer = sd_event_source_disable_unref(table->timer);
	table->mounts_fd = close_fd(table->mounts_fd);
	return table_unref(table);
}

uint64_t netns_own(const struct netns_table *table)
{
	return table->own;
}

const struct netns_ref *netns_get(const struct netns_table *table, uint64_t inode)
{
	const struct entry *entry = hashmap_get(table->entries, &inode);

	return entry && entry->announced ? &entry->ref : NULL;
}

const struct netns_ref *netns_by_nsid(const struct netns_table *table, int32_t nsid)
{
	const uint64_t *inode = hashmap_get(table->by_nsid, &nsid);

	return inode ? netns_get(table, *inode) : NULL;
}

const char *netns_name(const struct netns_ref *ns)
{
	const char *slash = strrchr(ns->path, '/');

	return slash ? slash + 1 : "";
}

bool netns_matches(const struct netns_ref *ns, const char *text)
{
	struct stat st;
	uint64_t own;
	char *end;

	if (streq(text, "all"))
		return true;
	if (streq(text, "default"))
		return netns_own_inode(&own) == 0 && own == ns->inode;
	if (text[0] == '/')
		return stat(text, &st) == 0 && st.st_ino == ns->inode;
	if (strtoull(text, &end, 10) == ns->inode && *end == '\0')
		return true;
	return text[0] && streq(text, netns_name(ns));
}

struct netns_stats netns_stats(const struct netns_table *table)
{
	return table->stats;
}
