/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Segments in and out, and the size. Pages that a dropped segment leaves are used again by the next.
 * The file grows to max_size less DATABASE_LOG_RESERVE, which is for the log: 1000 pages until the
 * automatic checkpoint, plus the transaction that reaches it. Only when max_size was lowered must the
 * file shrink, step by step (auto_vacuum=INCREMENTAL).
 */
#include "store/database-internal.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/util.h"

#define TRIM_SEGMENTS 16 /* dropped at once */

/* A statement with up to four numbers bound; whoever steps it resets it. */
static sqlite3_stmt *bound(struct database *db, enum statement which, int64_t a, int64_t b,
			   int64_t c, int64_t d)
{
	sqlite3_stmt *s = db->statements[which];
	const int64_t values[] = { a, b, c, d };

	for (int i = 0; i < sqlite3_bind_parameter_count(s); i++)
		sqlite3_bind_int64(s, i + 1, values[i]);
	return s;
}

/* Runs a statement to its end. */
static int run(struct database *db, enum statement which, int64_t a, int64_t b, int64_t c)
{
	sqlite3_stmt *s = bound(db, which, a, b, c, 0);
	int r;

	while ((r = sqlite3_step(s)) == SQLITE_ROW)
		;
	r = database_error(db, r);
	sqlite3_reset(s);
	return r;
}

/* The first number that a statement yields. -ENOENT: no row, or NULL. */
static int number_of(struct database *db, enum statement which, int64_t a, int64_t b, int64_t c,
		     uint64_t *ret)
{
	sqlite3_stmt *s = bound(db, which, a, b, c, 0);
	int r = sqlite3_step(s);

	if (r == SQLITE_ROW && sqlite3_column_type(s, 0) == SQLITE_INTEGER) {
		*ret = (uint64_t)sqlite3_column_int64(s, 0);
		r = 0;
	} else {
		r = database_error(db, r);
		r = r < 0 ? r : -ENOENT;
	}
	sqlite3_reset(s);
	return r;
}

/* SQLite's integers are signed; a time beyond them means "any". */
static int64_t signed_ns(uint64_t ns)
{
	return (int64_t)MIN(ns, (uint64_t)INT64_MAX);
}

static uint64_t file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

uint64_t database_bytes(const struct database *db)
{
	return file_size(db->path) + file_size(db->log_path);
}

int64_t database_last_id(const struct database *db)
{
	return db->last_id;
}

uint64_t database_limit(const struct database *db)
{
	return db->max_size > 2 * DATABASE_LOG_RESERVE ? db->max_size - DATABASE_LOG_RESERVE
						       : db->max_size / 2;
}

/* The sum that a statement yields; 0 of no rows. */
static int sum_of(struct database *db, enum statement which, int64_t a, int64_t b, int64_t c,
		  uint64_t *ret)
{
	uint64_t sum = 0;
	int r;

	r = number_of(db, which, a, b, c, &sum);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret = sum;
	return 0;
}

int database_size(struct database *db, enum segment_kind kind, uint64_t after_ns, uint64_t until_ns,
		  uint64_t *ret_bytes)
{
	return sum_of(db, SQL_SIZE, kind, signed_ns(after_ns), signed_ns(until_ns), ret_bytes);
}

uint64_t database_sample_bytes(const struct database *db)
{
	return db->sample_bytes;
}

/* Bytes of the file: all pages, and those that hold something. */
static int measure(struct database *db, uint64_t *ret_all, uint64_t *ret_used)
{
	uint64_t pages, free_pages;
	int r;

	r = number_of(db, SQL_PAGES, 0, 0, 0, &pages);
	if (r >= 0)
		r = number_of(db, SQL_FREE_PAGES, 0, 0, 0, &free_pages);
	if (r < 0)
		return r;
	*ret_all = pages * db->page_size;
	*ret_used = (pages - free_pages) * db->page_size;
	return 0;
}

/* Drops the oldest segments that ended before a time. 1: some were; 0: there are none. */
static int drop_oldest(struct database *db, uint64_t before_ns)
{
	uint64_t samples;
	int r;

	r = sum_of(db, SQL_SIZE_BEFORE, signed_ns(before_ns), TRIM_SEGMENTS, 0, &samples);
	if (r >= 0)
		r = run(db, SQL_DELETE_BEFORE, signed_ns(before_ns), TRIM_SEGMENTS, 0);
	if (r < 0)
		return r;
	db->sample_bytes -= MIN(samples, db->sample_bytes);
	return sqlite3_changes(db->sqlite) > 0;
}

static int make_room(struct database *db, uint64_t bytes)
{
	uint64_t all, used;
	int r;

	if (bytes > database_limit(db) / 2)
		return -EFBIG;
	do {
		r = measure(db, &all, &used);
		if (r < 0 || used + bytes <= database_limit(db))
			return r;
		r = drop_oldest(db, UINT64_MAX);
	} while (r > 0);
	return r;
}

static int insert(struct database *db, const struct segment *segment)
{
	sqlite3_stmt *s = db->statements[SQL_INSERT];
	int r;

	sqlite3_bind_int64(s, 1, segment->id);
	sqlite3_bind_int(s, 2, segment->level);
	sqlite3_bind_int64(s, 3, signed_ns(segment->start_ns));
	sqlite3_bind_int64(s, 4, signed_ns(segment->end_ns));
	sqlite3_bind_int64(s, 5, (int64_t)segment->rows);
	sqlite3_bind_blob64(s, 6, segment->data, segment->size, SQLITE_STATIC);
	sqlite3_bind_int(s, 7, segment->kind);
	r = database_error(db, sqlite3_step(s));
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	if (r >= 0 && segment->kind == SEGMENT_SAMPLES)
		db->sample_bytes += segment->size + DATABASE_ROW_BYTES;
	return r;
}

int database_append(struct database *db, const struct segment *segment)
{
	int r;

	r = make_room(db, segment->size);
	return r < 0 ? r : insert(db, segment);
}

static int replace(struct database *db, uint64_t after_ns, uint64_t until_ns,
		   const struct segment *segment)
{
	uint64_t before = 0;
	int r = 0;

	if (segment->kind == SEGMENT_SAMPLES)
		r = database_size(db, segment->kind, after_ns, until_ns, &before);
	if (r >= 0)
		r = run(db, SQL_DELETE_RANGE, segment->kind, signed_ns(after_ns),
			signed_ns(until_ns));
	if (r < 0)
		return r;
	db->sample_bytes -= MIN(before, db->sample_bytes);
	return insert(db, segment);
}

int database_join(struct database *db, uint64_t after_ns, uint64_t until_ns,
		  const struct segment *segment)
{
	uint64_t samples = db->sample_bytes;
	int r;

	r = run(db, SQL_BEGIN, 0, 0, 0);
	if (r < 0)
		return r;
	r = replace(db, after_ns, until_ns, segment);
	if (r >= 0)
		r = run(db, SQL_COMMIT, 0, 0, 0);
	if (r >= 0)
		return 0;
	db->sample_bytes = samples;
	/* A full disk may have rolled back by itself (https://sqlite.org/lang_transaction.html). */
	if (!sqlite3_get_autocommit(db->sqlite))
		run(db, SQL_ROLLBACK, 0, 0, 0);
	return r;
}

int database_next(struct database *db, enum segment_kind kind, uint64_t after_ns, bool steps,
		  uint64_t *ret_end_ns)
{
	return number_of(db, steps ? SQL_NEXT_STEP : SQL_NEXT, kind, signed_ns(after_ns), 0,
			 ret_end_ns);
}

int database_first(struct database *db, uint64_t *ret_end_ns)
{
	return number_of(db, SQL_FIRST, 0, 0, 0, ret_end_ns);
}

static void segment_of(sqlite3_stmt *s, enum segment_kind kind, struct segment *ret)
{
	*ret = (struct segment){
		.id = sqlite3_column_int64(s, 0),
		.kind = kind,
		.level = sqlite3_column_int(s, 1) == SEGMENT_STEP ? SEGMENT_STEP : SEGMENT_MINUTE,
		.start_ns = (uint64_t)sqlite3_column_int64(s, 2),
		.end_ns = (uint64_t)sqlite3_column_int64(s, 3),
		.rows = (uint64_t)sqlite3_column_int64(s, 4),
		.data = (void *)sqlite3_column_blob(s, 5),
		.size = (size_t)sqlite3_column_bytes(s, 5),
	};
}

int database_each(struct database *db, enum segment_kind kind, uint64_t after_ns, uint64_t until_ns,
		  int64_t max_step_id, int (*fn)(void *userdata, const struct segment *segment),
		  void *userdata)
{
	sqlite3_stmt *s =
		bound(db, SQL_EACH, kind, signed_ns(after_ns), signed_ns(until_ns), max_step_id);
	struct segment segment;
	int r = 0, step;

	while (r >= 0 && (step = sqlite3_step(s)) == SQLITE_ROW) {
		segment_of(s, kind, &segment);
		r = fn(userdata, &segment);
	}
	if (r >= 0)
		r = database_error(db, step);
	sqlite3_reset(s);
	return r;
}

/* 1: the file will be smaller. */
static int give_pages_back(struct database *db, uint64_t all)
{
	uint64_t left, used;
	int r;

	r = run(db, SQL_VACUUM, 0, 0, 0);
	if (r >= 0)
		r = measure(db, &left, &used);
	return r < 0 ? r : left < all;
}

int database_trim(struct database *db, uint64_t before_ns)
{
	uint64_t all, used;
	int r;

	r = drop_oldest(db, before_ns);
	if (r != 0)
		return r;
	r = measure(db, &all, &used);
	if (r < 0)
		return r;
	if (used > database_limit(db))
		return drop_oldest(db, UINT64_MAX);
	if (all > database_limit(db))
		return give_pages_back(db, all);
	return database_bytes(db) > db->max_size ? run(db, SQL_CHECKPOINT, 0, 0, 0) : 0;
}
