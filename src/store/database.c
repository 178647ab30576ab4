/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * WAL with synchronous=NORMAL: a commit is one append without fsync, so a crash of the machine may
 * lose the last seconds but never the file; a killed daemon loses nothing that was committed
 * (https://sqlite.org/pragma.html#pragma_synchronous).
 *
 * Size. Pages that a dropped segment leaves are used again by the next. The file grows to max_size
 * less LOG_RESERVE, which is for the log: 1000 pages until the automatic checkpoint, plus the
 * transaction that reaches it. Only when max_size was lowered must the file shrink, step by step
 * (auto_vacuum=INCREMENTAL).
 */
#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/util.h"

#define APPLICATION_ID 0x65626f73 /* "ebos", in the file's header */
#define SCHEMA_VERSION 1
#define LOG_RESERVE ((uint64_t)8 << 20)
#define CACHE_KIB 512
#define TRIM_SEGMENTS 16 /* dropped at once */

enum statement {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_INSERT,
	SQL_DELETE_RANGE,
	SQL_DELETE_BEFORE,
	SQL_NEXT,
	SQL_NEXT_STEP,
	SQL_EACH,
	SQL_PAGES,
	SQL_FREE_PAGES,
	SQL_VACUUM,
	SQL_CHECKPOINT,
	SQL_MAX_,
};

static const char *const statements[SQL_MAX_] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_INSERT] = "INSERT INTO segment (id, level, start, end, rows, data)"
		       " VALUES (?, ?, ?, ?, ?, ?)",
	[SQL_DELETE_RANGE] = "DELETE FROM segment WHERE end > ? AND end <= ?",
	[SQL_DELETE_BEFORE] =
		"DELETE FROM segment WHERE id IN (SELECT id FROM segment WHERE end < ?"
		" ORDER BY end LIMIT ?)",
	[SQL_NEXT] = "SELECT min(end) FROM segment WHERE end > ?",
	[SQL_NEXT_STEP] = "SELECT min(end) FROM segment WHERE level = 0 AND end > ?",
	[SQL_EACH] = "SELECT id, level, start, end, rows, data FROM segment"
		     " WHERE end > ? AND end <= ? AND (level > 0 OR id <= ?) ORDER BY end, id",
	[SQL_PAGES] = "PRAGMA page_count",
	[SQL_FREE_PAGES] = "PRAGMA freelist_count",
	[SQL_VACUUM] = "PRAGMA incremental_vacuum(512)" /* pages: a small piece */,
	[SQL_CHECKPOINT] = "PRAGMA wal_checkpoint(TRUNCATE)",
};

/* The data come last: small columns are then read without walking a blob's pages. */
static const char schema[] = "CREATE TABLE segment (id INTEGER PRIMARY KEY, level INTEGER NOT NULL,"
			     " start INTEGER NOT NULL, end INTEGER NOT NULL, rows INTEGER NOT NULL,"
			     " data BLOB NOT NULL);"
			     "CREATE INDEX segment_end ON segment (end);"
			     "CREATE INDEX segment_step ON segment (end) WHERE level = 0;";

struct database {
	sqlite3 *sqlite;
	sqlite3_stmt *statements[SQL_MAX_];
	char *path, *log_path;
	uint64_t max_size, page_size;
	int64_t last_id;
};

DEFINE_CLEANUP(struct database *, database_close)
DEFINE_CLEANUP(char *, sqlite3_free)

static int io_error(struct database *db)
{
	int error = sqlite3_system_errno(db->sqlite);

	return error > 0 ? -error : -EIO;
}

/* The errno of a SQLite result; 0 of the three that mean success. */
static int error_of(struct database *db, int result)
{
	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_SCHEMA:
	case SQLITE_CONSTRAINT: /* an id that is there already */
	case SQLITE_ERROR: /* a table that is not the one that we made */
		return -EUCLEAN;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_TOOBIG:
		return -EFBIG;
	default:
		return io_error(db);
	}
}

static int execute(struct database *db, const char *sql)
{
	return error_of(db, sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL));
}

/* Binds up to three numbers and steps once; the statement must be reset afterwards. */
static sqlite3_stmt *bound(struct database *db, enum statement which, int64_t a, int64_t b,
			   int64_t c)
{
	sqlite3_stmt *s = db->statements[which];
	const int64_t values[] = { a, b, c };

	for (int i = 0; i < sqlite3_bind_parameter_count(s); i++)
		sqlite3_bind_int64(s, i + 1, values[i]);
	return s;
}

/* Runs a statement to its end. */
static int run(struct database *db, enum statement which, int64_t a, int64_t b)
{
	sqlite3_stmt *s = bound(db, which, a, b, 0);
	int r;

	while ((r = sqlite3_step(s)) == SQLITE_ROW)
		;
	r = error_of(db, r);
	sqlite3_reset(s);
	return r;
}

/* The first number that a statement yields. -ENOENT: no row, or NULL. */
static int number_of(struct database *db, enum statement which, int64_t a, uint64_t *ret)
{
	sqlite3_stmt *s = bound(db, which, a, 0, 0);
	int r = sqlite3_step(s);

	if (r == SQLITE_ROW && sqlite3_column_type(s, 0) == SQLITE_INTEGER) {
		*ret = (uint64_t)sqlite3_column_int64(s, 0);
		r = 0;
	} else {
		r = error_of(db, r);
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

static int pragma_number(struct database *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *s = NULL;
	int r;

	r = sqlite3_prepare_v2(db->sqlite, sql, -1, &s, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_step(s);
	if (r == SQLITE_ROW)
		*ret = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return error_of(db, r);
}

static int make_schema(struct database *db)
{
	_cleanup_(sqlite3_free_p) char *sql = NULL;

	sql = sqlite3_mprintf("BEGIN IMMEDIATE; %s PRAGMA application_id = %d;"
			      "PRAGMA user_version = %d; COMMIT;",
			      schema, APPLICATION_ID, SCHEMA_VERSION);
	return sql ? execute(db, sql) : -ENOMEM;
}

/* Makes the schema in a new file; refuses a file that is not one of ours. */
static int check_schema(struct database *db)
{
	int64_t tables = 0, application = 0, version = 0;
	int r;

	r = pragma_number(db, "SELECT count(*) FROM sqlite_master", &tables);
	if (r < 0)
		return r;
	if (tables == 0)
		return make_schema(db);
	r = pragma_number(db, "PRAGMA application_id", &application);
	if (r >= 0)
		r = pragma_number(db, "PRAGMA user_version", &version);
	if (r < 0)
		return r;
	return application == APPLICATION_ID && version == SCHEMA_VERSION ? 0 : -EUCLEAN;
}

/* auto_vacuum before the first page is written, the locking mode before WAL is entered. */
static int configure(struct database *db)
{
	_cleanup_(sqlite3_free_p) char *sql = NULL;
	int64_t page_size = 0;
	int r;

	sqlite3_extended_result_codes(db->sqlite, 1);
	sqlite3_limit(db->sqlite, SQLITE_LIMIT_LENGTH, SEGMENT_BYTES_MAX + 4096);
	sql = sqlite3_mprintf("PRAGMA trusted_schema = OFF; PRAGMA locking_mode = EXCLUSIVE;"
			      "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;"
			      "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -%d;"
			      "PRAGMA journal_size_limit = %llu",
			      CACHE_KIB, (unsigned long long)LOG_RESERVE);
	r = sql ? execute(db, sql) : -ENOMEM;
	if (r < 0)
		return r;
	r = check_schema(db);
	if (r < 0)
		return r;
	r = pragma_number(db, "PRAGMA page_size", &page_size);
	db->page_size = (uint64_t)page_size;
	return r;
}

static int prepare(struct database *db)
{
	int r;

	for (int i = 0; i < SQL_MAX_; i++) {
		r = sqlite3_prepare_v3(db->sqlite, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &db->statements[i], NULL);
		if (r != SQLITE_OK)
			return error_of(db, r);
	}
	r = pragma_number(db, "SELECT max(id) FROM segment", &db->last_id);
	if (r >= 0 && (db->last_id < 0 || db->last_id > INT64_MAX / 2))
		r = -EUCLEAN; /* nobody counts that far */
	return r;
}

/* With the mode that SQLite gives to the log as well; its own default is 0644. */
static int make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);

	if (fd < 0)
		return -errno;
	close_fd(fd);
	return 0;
}

int database_open(const char *dir, uint64_t max_size, struct database **ret)
{
	_cleanup_(database_close_p) struct database *db = calloc(1, sizeof(*db));
	int r;

	if (!db)
		return -ENOMEM;
	db->max_size = max_size;
	db->path = sqlite3_mprintf("%s/" DATABASE_FILE, dir);
	db->log_path = sqlite3_mprintf("%s/" DATABASE_FILE "-wal", dir);
	if (!db->path || !db->log_path)
		return -ENOMEM;
	r = make_file(db->path);
	if (r < 0)
		return r;
	r = sqlite3_open_v2(db->path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    NULL);
	if (r != SQLITE_OK)
		return db->sqlite ? error_of(db, r) : -ENOMEM;
	r = configure(db);
	if (r >= 0)
		r = prepare(db);
	if (r < 0)
		return r;
	*ret = TAKE(db);
	return 0;
}

struct database *database_close(struct database *db)
{
	if (!db)
		return NULL;
	for (int i = 0; i < SQL_MAX_; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close(db->sqlite);
	sqlite3_free(db->path);
	sqlite3_free(db->log_path);
	free(db);
	return NULL;
}

/* The log goes along under the name that SQLite looks for, so that tools can still read both. */
int database_put_aside(const char *dir)
{
	static const char *const suffixes[] = { "-wal", "-journal", "" };
	_cleanup_(sqlite3_free_p) char *from = NULL, *to = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		sqlite3_free(from);
		sqlite3_free(to);
		from = sqlite3_mprintf("%s/" DATABASE_FILE "%s", dir, suffixes[i]);
		to = sqlite3_mprintf("%s/" DATABASE_DAMAGED "%s", dir, suffixes[i]);
		if (!from || !to)
			return -ENOMEM;
		if (rename(from, to) < 0 && (errno != ENOENT || unlink(to) < 0) && errno != ENOENT)
			return -errno;
	}
	return 0;
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

static uint64_t file_limit(const struct database *db)
{
	return db->max_size > 2 * LOG_RESERVE ? db->max_size - LOG_RESERVE : db->max_size / 2;
}

/* Bytes of the file: all pages, and those that hold something. */
static int measure(struct database *db, uint64_t *ret_all, uint64_t *ret_used)
{
	uint64_t pages, free_pages;
	int r;

	r = number_of(db, SQL_PAGES, 0, &pages);
	if (r >= 0)
		r = number_of(db, SQL_FREE_PAGES, 0, &free_pages);
	if (r < 0)
		return r;
	*ret_all = pages * db->page_size;
	*ret_used = (pages - free_pages) * db->page_size;
	return 0;
}

/* Drops the oldest segments that ended before a time. 1: some were; 0: there are none. */
static int drop_oldest(struct database *db, uint64_t before_ns)
{
	int r;

	r = run(db, SQL_DELETE_BEFORE, signed_ns(before_ns), TRIM_SEGMENTS);
	return r < 0 ? r : sqlite3_changes(db->sqlite) > 0;
}

static int make_room(struct database *db, uint64_t bytes)
{
	uint64_t all, used;
	int r;

	if (bytes > file_limit(db) / 2)
		return -EFBIG;
	do {
		r = measure(db, &all, &used);
		if (r < 0 || used + bytes <= file_limit(db))
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
	r = error_of(db, sqlite3_step(s));
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return r;
}

int database_append(struct database *db, const struct segment *segment)
{
	int r;

	r = make_room(db, segment->size);
	return r < 0 ? r : insert(db, segment);
}

int database_join(struct database *db, uint64_t after_ns, uint64_t until_ns,
		  const struct segment *segment)
{
	int r;

	r = run(db, SQL_BEGIN, 0, 0);
	if (r < 0)
		return r;
	r = run(db, SQL_DELETE_RANGE, signed_ns(after_ns), signed_ns(until_ns));
	if (r >= 0)
		r = insert(db, segment);
	if (r >= 0)
		r = run(db, SQL_COMMIT, 0, 0);
	/* A full disk may have rolled back by itself (https://sqlite.org/lang_transaction.html). */
	if (r < 0 && !sqlite3_get_autocommit(db->sqlite))
		run(db, SQL_ROLLBACK, 0, 0);
	return r;
}

int database_next(struct database *db, uint64_t after_ns, bool steps, uint64_t *ret_end_ns)
{
	return number_of(db, steps ? SQL_NEXT_STEP : SQL_NEXT, signed_ns(after_ns), ret_end_ns);
}

static void segment_of(sqlite3_stmt *s, struct segment *ret)
{
	*ret = (struct segment){
		.id = sqlite3_column_int64(s, 0),
		.level = sqlite3_column_int(s, 1) == SEGMENT_STEP ? SEGMENT_STEP : SEGMENT_MINUTE,
		.start_ns = (uint64_t)sqlite3_column_int64(s, 2),
		.end_ns = (uint64_t)sqlite3_column_int64(s, 3),
		.rows = (uint64_t)sqlite3_column_int64(s, 4),
		.data = (void *)sqlite3_column_blob(s, 5),
		.size = (size_t)sqlite3_column_bytes(s, 5),
	};
}

int database_each(struct database *db, uint64_t after_ns, uint64_t until_ns, int64_t max_step_id,
		  int (*fn)(void *userdata, const struct segment *segment), void *userdata)
{
	sqlite3_stmt *s =
		bound(db, SQL_EACH, signed_ns(after_ns), signed_ns(until_ns), max_step_id);
	struct segment segment;
	int r = 0, step;

	while (r >= 0 && (step = sqlite3_step(s)) == SQLITE_ROW) {
		segment_of(s, &segment);
		r = fn(userdata, &segment);
	}
	if (r >= 0)
		r = error_of(db, step);
	sqlite3_reset(s);
	return r;
}

/* 1: the file will be smaller. */
static int give_pages_back(struct database *db, uint64_t all)
{
	uint64_t left, used;
	int r;

	r = run(db, SQL_VACUUM, 0, 0);
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
	if (used > file_limit(db))
		return drop_oldest(db, UINT64_MAX);
	if (all > file_limit(db))
		return give_pages_back(db, all);
	return database_bytes(db) > db->max_size ? run(db, SQL_CHECKPOINT, 0, 0) : 0;
}
