/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nothing is lost silently: seen = delivered + filtered + dropped, exactly, for every collector.
 * The unit is the collector's own (skbs for flows). Each place that can lose has a named site.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct accounting {
	uint64_t seen;
	uint64_t delivered; /* reached the store in a record */
	uint64_t filtered; /* out of scope, by the user's wish */
	uint64_t dropped; /* lost: the sum of the sites */
};

struct loss {
	const char *site; /* "flows.map_full", "store.disk_full", ...; static string */
	uint64_t count;
};
