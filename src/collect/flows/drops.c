/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was taken is sorted by flow, so that each flow of the drain finds its own in a few steps.
 * There are few: the tables are small, and most flows have no drops.
 */
#include "collect/flows/drops.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "bpf/drops.skel.h"
#include "bpf/flows.skel.h"
#include "collect/flows/drop-reasons.h"

#define REST_MAX 256 /* (namespace, role, protocol, reason) */

struct drop_row {
	struct wire_drop_key key;
	struct wire_drop drop;
	bool joined; /* a flow of the drain has it, or will */
};

struct drop_rows {
	struct drop_row *rows;
	size_t n;
};

struct drops {
	struct bpf_env *env;
	struct drops_bpf *skel;
	struct drop_reasons *reasons;
	bool scope_by_owner;
	struct drop_rows flows; /* sorted by flow */
	struct drop_rows rest;
};

/* --- loading --------------------------------------------------------------------------------- */

static volatile struct wire_drops_settings *settings(const struct drops *d)
{
	return (volatile struct wire_drops_settings *)&d->skel->bss->settings;
}

static int share_maps(struct drops_bpf *skel, const struct flows_bpf *flows)
{
	int r = bpf_map__reuse_fd(skel->maps.links, bpf_map__fd(flows->maps.links));

	return r < 0 ? r
		     : bpf_map__reuse_fd(skel->maps.namespaces,
					 bpf_map__fd(flows->maps.namespaces));
}

static int load(struct drops *d, const struct drops_config *config, bool owners)
{
	int r;

	d->skel = drops_bpf__open();
	if (!d->skel)
		return -errno;
	bpf_map__set_max_entries(d->skel->maps.drops_even, config->max);
	bpf_map__set_max_entries(d->skel->maps.drops_odd, config->max);
	bpf_map__set_max_entries(d->skel->maps.rest_even, REST_MAX);
	bpf_map__set_max_entries(d->skel->maps.rest_odd, REST_MAX);
	d->skel->rodata->has_reason = drop_reasons_has_reason(d->reasons);
	d->skel->rodata->has_receiver = drop_reasons_has_receiver(d->reasons);
	d->skel->rodata->has_owners = owners;
	r = share_maps(d->skel, config->flows);
	if (r >= 0)
		r = bpf_env_before_load(d->env, d->skel->obj);
	if (r >= 0)
		r = bpf_env_after_load(d->env, d->skel->obj, drops_bpf__load(d->skel));
	if (r < 0)
		drops_bpf__destroy(TAKE(d->skel));
	return r;
}

static int bring_up(struct drops *d, const struct drops_config *config)
{
	int r = drop_reasons_new(&d->reasons);

	if (r < 0)
		return r;
	r = load(d, config, true);
	if (r < 0) /* 5.10 grants SK_STORAGE to no program of this kind */
		r = load(d, config, false);
	if (r < 0)
		return r;
	settings(d)->protocols = config->protocols;
	settings(d)->inner = config->inner;
	settings(d)->scope_by_owner = config->scope_by_owner;
	settings(d)->epoch = config->flows->bss->settings.epoch;
	return drops_bpf__attach(d->skel);
}

/* Tries a program that does nothing else: what the verifier says about it differs by release. */
static bool memory_may_be_read(void)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X,
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_REG_10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_1, .imm = -8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	_cleanup_close_ int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL, "Dual BSD/GPL",
					       code, ARRAY_SIZE(code), NULL);

	return fd >= 0;
}

static void explain(const struct drops *d, int error, char reason[static PART_REASON_LEN])
{
	const char *message = bpf_env_message(d->env);

	if (error == -ENOENT)
		snprintf(
			reason, PART_REASON_LEN,
			"drops are not seen: the kernel's type information (BTF) does not have the "
			"tracepoint skb:kfree_skb");
	else if (error == -EINVAL && !memory_may_be_read())
		snprintf(reason, PART_REASON_LEN,
			 "drops are not seen: this kernel lets no program read its memory "
			 "(lockdown=confidentiality)");
	else
		snprintf(reason, PART_REASON_LEN,
			 "drops are not seen: the kernel refused the program on skb:kfree_skb: "
			 "%s%s%s",
			 strerror(-error), message[0] ? "; libbpf says: " : "", message);
}

int drops_new(const struct drops_config *config, char reason[static PART_REASON_LEN],
	      struct drops **ret)
{
	struct drops *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->env = config->env;
	d->scope_by_owner = config->scope_by_owner;
	r = bring_up(d, config);
	if (r < 0) {
		explain(d, r, reason);
		drops_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

struct drops *drops_free(struct drops *d)
{
	if (!d)
		return NULL;
	drops_clear(d);
	drops_bpf__destroy(d->skel);
	drop_reasons_free(d->reasons);
	free(d);
	return NULL;
}

/* --- draining -------------------------------------------------------------------------------- */

void drops_flip(struct drops *d, uint32_t epoch)
{
	settings(d)->epoch = epoch;
}

/* In one go: there is room for all that the table can hold. */
static int take(const struct bpf_map *map, struct drop_rows *rows)
{
	uint32_t n = bpf_map__max_entries(map), out;
	_cleanup_free_ struct wire_drop_key *keys = calloc(n, sizeof(*keys));
	_cleanup_free_ struct wire_drop *values = calloc(n, sizeof(*values));

	if (!keys || !values)
		return -ENOMEM;
	if (bpf_map_lookup_and_delete_batch(bpf_map__fd(map), NULL, &out, keys, values, &n, NULL) <
		    0 &&
	    errno != ENOENT)
		return -errno;
	if (n == 0)
		return 0;
	rows->rows = calloc(n, sizeof(*rows->rows));
	if (!rows->rows)
		return -ENOMEM;
	for (rows->n = 0; rows->n < n; rows->n++)
		rows->rows[rows->n] = (struct drop_row){ keys[rows->n], values[rows->n], false };
	return 0;
}

static int compare_rows(const void *a, const void *b)
{
	const struct drop_row *row_a = a, *row_b = b;

	return memcmp(&row_a->key.flow, &row_b->key.flow, sizeof(row_a->key.flow));
}

int drops_take(struct drops *d, uint32_t epoch)
{
	const bool odd = epoch & 1;
	int r;

	r = take(odd ? d->skel->maps.drops_odd : d->skel->maps.drops_even, &d->flows);
	if (r >= 0)
		r = take(odd ? d->skel->maps.rest_odd : d->skel->maps.rest_even, &d->rest);
	if (d->flows.n > 0)
		qsort(d->flows.rows, d->flows.n, sizeof(*d->flows.rows), compare_rows);
	return r;
}

void drops_clear(struct drops *d)
{
	free(d->flows.rows);
	free(d->rest.rows);
	d->flows = d->rest = (struct drop_rows){ 0 };
}

/* --- joining --------------------------------------------------------------------------------- */

static bool is_of(const struct drop_row *row, const struct wire_flow_key *key)
{
	return memcmp(&row->key.flow, key, sizeof(*key)) == 0;
}

/* The first row of the flow; the number of rows if it has none. */
static size_t find(const struct drop_rows *rows, const struct wire_flow_key *key)
{
	size_t low = 0, high = rows->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (memcmp(&rows->rows[middle].key.flow, key, sizeof(*key)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < rows->n && is_of(&rows->rows[low], key) ? low : rows->n;
}

void drops_mark(struct drops *d, const struct wire_flow_key *key)
{
	for (size_t i = find(&d->flows, key); i < d->flows.n && is_of(&d->flows.rows[i], key); i++)
		d->flows.rows[i].joined = true;
}

/* Marks the rows of the flow that begins at *pos, and moves on behind them. */
static bool gather(struct drops *d, size_t *pos, struct wire_flow_key *ret_key,
		   struct wire_owner ret_end[static 2])
{
	struct drop_row *row = &d->flows.rows[*pos];
	bool owned = false;

	*ret_key = row->key.flow;
	memset(ret_end, 0, 2 * sizeof(*ret_end));
	for (; *pos < d->flows.n && is_of(&d->flows.rows[*pos], ret_key); ++*pos) {
		row = &d->flows.rows[*pos];
		row->joined = true;
		if (row->drop.owner.kind <= ret_end[row->drop.end & 1].kind)
			continue;
		ret_end[row->drop.end & 1] = row->drop.owner;
		owned = true;
	}
	return owned || !d->scope_by_owner;
}

bool drops_next_alone(struct drops *d, size_t *pos, struct wire_flow_key *ret_key,
		      struct wire_owner ret_end[static 2])
{
	while (*pos < d->flows.n)
		if (d->flows.rows[*pos].joined)
			++*pos;
		else if (gather(d, pos, ret_key, ret_end))
			return true;
	return false;
}

static void add_drop(const struct drops *d, const struct drop_row *row, struct flow *flow)
{
	struct flow_drops drops = { .count = row->drop.skbs };
	unsigned i = 0;

	drop_reason_name(d->reasons, row->key.reason, drops.reason);
	while (i < flow->n_drops && !streq(flow->drops[i].reason, drops.reason))
		i++;
	if (i < flow->n_drops)
		flow->drops[i].count += drops.count;
	else if (i < FLOW_DROPS_MAX)
		flow->drops[flow->n_drops++] = drops;
	else
		flow->drops[FLOW_DROPS_MAX - 1].count += drops.count;
}

void drops_join(struct drops *d, const struct wire_flow_key *key, struct flow *flow)
{
	for (size_t i = find(&d->flows, key); i < d->flows.n && is_of(&d->flows.rows[i], key); i++)
		if (d->flows.rows[i].joined) {
			add_drop(d, &d->flows.rows[i], flow);
			d->flows.rows[i].joined = false;
		}
}

bool drops_next_rest(const struct drops *d, size_t *pos, struct wire_flow_key *ret_key,
		     struct flow *flow)
{
	if (*pos == d->rest.n)
		return false;
	*ret_key = d->rest.rows[*pos].key.flow;
	add_drop(d, &d->rest.rows[*pos], flow);
	++*pos;
	return true;
}

/* --- about itself ---------------------------------------------------------------------------- */

struct drops_lost drops_lost(const struct drops *d)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(d->skel->progs.drops), &info, &size) < 0)
		info.recursion_misses = 0;
	return (struct drops_lost){
		.full = settings(d)->lost,
		.unreadable = settings(d)->unreadable,
		.nested = info.recursion_misses,
	};
}

uint64_t drops_bpf_bytes(const struct drops *d)
{
	return bpf_object_footprint(d->env, d->skel->obj) -
	       bpf_map_footprint(d->skel->maps.links, 0) -
	       bpf_map_footprint(d->skel->maps.namespaces, 0);
}
