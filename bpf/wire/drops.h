/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the drops program and src/collect/flows/drops.c tell each other. Fixed width, no padding. */
#pragma once

#include "flows.h"
#include "types.h"

struct wire_drop_key {
	struct wire_flow_key flow; /* as the flows programs make it: the two are joined by it */
	__u32 reason; /* enum skb_drop_reason of this kernel; 0 where the hook tells none */
	__u32 unused;
};
_Static_assert(sizeof(struct wire_drop_key) == 48, "wire_drop_key");

struct wire_drop {
	__u64 skbs;
	struct wire_owner owner; /* kind WIRE_OWNER_NOT_ASKED: none was known */
	__u8 end; /* of the key: which the owner owns */
	__u8 unused[7];
};
_Static_assert(sizeof(struct wire_drop) == 48, "wire_drop");

/* Written by user space (but for lost and unreadable) at any time; each word stands for itself. */
struct wire_drops_settings {
	__u32 epoch; /* its lowest bit picks the tables in use */
	__u32 protocols; /* set of WIRE_PROTOCOL_* */
	__u32 inner; /* 1: the key is taken from inside VXLAN, Geneve and IPIP */
	__u32 scope_by_owner; /* 1: drops whose owner is not known are only for the flow that has them */
	__u64 lost; /* drops that found no room; counted by the kernel side */
	__u64 unreadable; /* likewise: IP packets whose headers make no sense, so of no flow */
};
_Static_assert(sizeof(struct wire_drops_settings) == 32, "wire_drops_settings");
