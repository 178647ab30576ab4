/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The unwind tables that the kernel side has: rows in slabs that are made as they are needed, pages,
 * and one set of rules for all tables, each counted by how many tables use it. Written through mmap,
 * so that a table of a million rows costs no million system calls.
 *
 * What is taken out may still be in use by a running program: tables_remove() only after no mapping
 * names it any more and a grace period has passed (collect/shared/grace.h).
 */
#pragma once

#include <stdint.h>

#include "binary/unwind-table.h"

struct profile_bpf;
struct tables;

/* A table in the kernel. */
struct table {
	uint32_t pages; /* what struct wire_mapping wants */
	uint64_t bytes; /* of rows and pages */
};

/* skel is loaded, borrowed, and outlives it. -errno of bpf(2), mmap(2). */
int tables_new(struct profile_bpf *skel, struct tables **ret);
struct tables *tables_free(struct tables *tables); /* takes NULL, returns NULL */

/*
 * Copies a table into the kernel; *ret belongs to tables. -ENOSPC: no room for rows within max_bytes
 * (of all slabs), for pages or for rules; nothing has changed then. -E2BIG: its text is scattered over
 * more than all pages.
 */
int tables_add(struct tables *tables, const struct unwind_table *table, uint64_t max_bytes,
	       struct table **ret);
void tables_remove(struct tables *tables, struct table *table);

uint64_t tables_bytes(const struct tables *tables); /* that the slabs take in the kernel */

DEFINE_CLEANUP(struct tables *, tables_free)
