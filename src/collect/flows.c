/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The flows collector: TC programs on interfaces (bpf/flows.bpf.c), drained once per step or when
 * somebody asks. Draining waits for the kernel on a worker; what came out is turned into records
 * here in slices, so that a hundred thousand flows do not hold up the loop.
 */
#define LOG_COMPONENT "flows"
#include "collect/collect.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/util.h"
#include "base/work.h"
#include "bpf/wire/flows.h"

#include "bpf/flows.skel.h"
#include "collect/flows/connections.h"
#include "collect/flows/drain.h"
#include "collect/flows/drops.h"
#include "collect/flows/interface-record.h"
#include "collect/flows/options.h"
#include "collect/flows/records.h"
#include "collect/flows/slots.h"
#include "collect/shared/interfaces.h"
#include "collect/shared/scope-maps.h"
#include "collect/shared/sockets.h"
#include "host/inventory.h"

#define INTERFACES_DEFAULT 1024 /* slots; 128 bytes per CPU and epoch each */
#define SLICE 1000 /* records per turn of the loop: 2 to 5 ms */
#define OVERFLOW_PER_STEP 1000 /* packets that may go through the ring when the table is full */
#define CAP_LEAST 64
#define FLOWS_PER_DROP \
	4 /* a place for one in so many: since 6.7 a TCP socket that closes has a drop */
#define DROPS_LEAST 1024 /* places; 300 bytes each, in two tables */
#define AUDIT_STEPS 12 /* between two looks for filters before ours: a minute, as a rule */

/* What one flow of a step takes at the worst: an element of the table (48 + 40 + 160), its copy while
 * a drain is under way (200), and its connection in a table between three eighths and three quarters
 * full (136 / 0.375). */
#define BYTES_PER_FLOW (248 + 200 + 363)

enum slot_phase {
	PHASE_NONE,
	PHASE_COUNTING,
	PHASE_REMOVED, /* one epoch may still hold packets of it */
	PHASE_LAST, /* both epochs will be drained after the next run */
};

struct slot_note {
	uint8_t phase;
	struct before_attach before_attach;
	uint64_t removed_epoch;
};

struct collector {
	struct collect_env env;
	const struct flows_options *options;
	struct flows_bpf *skel; /* NULL: off */
	struct interfaces *interfaces;
	struct slots *slots;
	struct connections *connections; /* NULL: connection_tracking is off */
	struct drops *drops; /* NULL: not seen */
	struct flows_drain drain;
	struct slot_note notes[INTERFACES_DEFAULT + 1];
	uint64_t runs; /* drains finished */
	uint64_t audited_ns; /* CLOCK_MONOTONIC: the interfaces, last */
	uint64_t cap; /* flows per step that the memory limit allows; at most options->max_flows */
	bool cap_felt; /* flows found no room because of it */
	uint64_t flows_last; /* in the last drain: what the table holds at about */
	uint64_t batch; /* records that the last drain emitted */

	sd_event_source *slice; /* emits the rest of a drain */
	size_t emitted; /* of drain.flows */
	bool draining;
	bool sockets_complete; /* a system call: asked once per drain */
	void (*done)(void *userdata, int r);
	void *done_userdata;

	struct accounting account;
	uint64_t lost_table, errors;
	char off_reason[PART_REASON_LEN];
	char drops_reason[PART_REASON_LEN]; /* why drops are not seen */
	/* ebpfobs_collection_duration_seconds */
	uint64_t duration_counts[16];
	double duration_sum;
	uint64_t duration_count;
};

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

/* --- records --------------------------------------------------------------------------------- */

static void emit(struct collector *c, struct record *record)
{
	c->batch++;
	c->env.emit(c->env.userdata, record);
}

static struct record_context context_of(const struct collector *c, const struct wire_flow_key *key)
{
	return (struct record_context){
		.links = interfaces_links(c->interfaces),
		.sockets_complete = c->sockets_complete,
		.netns = slots_netns(c->slots, key->netns),
	};
}

/* The kernel side knows no executables: an owner that is out of scope for his is taken out here.
 * False: no owner is left. */
static bool keep_owners(const struct collector *c, struct flow *flow)
{
	const struct scope *scope = c->env.scope;
	struct process_ref *refs[] = { &flow->local.process, &flow->peer.process };
	bool kept = false;

	if (!scope || scope->n_exes == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(refs); i++) {
		if (refs[i]->pid &&
		    scope_has_exe(scope, inventory_exe(c->env.inventory, refs[i]->pid)))
			kept = true;
		else
			*refs[i] = (struct process_ref){ 0 };
	}
	if (flow->local.process.pid == 0 && flow->unowned == FLOW_OWNED)
		flow->unowned = FLOW_UNOWNED_UNKNOWN;
	return kept;
}

/* A SYN that nobody ever answered: a row without packets, for its state. */
static void emit_failed(void *userdata, const struct wire_flow_key *key,
			struct connection *connection)
{
	struct collector *c = userdata;
	struct record_context context = context_of(c, key);
	struct drained_flow nothing = { .key = *key };
	struct record record;

	if (context.netns == 0)
		return; /* the namespace is gone */
	record_from_flow(&context, &nothing, connection, &record);
	record.flow.tcp.state = TCP_STATE_FAILED;
	if (keep_owners(c, &record.flow))
		emit(c, &record);
}

static void emit_filtered(struct collector *c, const struct flow *flow)
{
	struct record record = {
		.kind = RECORD_UNTRACKED,
		.untracked = {
			.netns = flow->netns,
			.role = flow->role,
			.reason = UNTRACKED_FILTERED,
			.tx = flow->tx,
			.rx = flow->rx,
		},
	};

	c->account.filtered += flow->tx.skbs + flow->rx.skbs;
	emit(c, &record);
}

static void emit_flow(struct collector *c, const struct drained_flow *drained, uint64_t now)
{
	struct record_context context = context_of(c, &drained->key);
	struct connection *connection =
		connections_update(c->connections, &drained->key, &drained->flow, now);
	struct record record;

	record_from_flow(&context, drained, connection, &record);
	if (c->drops)
		drops_join(c->drops, &drained->key, &record.flow);
	if (!keep_owners(c, &record.flow)) {
		emit_filtered(c, &record.flow);
		return;
	}
	c->account.delivered += record.flow.tx.skbs + record.flow.rx.skbs;
	emit(c, &record);
}

/* Drops that found no room by flow; their namespace, role and protocol are known. */
static void emit_drops_rest(struct collector *c)
{
	struct record record;
	struct wire_flow_key key;
	size_t pos = 0;

	for (;;) {
		record = (struct record){ .kind = RECORD_FLOW, .flow.other = true };
		if (!drops_next_rest(c->drops, &pos, &key, &record.flow))
			return;
		record.flow.netns = slots_netns(c->slots, key.netns);
		record.flow.role = key.role_flags;
		record.flow.protocol = key.protocol;
		emit(c, &record);
	}
}

/* Untracked packets are delivered too, as what they are; only those for which the table had no room
 * are lost. */
static void account_untracked(struct collector *c, enum untracked_reason reason, uint64_t skbs)
{
	if (reason == UNTRACKED_FILTERED)
		c->account.filtered += skbs;
	else if (reason == UNTRACKED_MAP_FULL) {
		c->lost_table += skbs;
		c->cap_felt = c->cap < (uint64_t)c->options->max_flows;
	} else
		c->account.delivered += skbs;
}

static void emit_untracked(struct collector *c, const struct wire_untracked_key *key,
			   const struct wire_untracked_count *sums)
{
	struct wire_count added[2];
	struct record record = {
		.kind = RECORD_UNTRACKED,
		.untracked = {
			.netns = slots_netns(c->slots, key->netns),
			.role = key->role,
			.reason = key->reason,
		},
	};

	slots_untracked_delta(c->slots, key, c->drain.epoch, sums, added);
	if (added[WIRE_INGRESS].skbs + added[WIRE_EGRESS].skbs == 0)
		return;
	record.untracked.rx = flow_count_from_wire(&added[WIRE_INGRESS]);
	record.untracked.tx = flow_count_from_wire(&added[WIRE_EGRESS]);
	account_untracked(c, key->reason, record.untracked.rx.skbs + record.untracked.tx.skbs);
	emit(c, &record);
}

static void emit_interface(struct collector *c, uint16_t slot,
			   const struct wire_interface_count *sums)
{
	const struct interface *interface = interfaces_get(c->interfaces, slot);
	struct wire_interface_count added;
	struct record record;

	slots_interface_delta(c->slots, slot, c->drain.epoch, sums, &added);
	c->account.seen += added.counted[0].skbs + added.counted[1].skbs;
	if (interface &&
	    record_from_interface(interface, &added, &c->notes[slot].before_attach, &record))
		emit(c, &record);
}

/* A removed interface's packets may be in both epochs; when each was drained after the removal the
 * slot is clean. */
static void advance_removed(struct collector *c, uint16_t slot)
{
	struct slot_note *note = &c->notes[slot];

	if (note->phase != PHASE_REMOVED && note->phase != PHASE_LAST)
		return;
	if (c->drain.epoch < note->removed_epoch)
		return;
	if (note->phase == PHASE_REMOVED) {
		note->phase = PHASE_LAST;
		return;
	}
	*note = (struct slot_note){ 0 };
	slots_release(c->slots, slot);
	interfaces_release(c->interfaces, slot);
}

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
	c->runs++;
	flows_drain_clear(&c->drain);
	c->draining = false;
	c->done = NULL;
	if (done)
		done(c->done_userdata, r);
}

static void emit_rest(struct collector *c)
{
	if (c->drops)
		emit_drops_rest(c);
	for (size_t i = 0; i < c->drain.n_untracked; i++)
		emit_untracked(c, &c->drain.untracked_keys[i], &c->drain.untracked[i]);
	for (size_t i = 0; i < c->drain.n_slots; i++)
		emit_interface(c, c->drain.slots[i], &c->drain.interfaces[i]);
	for (size_t i = 0; i < c->drain.n_slots; i++)
		advance_removed(c, c->drain.slots[i]);
	if (c->connections)
		connections_expire(c->connections, now_ns(CLOCK_MONOTONIC), emit_failed, c);
}

static int on_slice(sd_event_source *source, void *userdata)
{
	struct collector *c = userdata;
	size_t end = MIN(c->emitted + SLICE, c->drain.n_flows);
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	for (; c->emitted < end; c->emitted++)
		emit_flow(c, &c->drain.flows[c->emitted], now);
	if (c->emitted < c->drain.n_flows)
		return 0;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	emit_rest(c);
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
	c->drain.slots = calloc(INTERFACES_DEFAULT + 1, sizeof(*c->drain.slots));
	if (!c->drain.untracked_keys || !c->drain.slots)
		return -ENOMEM;
	if (n)
		memcpy(c->drain.untracked_keys, keys, n * sizeof(*keys));
	c->drain.n_untracked = n;
	while ((interface = interfaces_next(c->interfaces, &pos)))
		if (interface->slot <= INTERFACES_DEFAULT &&
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
	slots_size_maps(c->skel, INTERFACES_DEFAULT);
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
	c->drain.grace_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "grace_inner", 4, 4, 1, NULL);
	if (c->drain.grace_fd < 0)
		return -errno;
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
		.max = INTERFACES_DEFAULT,
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
	if (c->skel)
		c->drain.grace_fd = close_fd(c->drain.grace_fd);
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
		r = slots_new(c->skel, INTERFACES_DEFAULT, &c->slots);
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

/* --- about itself ---------------------------------------------------------------------------- */

static void flows_status(const struct collector *c, struct part_status *ret)
{
	*ret = (struct part_status){ .name = "flows", .state = PART_ON };
	if (!c->skel) {
		part_degrade(ret, PART_OFF, "%s", c->off_reason);
		return;
	}
	interfaces_status(c->interfaces, ret);
	sockets_status(c->env.sockets, ret);
	if (c->drops)
		part_add_rung(ret, "tp_btf");
	else
		part_degrade(ret, PART_DEGRADED, "%s", c->drops_reason);
	if (c->cap_felt)
		part_degrade(
			ret, PART_DEGRADED,
			"memory.limit holds the flow table to %" PRIu64 " of max_flows' %" PRId64
			" flows per step, the rest is counted as untracked: raise memory.limit, or "
			"lower max_flows",
			c->cap, c->options->max_flows);
}

static void flows_account(const struct collector *c, struct accounting *ret)
{
	*ret = c->account;
	ret->dropped = c->lost_table;
}

static void flows_losses(const struct collector *c,
			 void (*fn)(void *userdata, const struct loss *loss), void *userdata)
{
	const struct drops_lost drops = c->drops ? drops_lost(c->drops) : (struct drops_lost){ 0 };
	const struct loss losses[] = {
		{ "flows.map_full", c->lost_table },
		{ "flows.drops_full", drops.full },
		{ "flows.drops_nested", drops.nested },
		{ "flows.drops_unreadable", drops.unreadable },
		{ "flows.no_memory", c->drain.failed },
		{ "flows.connections_full", c->connections ? connections_lost(c->connections) : 0 },
		{ "flows.interfaces_full", c->interfaces ? interfaces_lost(c->interfaces) : 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(losses); i++)
		fn(userdata, &losses[i]);
}

/* What the tables hold now: the epoch that runs, and the one that is being drained. */
static uint64_t flows_in_kernel(const struct collector *c)
{
	const volatile struct wire_flows_settings *settings =
		(const volatile struct wire_flows_settings *)&c->skel->bss->settings;

	return c->draining ? settings->begun[0] + settings->begun[1]
			   : settings->begun[settings->epoch & 1];
}

static uint64_t flows_bpf_bytes(const struct collector *c)
{
	const struct bpf_map *map;

	if (!c->skel)
		return 0;
	map = c->skel->maps.flows_even;
	return bpf_object_footprint(c->env.bpf, c->skel->obj) + slots_bpf_bytes(c->slots) +
	       (c->drops ? drops_bpf_bytes(c->drops) : 0) +
	       bpf_map_footprint(map, flows_in_kernel(c)) - bpf_map_footprint(map, 0);
}

static void flows_budget(struct collector *c, uint64_t bytes)
{
	c->cap = affordable_flows(c, bytes);
	if (c->skel)
		c->skel->bss->settings.cap = c->cap;
	if (c->connections)
		connections_set_limit(c->connections, c->cap);
}

static void flows_metrics(const struct collector *c, struct metric_sink *sink)
{
	static const char *const collector[] = { "flows" };
	static const char *const map[] = { "flows" };
	static const char *const error[] = { "flows_drain" };
	const struct metric_histogram duration = {
		.counts = c->duration_counts,
		.sum = c->duration_sum,
		.count = c->duration_count,
	};

	metric_emit(sink, METRIC_BPF_MAP_UTILIZATION, map, 100.0 * c->flows_last / c->cap);
	metric_emit(sink, METRIC_BATCH_SIZE, collector, c->batch);
	metric_emit(sink, METRIC_ERRORS, error, c->errors);
	metric_emit(sink, METRIC_OVERFLOW_FLOWS, NULL, c->drain.overflowed);
	sink->histogram(sink, METRIC_COLLECTION_DURATION, collector, &duration);
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
