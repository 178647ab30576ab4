/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is made of a binary in a sandboxed child, and kept: its unwind table and its symbols, as flat
 * bytes in the disk cache, by what the code is. Jobs of WORK_LANE_CHILD alone, in which the cache lives.
 */
#pragma once

#include <stdbool.h>

#include "base/child.h"
#include "base/disk-cache.h"
#include "binary/symbol-table.h"
#include "binary/unwind-table.h"
#include "model/sample.h"

/* Bytes of an artefact: from the cache, or from the child if they could not be kept there. */
struct artefact {
	const void *data; /* NULL: none */
	size_t size;
	struct disk_cache_view view;
	void *memory;
};

void artefact_done(struct artefact *artefact);

/* The unwind table of the code in the file fd. -EBADMSG: no table comes of it; errors of child_run(). */
int artefacts_unwind(struct disk_cache *cache, const struct code *code, int fd,
		     struct artefact *ret, struct unwind_table *ret_table);

/* Sees to it that the symbols of the code in the file fd are in the cache: in time, for the file may be
 * gone when somebody asks for names. */
void artefacts_keep_symbols(struct disk_cache *cache, const struct code *code, int fd);
/* The symbols that were kept; *ret_table is the caller's and goes before *ret. -ENOENT: there are none. */
int artefacts_symbols(struct disk_cache *cache, const struct code *code, struct artefact *ret,
		      struct symbol_table **ret_table);
