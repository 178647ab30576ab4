/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The few flows that a CPU has at hand: see struct wire_front in wire/flows.h. */
#pragma once

#include "lib/kernel.h"
#include "wire/flows.h"

/* A place is given away after so many packets of others in a row: with far more flows than places
 * each packet that gave one away would pay for two look-ups more. */
#define FRONT_CREDIT 8

/* TC programs run with softirqs off, so no other packet of this CPU comes between. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32); /* epoch's lowest bit */
	__type(value, struct wire_front);
} front SEC(".maps");

/* The only place that this flow may have on this CPU. */
static __always_inline struct wire_front_flow *front_place(const struct wire_flow_key *key,
							   __u32 epoch)
{
	const __u64 *words = (const __u64 *)key;
	__u32 parity = epoch & 1;
	struct wire_front *flows = bpf_map_lookup_elem(&front, &parity);
	/* The lower halves of the addresses, the ports; Fibonacci hashing. A bad spread costs speed only. */
	__u64 mix = (words[1] ^ words[3] ^ words[4]) * 0x9e3779b97f4a7c15ULL;

	return flows ? &flows->flows[mix >> (64 - WIRE_FRONT_FLOWS_BITS)] : NULL;
}

static __always_inline int front_is(const struct wire_front_flow *place,
				    const struct wire_flow_key *key, __u32 epoch)
{
	const __u64 *a = (const __u64 *)&place->key, *b = (const __u64 *)key;

	return place->epoch == epoch && a[0] == b[0] && a[1] == b[1] && a[2] == b[2] &&
	       a[3] == b[3] && a[4] == b[4];
}

/* For a packet of another flow: true if the place is that flow's now, with what it counted so far
 * still in it. */
static __always_inline int front_gives_up(struct wire_front_flow *place, __u32 epoch)
{
	if (place->epoch != epoch || !place->credit)
		return 1;
	place->credit--;
	return 0;
}

static __always_inline void front_add_count(struct wire_count *sum, const struct wire_count *count)
{
	if (!count->skbs)
		return;
	__sync_fetch_and_add(&sum->skbs, count->skbs);
	__sync_fetch_and_add(&sum->bytes, count->bytes);
	__sync_fetch_and_add(&sum->more_packets, count->more_packets);
	__sync_fetch_and_add(&sum->more_bytes, count->more_bytes);
}

/* Adds to the flow in the table what was counted in front of it. */
static __always_inline void front_add(struct wire_traffic *sum, const struct wire_traffic *traffic)
{
	for (int end = 0; end < 2; end++) {
		front_add_count(&sum->sent[end], &traffic->sent[end]);
		sum->tcp_flags[end] |= traffic->tcp_flags[end];
	}
	if (traffic->rtt_us)
		sum->rtt_us = traffic->rtt_us;
	__sync_fetch_and_add(&sum->retransmits, traffic->retransmits);
	__sync_fetch_and_add(&sum->resets, traffic->resets);
}
