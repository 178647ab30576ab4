/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Room 3 of the road: gives a record its names. Both ends of a flow get their workload: from the
 * process that owns the end, or, if that is another one on this host, from the flow that this other
 * one had itself. A sample gets that of its process. Decides nothing about sockets (collect does)
 * and reads no file. Loop thread only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "model/accounting.h"
#include "model/record.h"

struct enrich;
struct inventory;
struct ip_prefix;

/*
 * private_ranges: what does not count as external (collectors.flows.private_ranges); none: those of
 * ip_is_private(). Loopback, link-local and multicast addresses never are. Copied; the inventory is
 * borrowed.
 */
int enrich_new(struct inventory *inventory, const struct ip_prefix *private_ranges, size_t n,
	       struct enrich **ret);
struct enrich *enrich_free(struct enrich *enrich); /* takes NULL */

/* The strings of the workloads are valid until control goes back to the event loop. */
void enrich_record(struct enrich *enrich, struct record *record);

/* Forgets addresses that were not heard of for a while; called once per step. */
void enrich_expire(struct enrich *enrich, uint64_t now_boottime_ns);
size_t enrich_bytes(const struct enrich *enrich);
/* Caps the addresses that are known (memory limit). */
void enrich_set_budget(struct enrich *enrich, uint64_t bytes);
/* Calls fn once per place that can lose, also where the count is 0. */
void enrich_losses(const struct enrich *enrich, void (*fn)(void *userdata, const struct loss *loss),
		   void *userdata);
