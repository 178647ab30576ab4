/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the running kernel says about its drops: the names of the reasons, and what the tracepoint
 * skb:kfree_skb passes. Read from its type information, because both change between releases.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/flow.h"

struct drop_reasons;

/* -ENOENT: the kernel has no type information, or the tracepoint is not in it. */
int drop_reasons_new(struct drop_reasons **ret);
struct drop_reasons *drop_reasons_free(struct drop_reasons *reasons); /* takes NULL */

bool drop_reasons_has_reason(const struct drop_reasons *reasons); /* the hook tells it: 5.17 */
bool drop_reasons_has_receiver(
	const struct drop_reasons *reasons); /* and the receiving socket: 6.11 */

/* The kernel's name without SKB_DROP_REASON_; NOT_SPECIFIED where it tells none; a number if it has
 * no name that we can know (reasons of modules). */
void drop_reason_name(const struct drop_reasons *reasons, uint32_t reason,
		      char ret[static FLOW_DROP_REASON_LEN]);
