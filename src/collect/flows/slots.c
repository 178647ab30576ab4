/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stub is all that is loaded per interface: it puts the slot where the program finds it and
 * tail-calls (see bpf/flows.bpf.c). One costs a page in the kernel and some 50 us to load.
 */
#include "collect/flows/slots.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "bpf/wire/flows.h"

#include "bpf/flows.skel.h"

#define STUB_BYTES 4096 /* struct bpf_prog is given a page; the image is some 100 bytes */
#define UNTRACKED_MAX (SLOTS_NETNS_MAX * 2)

struct slot {
	bool used;
	bool loopback;
	uint16_t netns;
	struct wire_interface_count last[2]; /* by parity of the epoch */
};

struct netns_slot {
	uint64_t inode;
	unsigned interfaces; /* those removed but not yet drained among them */
	unsigned present;
	uint8_t roles; /* set of roles that have untracked sums */
};

struct slots {
	struct flows_bpf *skel;
	unsigned max;
	struct slot **slots; /* by slot; NULL: never used */
	struct netns_slot netns[SLOTS_NETNS_MAX];
	struct wire_untracked_key *untracked_keys;
	struct wire_untracked_count *untracked_last;
	size_t n_untracked, untracked_room;
	unsigned n_stubs;
};

void slots_size_maps(struct flows_bpf *skel, unsigned max)
{
	bpf_map__set_max_entries(skel->maps.interfaces, max + 1);
	bpf_map__set_max_entries(skel->maps.interface_counts, (max + 1) * 2);
	bpf_map__set_max_entries(skel->maps.links, max + 1);
	bpf_map__set_max_entries(skel->maps.namespaces, MIN(max, (unsigned)SLOTS_NETNS_MAX) + 1);
	bpf_map__set_max_entries(skel->maps.untracked, UNTRACKED_MAX * WIRE_UNTRACKED_REASONS);
}

int slots_new(struct flows_bpf *skel, unsigned max, struct slots **ret)
{
	struct slots *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->skel = skel;
	s->max = max;
	s->slots = calloc(max + 1, sizeof(*s->slots));
	if (!s->slots) {
		free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

struct slots *slots_free(struct slots *s)
{
	if (!s)
		return NULL;
	for (unsigned i = 0; i <= s->max; i++)
		free(s->slots[i]);
	free(s->slots);
	free(s->untracked_keys);
	free(s->untracked_last);
	free(s);
	return NULL;
}

uint64_t slots_netns(const struct slots *s, uint16_t netns_slot)
{
	return netns_slot < SLOTS_NETNS_MAX ? s->netns[netns_slot].inode : 0;
}

/* The namespace's slot, a new one if need be. Slot 0 is not given out: 0 in a key would look like
 * a key that nobody filled. */
static int netns_slot(struct slots *s, uint64_t inode)
{
	int free_slot = -ENOSPC;

	for (int i = SLOTS_NETNS_MAX - 1; i > 0; i--) {
		if (s->netns[i].inode == inode)
			return i;
		if (s->netns[i].inode == 0)
			free_slot = i;
	}
	if (free_slot > 0)
		s->netns[free_slot] = (struct netns_slot){ .inode = inode };
	return free_slot;
}

static int untracked_add(struct slots *s, const struct wire_untracked_key *key)
{
	struct wire_untracked_count zero = {};
	size_t room = s->untracked_room ? s->untracked_room * 2 : 64;
	void *p;

	if (s->n_untracked == s->untracked_room) {
		p = reallocarray(s->untracked_keys, room, sizeof(*s->untracked_keys));
		if (!p)
			return -ENOMEM;
		s->untracked_keys = p;
		p = reallocarray(s->untracked_last, room, sizeof(*s->untracked_last));
		if (!p)
			return -ENOMEM;
		s->untracked_last = p;
		s->untracked_room = room;
	}
	if (bpf_map_update_elem(bpf_map__fd(s->skel->maps.untracked), key, &zero, BPF_ANY) < 0)
		return -errno;
	s->untracked_keys[s->n_untracked] = *key;
	s->untracked_last[s->n_untracked++] = zero;
	return 0;
}

/* Makes the sums of a role in a namespace, before a program can want them. */
static int untracked_prepare(struct slots *s, int netns, enum flow_role role)
{
	struct wire_untracked_key key = { .netns = netns, .role = role };
	int r;

	if (s->netns[netns].roles & 1 << role)
		return 0;
	for (key.reason = 0; key.reason < WIRE_UNTRACKED_REASONS; key.reason++) {
		r = untracked_add(s, &key);
		if (r < 0)
			return r;
	}
	s->netns[netns].roles |= 1 << role;
	return 0;
}

static void untracked_forget(struct slots *s, uint16_t netns)
{
	for (size_t i = s->n_untracked; i-- > 0;) {
		if (s->untracked_keys[i].netns != netns)
			continue;
		bpf_map_delete_elem(bpf_map__fd(s->skel->maps.untracked), &s->untracked_keys[i]);
		s->n_untracked--;
		s->untracked_keys[i] = s->untracked_keys[s->n_untracked];
		s->untracked_last[i] = s->untracked_last[s->n_untracked];
	}
}

/* skb->tc_classid = slot; tail call; should that fail, "ask the next". */
static int make_stub(struct slots *s, uint16_t slot, uint32_t hook)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = slot },
		{ .code = BPF_STX | BPF_MEM | BPF_W,
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_REG_2,
		  .off = offsetof(struct __sk_buff, tc_classid) },
		{ .code = BPF_LD | BPF_DW | BPF_IMM,
		  .dst_reg = BPF_REG_2,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = bpf_map__fd(s->skel->maps.programs) },
		{ 0 },
		{ .code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = hook },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_tail_call },
		{ .code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS,
			       hook == WIRE_INGRESS ? "ebpfobs_in" : "ebpfobs_out", "Dual BSD/GPL",
			       code, ARRAY_SIZE(code), NULL);

	return fd < 0 ? -errno : fd;
}

static int make_stubs(struct slots *s, uint16_t slot, int ret_programs[TC_DIRECTIONS])
{
	int in = make_stub(s, slot, WIRE_INGRESS), out;

	if (in < 0)
		return in;
	out = make_stub(s, slot, WIRE_EGRESS);
	if (out < 0) {
		close_fd(in);
		return out;
	}
	ret_programs[TC_INGRESS] = in;
	ret_programs[TC_EGRESS] = out;
	return 0;
}

static int fill_maps(struct slots *s, const struct interface *interface, int netns)
{
	const struct wire_link_key link = { .ifindex = interface->link.ifindex, .netns = netns };
	const struct wire_interface config = {
		.ifindex = interface->link.ifindex,
		.netns = netns,
		.role = interface->link.role,
		.link_header = interface->l3 ? 0 : 14,
	};
	const struct wire_namespace ns = { .slot = netns, .role = interface->link.role };
	uint32_t slot = interface->slot, role = interface->link.role;
	uint32_t inode = interface->link.netns;

	if (bpf_map_update_elem(bpf_map__fd(s->skel->maps.interfaces), &slot, &config, BPF_ANY) <
		    0 ||
	    bpf_map_update_elem(bpf_map__fd(s->skel->maps.links), &link, &role, BPF_ANY) < 0 ||
	    bpf_map_update_elem(bpf_map__fd(s->skel->maps.namespaces), &inode, &ns, BPF_ANY) < 0)
		return -errno;
	return 0;
}

int slots_prepare(struct slots *s, const struct interface *interface,
		  int ret_programs[TC_DIRECTIONS])
{
	struct slot *slot;
	int netns, r;

	if (interface->slot > s->max)
		return -ENOSPC;
	netns = netns_slot(s, interface->link.netns);
	if (netns < 0)
		return netns;
	r = untracked_prepare(s, netns, interface->link.role);
	if (r >= 0)
		r = fill_maps(s, interface, netns);
	if (r < 0)
		return r;
	slot = s->slots[interface->slot];
	if (!slot)
		slot = s->slots[interface->slot] = calloc(1, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	r = make_stubs(s, interface->slot, ret_programs);
	if (r < 0)
		return r;
	*slot = (struct slot){
		.used = true,
		.loopback = interface->link.role == FLOW_ROLE_LOOPBACK,
		.netns = netns,
	};
	s->netns[netns].interfaces++;
	s->netns[netns].present++;
	s->n_stubs += 2;
	return 0;
}

void slots_on_removed(struct slots *s, const struct interface *interface)
{
	const struct slot *slot = s->slots[interface->slot];
	struct wire_link_key link = { .ifindex = interface->link.ifindex };
	uint32_t inode = interface->link.netns;

	if (!slot || !slot->used)
		return;
	link.netns = slot->netns;
	bpf_map_delete_elem(bpf_map__fd(s->skel->maps.links), &link);
	if (--s->netns[slot->netns].present == 0)
		bpf_map_delete_elem(bpf_map__fd(s->skel->maps.namespaces), &inode);
}

static void zero_counts(struct slots *s, uint16_t slot)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct wire_interface_count *zero = calloc(cpus, sizeof(*zero));
	uint32_t index = (uint32_t)slot << 1;

	if (!zero)
		return;
	for (int parity = 0; parity < 2; parity++, index++)
		bpf_map_update_elem(bpf_map__fd(s->skel->maps.interface_counts), &index, zero,
				    BPF_ANY);
}

void slots_release(struct slots *s, uint16_t slot_index)
{
	struct slot *slot = s->slots[slot_index];
	struct netns_slot *netns;

	if (!slot || !slot->used)
		return;
	slot->used = false;
	zero_counts(s, slot_index);
	s->n_stubs -= 2;
	netns = &s->netns[slot->netns];
	if (--netns->interfaces > 0)
		return;
	untracked_forget(s, slot->netns);
	*netns = (struct netns_slot){ 0 };
}

static void add_to(struct flow_count *sum, const struct wire_count *c)
{
	sum->skbs += c->skbs;
	sum->bytes += c->bytes;
	sum->packets += c->skbs + c->more_packets;
	sum->bytes_wire += c->bytes + c->more_bytes;
}

int slots_count(struct slots *s, uint16_t slot, enum tc_direction direction, struct flow_count *ret)
{
	int fd = bpf_map__fd(s->skel->maps.interface_counts), cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct wire_interface_count *values = calloc(cpus, sizeof(*values));
	uint32_t index = (uint32_t)slot << 1;
	struct flow_count sum = { 0 };

	if (!values)
		return -ENOMEM;
	if (s->slots[slot]->loopback) /* counts at ingress for both directions: see flows.c */
		direction = TC_INGRESS;
	for (int parity = 0; parity < 2; parity++, index++) {
		if (bpf_map_lookup_elem(fd, &index, values) < 0)
			return -errno;
		for (int cpu = 0; cpu < cpus; cpu++) {
			add_to(&sum, &values[cpu].counted[direction]);
			add_to(&sum, &values[cpu].duplicate[direction]);
		}
	}
	*ret = sum;
	return 0;
}

static struct wire_count difference(const struct wire_count *now, const struct wire_count *before)
{
	return (struct wire_count){
		.skbs = now->skbs - before->skbs,
		.bytes = now->bytes - before->bytes,
		.more_packets = now->more_packets - before->more_packets,
		.more_bytes = now->more_bytes - before->more_bytes,
	};
}

void slots_interface_delta(struct slots *s, uint16_t slot, uint32_t epoch,
			   const struct wire_interface_count *sums,
			   struct wire_interface_count *ret)
{
	struct wire_interface_count *last = &s->slots[slot]->last[epoch & 1];

	for (int hook = 0; hook < 2; hook++) {
		ret->counted[hook] = difference(&sums->counted[hook], &last->counted[hook]);
		ret->duplicate[hook] = difference(&sums->duplicate[hook], &last->duplicate[hook]);
	}
	*last = *sums;
}

const struct wire_untracked_key *slots_untracked_keys(const struct slots *s, size_t *n)
{
	*n = s->n_untracked;
	return s->untracked_keys;
}

void slots_untracked_delta(struct slots *s, const struct wire_untracked_key *key, uint32_t epoch,
			   const struct wire_untracked_count *sums, struct wire_count ret[static 2])
{
	memset(ret, 0, 2 * sizeof(*ret));
	for (size_t i = 0; i < s->n_untracked; i++) {
		if (memcmp(&s->untracked_keys[i], key, sizeof(*key)) != 0)
			continue;
		for (int hook = 0; hook < 2; hook++)
			ret[hook] = difference(&sums->count[epoch & 1][hook],
					       &s->untracked_last[i].count[epoch & 1][hook]);
		memcpy(s->untracked_last[i].count[epoch & 1], sums->count[epoch & 1],
		       sizeof(sums->count[0]));
		return;
	}
}

uint64_t slots_bpf_bytes(const struct slots *s)
{
	return (uint64_t)s->n_stubs * STUB_BYTES;
}
