/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The flows collector: TC programs on interfaces (bpf/flows.bpf.c), drained once per step or when
 * somebody asks. Draining waits for the kernel on a worker; what came out is turned into records
 * (flows/emit.c) in slices, so that a hundred thousand flows do not hold up the loop.
 */
#define LOG_COMPONENT "flows"
#include "collect/collect.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/util.h"
#include "base/work.h"
#include "bpf/wire/flows.h"

#include "bpf/flows.skel.h"
#include "collect/flows/flows-internal.h"
#include "collect/shared/scope-maps.h"
#include "collect/shared/sockets.h"

#define SLICE 1000 /* records per turn of the loop: 2 to 5 ms */
#define OVERFLOW_PER_STEP 1000 /* packets that may go through the ring when the table is full */
#define CAP_LEAST 64
#define FLOWS_PER_DROP 4 /* few flows have drops: a place for one in so many */
#define DROPS_LEAST 1024 /* places; 300 bytes each, in two tables */
#define AUDIT_STEPS 12 /* between two looks for filters before ours: a minute, as a rule */

/* What one flow of a step takes at the worst: an element of the table (48 + 40 + 160), its copy while
 * a drain is under way (200), and its connection in a table between three eighths and three quarters
 * full (136 / 0.375). */
#define BYTES_PER_FLOW (248 + 200 + 363)

/* --- interfaces ------------------------------------------------------------------------------ */

static int on_prepare(void *userdata, const struct interface *interface,
		      int ret_programs[TC_DIRECTIONS])
{
	struct collector *c = userdata;
	const struct netns_ref *ns =
		netns_get(links_netns(interfaces_links(c->interfaces)), interface->link.netns);
	int r;

	r = slots_prepare(c->slots, interface, ret_programs);
	if (r < 0)
		return r;
	c->notes[interface->slot] = (struct slot_note){ .phase = PHASE_COUNTING };
	if (ns)
		sockets_on_netns(c->env.sockets, ns);
	return 0;
}

static int on_count(void *userdata, uint16_t slot, enum tc_direction direction,
		    struct flow_count *ret)
{
	struct collector *c = userdata;

	return slots_count(c->slots, slot, direction, ret);
}

static void on_changed(void *userdata, const struct interface *interface)
{
	struct collector *c = userdata;
	struct slot_note *note = &c->notes[interface->slot];

	if (interface->state != INTERFACE_REMOVED || note->phase != PHASE_COUNTING)
		return;
	slots_on_removed(c->slots, interface);
	note->phase = PHASE_REMOVED;
	note->removed_epoch = c->skel->bss->settings.epoch;
}

static const struct interfaces_ops interfaces_ops = {
	.prepare = on_prepare,
	.count = on_count,
	.changed = on_changed,
};

/* --- draining -------------------------------------------------------------------------------- */

static void observe_duration(struct collector *c, double seconds)
{
	const struct metric_family *family = &metric_families[METRIC_COLLECTION_DURATION];
	size_t i = 0;

	while (i < family->n_bounds && seconds > family->bounds[i])
		i++;
	if (i < ARRAY_SIZE(c->duration_counts))
		c->duration_counts[i]++;
	c->duration_sum += seconds;
	c->duration_count++;
}

static void drain_finish(struct collector *c, int r)
{
	void (*done)(void *userdata, int r) = c->done;

	if (r < 0) {
		c->errors++;
		log_warning_limited("cannot read the flow table: %s", strerror(-r));
	}
	flows_drain_clear(&c->drain);
	c->draining = false;
	c->done = NULL;
	if (done)
		done(c->done_userdata, r);
}

static int on_slice(sd_event_source *source, void *userdata)
{
	struct collector *c = userdata;
	size_t end = MIN(c->emitted + SLICE, c->drain.n_flows);
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	for (; c->emitted < end; c->emitted++)
		flows_emit_flow(c, &c->drain.flows[c->emitted], now);
	if (c->emitted < c->drain.n_flows)
		return 0;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	flows_emit_rest(c);
	drain_finish(c, 0);
	return 0;
}

static void on_drained(void *userdata)
{
	struct collector *c =
		(struct collector *)((char *)userdata - offsetof(struct collector, drain));

	if (c->drain.r < 0) {
		drain_finish(c, c->drain.r);
		return;
	}
	observe_duration(c, c->drain.seconds);
	c->sockets_complete = sockets_complete(c->env.sockets);
	c->flows_last = c->drain.n_flows;
	c->emitted = 0;
	c->batch = 0;
	sd_event_source_set_enabled(c->slice, SD_EVENT_ON);
}

/* Writes down what the worker is to read. */
static int drain_prepare(struct collector *c)
{
	const struct wire_untracked_key *keys;
	size_t n, pos = 0;
	const struct interface *interface;

	keys = slots_untracked_keys(c->slots, &n);
	c->drain.untracked_keys = calloc(n + 1, sizeof(*keys));
	c->drain.slots = calloc(FLOWS_INTERFACES_MAX + 1, sizeof(*c->drain.slots));
	if (!c->drain.untracked_keys || !c->drain.slots)
		return -ENOMEM;
	if (n)
		memcpy(c->drain.untracked_keys, keys, n * sizeof(*keys));
	c->drain.n_untracked = n;
	while ((interface = interfaces_next(c->interfaces, &pos)))
		if (interface->slot <= FLOWS_INTERFACES_MAX &&
		    c->notes[interface->slot].phase != PHASE_NONE)
			c->drain.slots[c->drain.n_slots++] = interface->slot;
	return 0;
}

/* Nobody tells when somebody else's filter comes before ours, or when what refused us has gone. */
static void audit(struct collector *c)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (now - c->audited_ns < AUDIT_STEPS * c->options->interval)
		return;
	c->audited_ns = now;
	interfaces_audit(c->interfaces);
}

static void flows_drain(struct collector *c, void (*done)(void *userdata, int r), void *userdata)
{
	int r;

	if (!c->skel || c->draining) {
		done(userdata, c->draining ? -EBUSY : 0);
		return;
	}
	audit(c);
	c->draining = true;
	c->done = done;
	c->done_userdata = userdata;
	r = drain_prepare(c);
	if (r >= 0)
		r = work_run(c->env.work, WORK_LANE_BPF, flows_drain_run, on_drained, &c->drain);
	if (r < 0)
		drain_finish(c, r);
}

/* Flows per step that fit into so many bytes. */
static uint64_t affordable_flows(const struct collector *c, uint64_t bytes)
{
	uint64_t affordable = MAX(bytes / BYTES_PER_FLOW, (uint64_t)CAP_LEAST);

	return MIN(affordable, (uint64_t)c->options->max_flows);
}

/* --- start and stop -------------------------------------------------------------------------- */

static int load(struct collector *c)
{
	int r;

	c->skel = flows_bpf__open();
	if (!c->skel)
		return -errno;
	/* The cap at the start is the largest that there will be. */
	bpf_map__set_max_entries(c->skel->maps.flows_even, c->cap);
	bpf_map__set_max_entries(c->skel->maps.flows_odd, c->cap);
	slots_size_maps(c->skel, FLOWS_INTERFACES_MAX);
	r = bpf_env_before_load(c->env.bpf, c->skel->obj);
	if (r < 0)
		return r;
	return bpf_env_after_load(c->env.bpf, c->skel->obj, flows_bpf__load(c->skel));
}

static int set_program(struct collector *c, uint32_t hook, const struct bpf_program *program)
{
	int fd = bpf_program__fd(program);

	return bpf_map_update_elem(bpf_map__fd(c->skel->maps.programs), &hook, &fd, BPF_ANY) < 0
		       ? -errno
		       : 0;
}

static int configure(struct collector *c)
{
	struct wire_flows_settings *settings =
		(struct wire_flows_settings *)&c->skel->bss->settings;
	int r;

	settings->protocols = c->options->protocols;
	settings->inner = c->options->inner;
	settings->scope_by_owner = c->env.scope && (scope_wants_cgroups(c->env.scope) ||
						    c->env.scope->n_pids || c->env.scope->n_exes);
	settings->overflow_left = OVERFLOW_PER_STEP;
	settings->cap = c->cap;
	r = set_program(c, WIRE_INGRESS, c->skel->progs.flows_ingress);
	if (r >= 0)
		r = set_program(c, WIRE_EGRESS, c->skel->progs.flows_egress);
	if (r < 0)
		return r;
	c->drain.skel = c->skel;
	c->drain.overflow_per_step = OVERFLOW_PER_STEP;
	r = grace_init(&c->drain.grace, c->skel->maps.grace);
	if (r < 0)
		return r;
	c->drain.overflow = ring_buffer__new(bpf_map__fd(c->skel->maps.overflow),
					     flows_drain_on_overflow, &c->drain, NULL);
	return c->drain.overflow ? 0 : -errno;
}

/* Without it everything else goes on. */
static void observe_drops(struct collector *c)
{
	const struct drops_config config = {
		.flows = c->skel,
		.env = c->env.bpf,
		.max = MAX(c->cap / FLOWS_PER_DROP, (uint64_t)DROPS_LEAST),
		.protocols = c->skel->bss->settings.protocols,
		.inner = c->skel->bss->settings.inner,
		.scope_by_owner = c->skel->bss->settings.scope_by_owner,
	};

	if (drops_new(&config, c->drops_reason, &c->drops) >= 0)
		c->drain.drops = c->drops;
}

/* Whoever forces a rung wants to know that it is refused, and no count by another. */
static int obey_hooks(struct collector *c)
{
	const char *refusal = sockets_refusal(c->env.sockets);

	if (!refusal)
		return 0;
	snprintf(c->off_reason, sizeof(c->off_reason), "%s", refusal);
	return -EOPNOTSUPP;
}

static int observe_interfaces(struct collector *c)
{
	const struct interfaces_config config = {
		.names = &c->options->interfaces,
		.netns = &c->options->netns,
		.scope = c->env.scope,
		.attach = c->options->attach,
		.runtime_dir = c->env.runtime_dir,
		.max = FLOWS_INTERFACES_MAX,
	};
	int r = interfaces_new(c->env.event, c->env.work, &config, &interfaces_ops, c,
			       &c->interfaces);

	if (r < 0)
		snprintf(c->off_reason, sizeof(c->off_reason),
			 "cannot hear of interfaces (rtnetlink): %s", strerror(-r));
	return r;
}

static void unload(struct collector *c)
{
	c->drops = drops_free(c->drops);
	c->drain.drops = NULL;
	ring_buffer__free(TAKE(c->drain.overflow));
	grace_done(&c->drain.grace);
	flows_bpf__destroy(TAKE(c->skel));
}

/* Unless the step that failed has said why. */
static void explain_refusal(struct collector *c, int r)
{
	const char *message = bpf_env_message(c->env.bpf);

	if (c->off_reason[0] != '\0')
		return;
	if (r == -EPERM || r == -EACCES)
		snprintf(c->off_reason, sizeof(c->off_reason),
			 "the kernel refused the TC programs (%s): run as root or with CAP_BPF, "
			 "CAP_PERFMON and CAP_NET_ADMIN (before 5.8 CAP_SYS_ADMIN)%s%s",
			 strerror(-r), message[0] ? "; libbpf says: " : "", message);
	else
		snprintf(c->off_reason, sizeof(c->off_reason),
			 "cannot load the TC programs: %s%s%s", strerror(-r),
			 message[0] ? "; libbpf says: " : "", message);
}

static int bring_up(struct collector *c)
{
	int r;

	r = load(c);
	if (r >= 0)
		r = configure(c);
	if (r >= 0)
		r = obey_hooks(c);
	if (r >= 0)
		r = slots_new(c->skel, FLOWS_INTERFACES_MAX, &c->slots);
	if (r >= 0 && c->options->connection_tracking)
		r = connections_new(c->options->max_flows, &c->connections);
	if (r >= 0)
		r = sd_event_add_defer(c->env.event, &c->slice, on_slice, c);
	if (r >= 0)
		r = sd_event_source_set_enabled(c->slice, SD_EVENT_OFF);
	if (r < 0)
		return r;
	observe_drops(c);
	return observe_interfaces(c);
}

static int flows_start(const struct collect_env *env, const void *options, struct collector **ret)
{
	struct collector *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->env = *env;
	c->options = options;
	c->drain.grace.inner_fd = -EBADF;
	c->cap = affordable_flows(c, env->budget);
	c->audited_ns = now_ns(CLOCK_MONOTONIC); /* attaching looks, too */
	r = bring_up(c);
	if (r == -ENOMEM) {
		unload(c);
		free(c);
		return r;
	}
	if (r < 0) {
		explain_refusal(c, r);
		unload(c);
	}
	*ret = c;
	return 0;
}

static void flows_stop(struct collector *c)
{
	if (!c)
		return;
	sd_event_source_disable_unref(c->slice);
	interfaces_free(c->interfaces);
	slots_free(c->slots);
	connections_free(c->connections);
	flows_drain_done(&c->drain);
	unload(c);
	free(c);
}

/* --- in use ---------------------------------------------------------------------------------- */

static void flows_budget(struct collector *c, uint64_t bytes)
{
	c->cap = affordable_flows(c, bytes);
	if (c->skel)
		c->skel->bss->settings.cap = c->cap;
	if (c->connections)
		connections_set_limit(c->connections, c->cap);
}

static void flows_on_process(struct collector *c, pid_t pid, uint64_t netns)
{
	if (c->interfaces)
		netns_hint(links_netns(interfaces_links(c->interfaces)), pid, netns);
}

const struct collect_ops collect_flows = {
	.name = "flows",
	.options = &flows_options_group,
	.start = flows_start,
	.drain = flows_drain,
	.stop = flows_stop,
	.status = flows_status,
	.account = flows_account,
	.losses = flows_losses,
	.metrics = flows_metrics,
	.bpf_bytes = flows_bpf_bytes,
	.budget = flows_budget,
	.on_process = flows_on_process,
	.cleanup = interfaces_cleanup,
};
