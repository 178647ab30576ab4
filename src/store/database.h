/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DIR/history.db: segments in one SQLite table. One thread at a time. Nothing else may open the file
 * meanwhile (locking_mode=EXCLUSIVE): a second daemon gets -EBUSY, and WAL needs no shared memory
 * file, which a full tmpfs could not extend.
 *
 * Errors: -ENOSPC the file system is full; -EUCLEAN the file is damaged or not ours; -EROFS, -EACCES
 * and the like as the system said.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "store/segment.h"

struct database;

#define DATABASE_FILE "history.db"
#define DATABASE_DAMAGED DATABASE_FILE ".damaged"

/* max_size bounds the file and its write-ahead log together. */
int database_open(const char *dir, uint64_t max_size, struct database **ret);
struct database *database_close(struct database *db); /* takes NULL, returns NULL */
/* Puts a file that cannot be used aside, as history.db.damaged; an older one is replaced. */
int database_put_aside(const char *dir);

/* Adds a segment, whose id must be new; makes room by dropping the oldest ones. */
int database_append(struct database *db, const struct segment *segment);
/* Puts one segment in the place of all of its kind that ended in (after_ns, until_ns]. */
int database_join(struct database *db, uint64_t after_ns, uint64_t until_ns,
		  const struct segment *segment);

/* When the first segment of a kind after a time ended; of level SEGMENT_STEP if steps. -ENOENT: none. */
int database_next(struct database *db, enum segment_kind kind, uint64_t after_ns, bool steps,
		  uint64_t *ret_end_ns);
/* When the first segment of any kind ended. -ENOENT: none. */
int database_first(struct database *db, uint64_t *ret_end_ns);
/* Calls fn for the segments of a kind that ended in (after_ns, until_ns], in that order; stops when fn returns
 * a negative errno, which it returns. Steps with an id above max_step_id are left out. */
int database_each(struct database *db, enum segment_kind kind, uint64_t after_ns, uint64_t until_ns,
		  int64_t max_step_id, int (*fn)(void *userdata, const struct segment *segment),
		  void *userdata);

/* One small piece of giving up: drops segments that ended before a time, then what is over
 * max_size. 1: there is more to do. */
int database_trim(struct database *db, uint64_t before_ns);

uint64_t database_bytes(const struct database *db); /* file and log */
uint64_t database_limit(const struct database *db); /* what segments may take of max_size */
uint64_t database_sample_bytes(const struct database *db); /* what samples take of the file */
/* What the segments of a kind take that ended in (after_ns, until_ns], by reading their rows. */
int database_size(struct database *db, enum segment_kind kind, uint64_t after_ns, uint64_t until_ns,
		  uint64_t *ret_bytes);
int64_t database_last_id(const struct database *db); /* when it was opened */
