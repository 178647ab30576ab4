/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A slot goes through: free, attaching (a job is under way), attached or failed, leaving (the link
 * is gone, a job may still be under way), removed (the owner drains), free. Jobs are run by
 * attach.c on the worker; each holds a reference, so that interfaces_free() need not wait.
 */
#include "collect/shared/interfaces.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hashmap.h"
#include "base/util.h"
#include "base/work.h"
#include "collect/shared/attach.h"
#include "collect/shared/pace.h"
#include "collect/shared/select.h"
#include "collect/shared/tc-record.h"

#define NAMED_IN_STATUS 3 /* interfaces of each kind of trouble that status spells out */

struct slot {
	struct interface interface;
	struct netns_ref ns;
	struct attached attached;
	bool busy; /* a job has it */
	bool leaving; /* the link is gone, or not wanted any more */
	bool gone; /* the link itself is gone, and its filters with it */
	bool vanished; /* it went before we had bracketed it; counted says what we have seen */
	struct link_counter counted[TC_DIRECTIONS];
};

struct interfaces {
	struct work *work;
	struct interfaces_config config;
	char *runtime_dir; /* our own copy: jobs read it after interfaces_free() */
	struct interfaces_ops ops;
	void *userdata;
	struct links *links;
	struct hashmap *by_link; /* struct link_key to slot number, of those not removed */
	struct slot *slots[INTERFACES_MAX + 1];
	uint16_t last_slot; /* given out last; the search goes on from there */
	uint64_t lost;
	uint64_t gone[SCOPE_VALUES_MAX]; /* inodes of the scope that mean nobody any more */
	size_t n_gone;
	struct pace pace;
	bool tcx_beside; /* others have TCX programs on this host */
	unsigned references; /* the owner and each job under way */
	pthread_mutex_t lock; /* guards closed, and every call of ops.count() */
	bool closed;
};

static struct interfaces *unref(struct interfaces *interfaces)
{
	if (--interfaces->references > 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(interfaces->slots); i++)
		free(interfaces->slots[i]);
	free(interfaces->runtime_dir);
	hashmap_free(interfaces->by_link);
	pthread_mutex_destroy(&interfaces->lock);
	free(interfaces);
	return NULL;
}

static void tell(struct interfaces *interfaces, const struct slot *slot)
{
	interfaces->ops.changed(interfaces->userdata, &slot->interface);
}

static struct link_key key_of(const struct link *link)
{
	return (struct link_key){ .netns = link->netns, .ifindex = link->ifindex };
}

static void open_wanted(struct interfaces *interfaces, const struct link_key *key);

static struct slot *find_slot(const struct interfaces *interfaces, const struct link *link)
{
	struct link_key key = key_of(link);
	const uint16_t *number = hashmap_get(interfaces->by_link, &key);

	return number ? interfaces->slots[*number] : NULL;
}

/* --- detaching ----------------------------------------------------------------------------- */

struct detach_job {
	struct interfaces *interfaces;
	uint16_t slot; /* 0: nobody waits for it */
	struct netns_ref ns;
	int ifindex;
	bool gone;
	struct attached attached; /* owned */
};

static void detach_run(void *arg)
{
	struct detach_job *job = arg;

	attach_undo(&job->ns, job->ifindex, job->interfaces->runtime_dir, &job->attached,
		    job->gone);
}

/* All that the kernel's last message counts and we do not passed before we were there. */
static void conclude_vanished(struct slot *slot)
{
	struct interface *i = &slot->interface;
	const struct link_counter *last[TC_DIRECTIONS] = { &i->link.rx, &i->link.tx };

	for (int d = 0; d < TC_DIRECTIONS; d++) {
		const struct link_counter *counted = &slot->counted[d];

		i->before[d].packets = last[d]->packets - MIN(last[d]->packets, counted->packets);
		i->before[d].bytes = last[d]->bytes - MIN(last[d]->bytes, counted->bytes);
	}
	i->exact = !streq(i->link.kind, "veth"); /* see struct link: its last rx is not all */
}

static void finish_leaving(struct interfaces *interfaces, struct slot *slot)
{
	struct link_key key = key_of(&slot->interface.link);

	if (slot->vanished && slot->interface.last_known)
		conclude_vanished(slot);
	slot->interface.state = INTERFACE_REMOVED;
	hashmap_remove(interfaces->by_link, &key);
	tell(interfaces, slot);
	open_wanted(interfaces, &key);
}

static void detach_done(void *arg)
{
	struct detach_job *job = arg;

	if (!job->interfaces->closed && job->slot) {
		struct slot *slot = job->interfaces->slots[job->slot];

		slot->busy = false;
		finish_leaving(job->interfaces, slot);
	}
	unref(job->interfaces);
	free(job);
}

static bool is_attached(const struct attached *attached)
{
	return attached->at[TC_INGRESS].mode != TC_AUTO || attached->at[TC_EGRESS].mode != TC_AUTO;
}

/* Hands what hangs in the kernel to a job; -EAGAIN, -ENOMEM: it was done on the spot instead. */
static int detach(struct interfaces *interfaces, struct slot *slot, uint16_t waiting)
{
	struct detach_job *job = calloc(1, sizeof(*job));
	int r = -ENOMEM;

	if (job) {
		*job = (struct detach_job){ .interfaces = interfaces,
					    .slot = waiting,
					    .ns = slot->ns,
					    .ifindex = (int)slot->interface.link.ifindex,
					    .gone = slot->gone,
					    .attached = slot->attached };
		r = work_run(interfaces->work, WORK_LANE_NET, detach_run, detach_done, job);
	}
	if (r < 0) {
		free(job);
		attach_undo(&slot->ns, (int)slot->interface.link.ifindex, interfaces->runtime_dir,
			    &slot->attached, slot->gone);
		return r;
	}
	slot->attached = (struct attached){ .made_clsact = false };
	interfaces->references++;
	return 0;
}

/* The slot's link is gone or not wanted; once nothing of ours hangs there, the owner is told. */
static void leave(struct interfaces *interfaces, struct slot *slot)
{
	slot->leaving = true;
	if (slot->busy) /* attach_done() goes on here */
		return;
	if (is_attached(&slot->attached) && detach(interfaces, slot, slot->interface.slot) == 0) {
		slot->busy = true;
		return;
	}
	finish_leaving(interfaces, slot);
}

static void start_leaving(struct interfaces *interfaces, struct slot *slot, bool gone)
{
	slot->gone = gone;
	leave(interfaces, slot);
}

/* --- attaching ----------------------------------------------------------------------------- */

struct attach_job {
	struct interfaces *interfaces;
	uint16_t slot;
	struct attach_task task;
	int result;
};

/* Worker: the owner's count callback is there only until interfaces_free(). */
static int count_both(void *userdata, struct flow_count ret[TC_DIRECTIONS])
{
	struct attach_job *job = userdata;
	struct interfaces *interfaces = job->interfaces;
	int r = 0;

	pthread_mutex_lock(&interfaces->lock);
	for (int i = 0; r == 0 && i < TC_DIRECTIONS; i++)
		r = interfaces->closed
			    ? -ECANCELED
			    : interfaces->ops.count(interfaces->userdata, job->slot, i, &ret[i]);
	pthread_mutex_unlock(&interfaces->lock);
	return r;
}

static void attach_job_run(void *arg)
{
	struct attach_job *job = arg;

	job->result = attach_run(&job->task);
}

static void take_result(struct slot *slot, const struct attach_job *job)
{
	const struct attach_task *task = &job->task;
	struct interface *interface = &slot->interface;

	slot->attached = task->attached;
	memcpy(interface->reason, task->reason, sizeof(interface->reason));
	if (job->result < 0) {
		interface->state = INTERFACE_FAILED;
		slot->vanished = task->vanished;
		memcpy(slot->counted, task->counted, sizeof(slot->counted));
		return;
	}
	interface->state = INTERFACE_ATTACHED;
	interface->mode = task->attached.at[TC_INGRESS].mode;
	interface->exact = task->bracket.exact;
	for (int i = 0; i < TC_DIRECTIONS; i++) {
		interface->units[i] = task->units[i];
		interface->before[i] = task->bracket.before[i];
		interface->slack[i] = task->bracket.slack[i];
	}
}

/* Links if the kernel has them, unless they come too fast for that. */
static enum tc_mode choose_mode(struct interfaces *interfaces)
{
	if (interfaces->config.attach != TC_AUTO || interfaces->tcx_beside)
		return interfaces->config.attach;
	return pace_next(&interfaces->pace, now_ns(CLOCK_MONOTONIC));
}

/* The TCX programs of others run before a filter and may end the chain: true if we are to leave,
 * and come again as one of them. */
static bool take_neighbours(struct interfaces *interfaces, struct slot *slot,
			    const struct neighbours *neighbours)
{
	memcpy(slot->interface.foreign, neighbours->before, sizeof(neighbours->before));
	if (!neighbours->tcx)
		return false;
	interfaces->tcx_beside = true;
	return slot->interface.mode == TC_CLSACT && interfaces->config.attach == TC_AUTO;
}

static void attach_take(struct interfaces *interfaces, struct slot *slot,
			const struct attach_job *job)
{
	if (slot->leaving)
		leave(interfaces, slot);
	else if (job->result == 0 && take_neighbours(interfaces, slot, &job->task.neighbours))
		start_leaving(interfaces, slot, /* gone= */ false);
	else
		tell(interfaces, slot);
}

static void attach_done(void *arg)
{
	struct attach_job *job = arg;
	struct interfaces *interfaces = job->interfaces;
	struct slot *slot = interfaces->slots[job->slot];

	slot->busy = false;
	take_result(slot, job);
	if (!interfaces->closed)
		attach_take(interfaces, slot, job);
	else if (is_attached(&slot->attached))
		detach(interfaces, slot, 0);
	unref(interfaces);
	free(job);
}

static void fail(struct interfaces *interfaces, struct slot *slot, const char *why)
{
	slot->interface.state = INTERFACE_FAILED;
	snprintf(slot->interface.reason, sizeof(slot->interface.reason), "%s", why);
	tell(interfaces, slot);
}

static int queue_attach(struct interfaces *interfaces, struct slot *slot,
			const int programs[TC_DIRECTIONS])
{
	struct attach_job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	*job = (struct attach_job){
		.interfaces = interfaces,
		.slot = slot->interface.slot,
		.task = { .ns = slot->ns,
			  .link = slot->interface.link,
			  .mode = choose_mode(interfaces),
			  .runtime_dir = interfaces->runtime_dir,
			  .programs = { programs[TC_INGRESS], programs[TC_EGRESS] },
			  .count = count_both,
			  .userdata = job },
	};
	r = work_run(interfaces->work, WORK_LANE_NET, attach_job_run, attach_done, job);
	if (r < 0) {
		free(job);
		return r;
	}
	interfaces->references++;
	slot->busy = true;
	return 0;
}

static void start_attach(struct interfaces *interfaces, struct slot *slot)
{
	int programs[TC_DIRECTIONS] = { -EBADF, -EBADF };
	char text[INTERFACE_REASON_LEN];
	int r;

	if (!link_is_supported(slot->interface.link.type)) {
		snprintf(text, sizeof(text), "links of ARPHRD type %u are not understood",
			 slot->interface.link.type);
		fail(interfaces, slot, text);
		return;
	}
	slot->interface.state = INTERFACE_PENDING;
	r = interfaces->ops.prepare(interfaces->userdata, &slot->interface, programs);
	if (r == 0)
		r = queue_attach(interfaces, slot, programs);
	if (r < 0) {
		close_fd(programs[TC_INGRESS]);
		close_fd(programs[TC_EGRESS]);
		snprintf(text, sizeof(text), "its programs could not be made: %s", strerror(-r));
		fail(interfaces, slot, text);
	}
}

/* --- slots --------------------------------------------------------------------------------- */

/* Numbers are given out in turn, so that one that was just released rests the longest. */
static uint16_t free_number(const struct interfaces *interfaces)
{
	unsigned max = interfaces->config.max;

	for (unsigned i = 0; i < max; i++) {
		unsigned number = (interfaces->last_slot + i) % max + 1;

		if (!interfaces->slots[number])
			return (uint16_t)number;
	}
	return 0;
}

static struct slot *new_slot(struct interfaces *interfaces, const struct link *link)
{
	uint16_t number = free_number(interfaces), *by_link;
	struct link_key key = key_of(link);
	struct slot *slot;

	if (number == 0)
		return NULL;
	slot = calloc(1, sizeof(*slot));
	if (!slot)
		return NULL;
	by_link = hashmap_put(interfaces->by_link, &key, NULL);
	if (!by_link) {
		free(slot);
		return NULL;
	}
	*by_link = number;
	interfaces->slots[number] = slot;
	interfaces->last_slot = number;
	slot->interface =
		(struct interface){ .slot = number, .link = *link, .l3 = link_is_l3(link->type) };
	return slot;
}

static void open_slot(struct interfaces *interfaces, const struct link *link)
{
	const struct netns_ref *ns = netns_get(links_netns(interfaces->links), link->netns);
	struct slot *slot;

	if (!ns)
		return;
	slot = new_slot(interfaces, link);
	if (!slot) {
		interfaces->lost++;
		return;
	}
	slot->ns = *ns;
	start_attach(interfaces, slot);
}

static void open_wanted(struct interfaces *interfaces, const struct link_key *key)
{
	const struct link *link = links_get(interfaces->links, key->netns, (uint32_t)key->ifindex);

	if (link && select_interface(interfaces->config.names, link->name))
		open_slot(interfaces, link);
}

static void on_link_changed(struct interfaces *interfaces, const struct link *link)
{
	struct slot *slot = find_slot(interfaces, link);
	bool wanted = select_interface(interfaces->config.names, link->name);

	if (!slot) {
		if (wanted)
			open_slot(interfaces, link);
		return;
	}
	if (slot->leaving) /* finish_leaving() looks again */
		return;
	slot->interface.link = *link;
	if (wanted)
		tell(interfaces, slot);
	else
		start_leaving(interfaces, slot, false);
}

static void on_link(void *userdata, const struct link *link, enum link_change change,
		    bool last_known)
{
	struct interfaces *interfaces = userdata;
	struct slot *slot;

	if (change != LINK_REMOVED) {
		on_link_changed(interfaces, link);
		return;
	}
	slot = find_slot(interfaces, link);
	if (!slot || slot->leaving)
		return;
	slot->interface.link = *link;
	slot->interface.last_known = last_known;
	start_leaving(interfaces, slot, /* gone= */ true);
}

static bool is_gone(const struct interfaces *interfaces, uint64_t inode)
{
	for (size_t i = 0; i < interfaces->n_gone; i++)
		if (interfaces->gone[i] == inode)
			return true;
	return false;
}

static bool on_wants(void *userdata, const struct netns_ref *ns)
{
	struct interfaces *interfaces = userdata;

	return !is_gone(interfaces, ns->inode) &&
	       select_netns(interfaces->config.netns, interfaces->config.scope, ns);
}

/* The kernel gives its inode number to the next one, which the user has not chosen. */
static void on_netns_gone(void *userdata, uint64_t inode)
{
	struct interfaces *interfaces = userdata;

	if (select_in_scope(interfaces->config.scope, inode) && !is_gone(interfaces, inode))
		interfaces->gone[interfaces->n_gone++] = inode;
}

/* --- audit --------------------------------------------------------------------------------- */

struct audit_job {
	struct interfaces *interfaces;
	uint16_t slot;
	struct netns_ref ns;
	struct attached attached; /* borrowed: the slot is busy meanwhile */
	struct neighbours neighbours;
	int result;
};

static void audit_run(void *arg)
{
	struct audit_job *job = arg;

	job->result = attach_audit(&job->ns, &job->attached, &job->neighbours);
}

static void audit_take(struct interfaces *interfaces, struct slot *slot,
		       const struct audit_job *job)
{
	bool same = streq(slot->interface.foreign, job->neighbours.before);

	if (slot->leaving)
		leave(interfaces, slot);
	else if (job->result < 0)
		return;
	else if (take_neighbours(interfaces, slot, &job->neighbours))
		start_leaving(interfaces, slot, /* gone= */ false);
	else if (!same)
		tell(interfaces, slot);
}

static void audit_done(void *arg)
{
	struct audit_job *job = arg;
	struct interfaces *interfaces = job->interfaces;
	struct slot *slot = interfaces->slots[job->slot];

	slot->busy = false;
	if (!interfaces->closed)
		audit_take(interfaces, slot, job);
	else
		detach(interfaces, slot, 0);
	unref(interfaces);
	free(job);
}

static void queue_audit(struct interfaces *interfaces, struct slot *slot)
{
	struct audit_job *job = calloc(1, sizeof(*job));

	if (!job)
		return;
	*job = (struct audit_job){ .interfaces = interfaces,
				   .slot = slot->interface.slot,
				   .ns = slot->ns,
				   .attached = slot->attached };
	if (work_run(interfaces->work, WORK_LANE_NET, audit_run, audit_done, job) < 0) {
		free(job);
		return;
	}
	interfaces->references++;
	slot->busy = true;
}

void interfaces_audit(struct interfaces *interfaces)
{
	for (size_t i = 1; i < ARRAY_SIZE(interfaces->slots); i++) {
		struct slot *slot = interfaces->slots[i];

		if (!slot || slot->busy || slot->leaving)
			continue;
		if (slot->interface.state == INTERFACE_ATTACHED)
			queue_audit(interfaces, slot);
		else if (slot->interface.state == INTERFACE_FAILED)
			start_attach(interfaces, slot);
	}
}

/* --- life and questions -------------------------------------------------------------------- */

int interfaces_new(sd_event *event, struct work *work, const struct interfaces_config *config,
		   const struct interfaces_ops *ops, void *userdata, struct interfaces **ret)
{
	_cleanup_(interfaces_free_p) struct interfaces *interfaces = calloc(1, sizeof(*interfaces));
	struct links_handler handler = { on_wants, on_netns_gone, on_link, interfaces };
	int r;

	if (!interfaces)
		return -ENOMEM;
	pthread_mutex_init(&interfaces->lock, NULL);
	interfaces->work = work;
	interfaces->config = *config;
	interfaces->config.max = MIN(config->max, (unsigned)INTERFACES_MAX);
	interfaces->ops = *ops;
	interfaces->userdata = userdata;
	interfaces->references = 1;
	interfaces->runtime_dir = strdup(config->runtime_dir);
	if (!interfaces->runtime_dir)
		return -ENOMEM;
	r = hashmap_new(sizeof(struct link_key), sizeof(uint16_t), INTERFACES_MAX,
			&interfaces->by_link);
	if (r < 0)
		return r;
	r = links_new(event, work, select_foreign(config->netns, config->scope), &handler,
		      &interfaces->links);
	if (r < 0)
		return r;
	*ret = TAKE(interfaces);
	return 0;
}

struct interfaces *interfaces_free(struct interfaces *interfaces)
{
	if (!interfaces)
		return NULL;
	pthread_mutex_lock(&interfaces->lock);
	interfaces->closed = true;
	pthread_mutex_unlock(&interfaces->lock);
	for (size_t i = 1; i < ARRAY_SIZE(interfaces->slots); i++) {
		struct slot *slot = interfaces->slots[i];

		/* A busy one is detached when its job is done. */
		if (slot && !slot->busy && is_attached(&slot->attached))
			detach(interfaces, slot, 0);
	}
	interfaces->links = links_free(interfaces->links);
	return unref(interfaces);
}

struct links *interfaces_links(const struct interfaces *interfaces)
{
	return interfaces->links;
}

const struct interface *interfaces_get(const struct interfaces *interfaces, uint16_t slot)
{
	const struct slot *s = slot <= INTERFACES_MAX ? interfaces->slots[slot] : NULL;

	return s ? &s->interface : NULL;
}

const struct interface *interfaces_next(const struct interfaces *interfaces, size_t *pos)
{
	for (size_t i = *pos; i < ARRAY_SIZE(interfaces->slots); i++)
		if (interfaces->slots[i]) {
			*pos = i + 1;
			return &interfaces->slots[i]->interface;
		}
	*pos = ARRAY_SIZE(interfaces->slots);
	return NULL;
}

void interfaces_release(struct interfaces *interfaces, uint16_t slot)
{
	struct slot *s = slot <= INTERFACES_MAX ? interfaces->slots[slot] : NULL;

	if (!s || s->interface.state != INTERFACE_REMOVED)
		return;
	free(s);
	interfaces->slots[slot] = NULL;
}

uint64_t interfaces_lost(const struct interfaces *interfaces)
{
	return interfaces->lost;
}

/* --- status -------------------------------------------------------------------------------- */

static void rung(const struct interfaces *interfaces, struct part_status *status)
{
	bool tcx = false, clsact = false;
	const struct interface *i;
	size_t pos = 0;

	while ((i = interfaces_next(interfaces, &pos))) {
		tcx |= i->state == INTERFACE_ATTACHED && i->mode == TC_TCX;
		clsact |= i->state == INTERFACE_ATTACHED && i->mode == TC_CLSACT;
	}
	snprintf(status->rung, sizeof(status->rung), "%s%s%s", tcx ? "tcx" : "",
		 tcx && clsact ? " + " : "", clsact ? "clsact" : "");
}

static void degrade_by_interfaces(const struct interfaces *interfaces, struct part_status *status)
{
	unsigned failed = 0, missed = 0;
	const struct interface *i;
	size_t pos = 0;

	while ((i = interfaces_next(interfaces, &pos))) {
		if (i->state == INTERFACE_FAILED && failed++ < NAMED_IN_STATUS)
			part_degrade(status, PART_DEGRADED, "%s is not observed: %s", i->link.name,
				     i->reason);
		if (i->state == INTERFACE_ATTACHED && i->foreign[0] && missed++ < NAMED_IN_STATUS)
			part_degrade(status, PART_DEGRADED, "we miss a share on %s: %s",
				     i->link.name, i->foreign);
	}
	if (failed > NAMED_IN_STATUS)
		part_degrade(status, PART_DEGRADED, "%u interfaces in all are not observed",
			     failed);
	if (missed > NAMED_IN_STATUS)
		part_degrade(status, PART_DEGRADED, "we miss a share on %u interfaces in all",
			     missed);
}

void interfaces_status(const struct interfaces *interfaces, struct part_status *status)
{
	struct links_stats links = links_stats(interfaces->links);
	struct netns_stats netns = netns_stats(links_netns(interfaces->links));

	rung(interfaces, status);
	degrade_by_interfaces(interfaces, status);
	if (interfaces->lost > 0 || links.links_lost > 0)
		part_degrade(status, PART_DEGRADED,
			     "%llu interfaces had no place in our tables and are not observed",
			     (unsigned long long)(interfaces->lost + links.links_lost));
	if (netns.lost > 0)
		part_degrade(status, PART_DEGRADED,
			     "%llu network namespaces had no place in our tables",
			     (unsigned long long)netns.lost);
	if (links.foreign_refused)
		part_degrade(
			status, PART_DEGRADED,
			"other network namespaces are not observed: the kernel does not let us "
			"hear of their interfaces, CAP_NET_BROADCAST is missing");
	if (netns.refused > 0)
		part_degrade(status, PART_DEGRADED,
			     "other network namespaces are not observed: the kernel did not let us "
			     "number or open them, CAP_NET_ADMIN or CAP_SYS_ADMIN is missing");
	if (netns.denied > 0 && select_all(interfaces->config.netns, interfaces->config.scope))
		part_degrade(
			status, PART_DEGRADED,
			"the network namespaces of %llu processes may not be read: CAP_SYS_PTRACE "
			"is missing, or a security module forbids it",
			(unsigned long long)netns.denied);
}

int interfaces_cleanup(const char *runtime_dir)
{
	return tc_cleanup(runtime_dir);
}
