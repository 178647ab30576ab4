/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * With counts C1, C2 around the reading R, what was before lies between R - C2 and R - C1; where
 * the traffic never pauses, the narrowest of these ranges is the answer. On a 2-core machine the
 * window is about 10 us, so a busy gigabit interface still has equal brackets in most readings.
 */
#include "collect/shared/bracket.h"

#include <net/ethernet.h>
#include <string.h>

#include "base/util.h"

#define EQUAL_NEEDED 3 /* equal differences in a row */

struct difference { /* negative while a packet is counted by us, but not yet by the interface */
	int64_t packets, bytes;
};

struct side {
	unsigned equal; /* in a row */
	struct difference last;
	struct difference low, high; /* the narrowest range so far */
	bool ambiguous; /* units unknown, and it makes a difference */
	uint64_t doubt; /* bytes: link headers that may be in or not */
};

static struct difference subtract(const struct link_counter *r, const struct link_units *units,
				  const struct flow_count *c)
{
	struct link_counter ours = link_convert(units, c);

	return (struct difference){ (int64_t)(r->packets - ours.packets),
				    (int64_t)(r->bytes - ours.bytes) };
}

static bool same_count(const struct flow_count *a, const struct flow_count *b)
{
	return a->skbs == b->skbs && a->bytes == b->bytes && a->packets == b->packets;
}

static void narrow(struct side *side, struct difference low, struct difference high)
{
	side->low.packets = MAX(side->low.packets, low.packets);
	side->low.bytes = MAX(side->low.bytes, low.bytes);
	side->high.packets = MIN(side->high.packets, high.packets);
	side->high.bytes = MIN(side->high.bytes, high.bytes);
}

static void take_reading(struct side *side, const struct link_units *units,
			 const struct flow_count *c1, const struct link_counter *r,
			 const struct flow_count *c2)
{
	struct difference low = subtract(r, units, c2), high = subtract(r, units, c1);

	narrow(side, low, high);
	side->ambiguous = (!units->known && c2->skbs != c2->packets) ||
			  (!units->omitted_known && c2->skbs > 0);
	side->doubt = units->omitted_known ? 0 : ETHER_HDR_LEN * c2->packets;
	if (!same_count(c1, c2))
		side->equal = 0;
	else if (side->equal > 0 && side->last.packets == low.packets &&
		 side->last.bytes == low.bytes)
		side->equal++;
	else
		side->equal = 1;
	side->last = low;
}

static bool is_exact(const struct side *side)
{
	return side->equal >= EQUAL_NEEDED && !side->ambiguous;
}

static uint64_t not_negative(int64_t n)
{
	return n > 0 ? (uint64_t)n : 0;
}

static void conclude(const struct side *side, struct link_counter *before,
		     struct link_counter *slack)
{
	struct difference d = side->equal >= EQUAL_NEEDED ? side->last : side->high;

	before->packets = not_negative(d.packets);
	before->bytes = not_negative(d.bytes);
	if (is_exact(side)) {
		*slack = (struct link_counter){ 0, 0 };
		return;
	}
	slack->packets = before->packets - MIN(before->packets, not_negative(side->low.packets));
	slack->bytes =
		before->bytes - MIN(before->bytes, not_negative(side->low.bytes)) + side->doubt;
}

static int read_once(const struct bracket_source *source, struct side sides[TC_DIRECTIONS])
{
	struct flow_count c1[TC_DIRECTIONS], c2[TC_DIRECTIONS];
	struct link_counter counters[TC_DIRECTIONS];
	int r;

	r = source->programs(source->userdata, c1);
	if (r < 0)
		return r;
	r = source->interface(source->userdata, counters);
	if (r < 0)
		return r;
	r = source->programs(source->userdata, c2);
	if (r < 0)
		return r;
	for (int i = 0; i < TC_DIRECTIONS; i++)
		take_reading(&sides[i], &source->units[i], &c1[i], &counters[i], &c2[i]);
	return 0;
}

int bracket_take(const struct bracket_source *source, struct bracket *ret)
{
	struct side sides[TC_DIRECTIONS];
	struct bracket bracket;
	int r;

	for (int i = 0; i < TC_DIRECTIONS; i++)
		sides[i] = (struct side){ .low = { INT64_MIN, INT64_MIN },
					  .high = { INT64_MAX, INT64_MAX } };
	for (unsigned reading = 0; reading < BRACKET_READINGS_MAX; reading++) {
		if (reading > 0)
			source->pause(source->userdata, reading);
		r = read_once(source, sides);
		if (r < 0)
			return r;
		if (sides[TC_INGRESS].equal >= EQUAL_NEEDED &&
		    sides[TC_EGRESS].equal >= EQUAL_NEEDED)
			break;
	}
	for (int i = 0; i < TC_DIRECTIONS; i++)
		conclude(&sides[i], &bracket.before[i], &bracket.slack[i]);
	bracket.exact = is_exact(&sides[TC_INGRESS]) && is_exact(&sides[TC_EGRESS]);
	*ret = bracket;
	return 0;
}
