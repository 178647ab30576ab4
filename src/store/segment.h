/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A segment is a table as bytes: what one step, or one minute, holds, in one piece of a database.
 * It carries its own dictionaries, so that it can be read alone; a flow takes about 35 bytes.
 *
 * Version 1. Numbers are varints, strings have a length and a NUL, counts of things come first:
 *
 *   version
 *   n strings     string ...                       (number 0 is "")
 *   n namespaces  inode ...
 *   n addresses   4 (IPv4) or 16, that many bytes ...
 *   n actors      pid, start, cgroup id, comm, kind, id, name, namespace (numbers of strings) ...
 *   n flows       protocol, role and flags, namespace, [unless "other": addresses, ports, actors,
 *                 ends,] tx, rx, [tcp,] n drops: reason, count ...
 *   n untracked   netns, role, reason, tx, rx ...
 *   n interfaces  netns, ifindex, name, role, removed | exact << 1, 6 counts ...
 *
 * A count is skbs, packets - skbs, bytes, bytes_wire - bytes: the differences are mostly 0.
 * Numbers of a dictionary are checked, nothing is believed: a database may be damaged or planted.
 */
#pragma once

#include "model/record.h"

struct table;

#define SEGMENT_VERSION 1
#define SEGMENT_BYTES_MAX ((size_t)32 << 20) /* what is larger is neither written nor read */

enum segment_kind {
	SEGMENT_FLOWS, /* in this format */
	SEGMENT_SAMPLES, /* stack-segment.h */
	SEGMENT_KIND_MAX_,
};

enum segment_level {
	SEGMENT_STEP,
	SEGMENT_MINUTE,
};

struct segment {
	int64_t id; /* ascending with time of writing */
	enum segment_kind kind;
	enum segment_level level;
	uint64_t start_ns, end_ns; /* CLOCK_REALTIME */
	uint64_t rows;
	void *data; /* of a walk: borrowed */
	size_t size;
};

/* Encodes a table. ret_data is the caller's, to free(). -ENOMEM; -EFBIG: over SEGMENT_BYTES_MAX. */
int segment_encode(const struct table *table, void **ret_data, size_t *ret_size);

/*
 * Calls fn for every record. The strings of a record live as long as data. -EBADMSG when the bytes
 * are not a segment of ours: fn may have been called for what came before; -ENOMEM.
 */
int segment_decode(const void *data, size_t size,
		   void (*fn)(void *userdata, const struct record *record), void *userdata);
