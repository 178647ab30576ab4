/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening, and what to make of errors.
 *
 * WAL with synchronous=NORMAL: a commit is one append without fsync, so a crash of the machine may
 * lose the last seconds but never the file; a killed daemon loses nothing that was committed
 * (https://sqlite.org/pragma.html#pragma_synchronous).
 */
#include "store/database-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"

#define APPLICATION_ID 0x65626f73 /* "ebos", in the file's header */
#define SCHEMA_VERSION 2
#define CACHE_KIB 512

DEFINE_CLEANUP(char *, sqlite3_free)

static const char *const statements[SQL_MAX_] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_INSERT] = "INSERT INTO segment (id, level, start, end, rows, data, kind)"
		       " VALUES (?, ?, ?, ?, ?, ?, ?)",
	[SQL_DELETE_RANGE] = "DELETE FROM segment WHERE kind = ? AND end > ? AND end <= ?",
	[SQL_DELETE_BEFORE] =
		"DELETE FROM segment WHERE id IN (SELECT id FROM segment WHERE end < ?"
		" ORDER BY end LIMIT ?)",
	[SQL_FIRST] = "SELECT min(end) FROM segment",
	[SQL_NEXT] = "SELECT min(end) FROM segment WHERE kind = ? AND end > ?",
	/* Left to itself SQLite takes the other index and looks at each minute's row. */
	[SQL_NEXT_STEP] = "SELECT min(end) FROM segment INDEXED BY segment_step"
			  " WHERE level = 0 AND kind = ? AND end > ?",
	[SQL_EACH] = "SELECT id, level, start, end, rows, data FROM segment"
		     " WHERE kind = ? AND end > ? AND end <= ? AND (level > 0 OR id <= ?) ORDER BY "
		     "end, id",
	/* With DATABASE_ROW_BYTES. The length is in a row's header: no data are read. */
	[SQL_SIZE] = "SELECT sum(length(data) + 1024) FROM segment"
		     " WHERE kind = ? AND end > ? AND end <= ?",
	[SQL_SIZE_BEFORE] = "SELECT sum(length(data) + 1024) FROM segment WHERE +kind = 1 AND id IN"
			    " (SELECT id FROM segment WHERE end < ? ORDER BY end LIMIT ?)",
	[SQL_PAGES] = "PRAGMA page_count",
	[SQL_FREE_PAGES] = "PRAGMA freelist_count",
	[SQL_VACUUM] = "PRAGMA incremental_vacuum(512)" /* pages: a small piece */,
	[SQL_CHECKPOINT] = "PRAGMA wal_checkpoint(TRUNCATE)",
};

/* The data come after the small columns: those are then read without walking a blob's pages. */
static const char schema_1[] =
	"CREATE TABLE segment (id INTEGER PRIMARY KEY, level INTEGER NOT NULL,"
	" start INTEGER NOT NULL, end INTEGER NOT NULL, rows INTEGER NOT NULL, data BLOB NOT NULL);"
	"CREATE INDEX segment_end ON segment (end);"
	"CREATE INDEX segment_step ON segment (end) WHERE level = 0;";
/* From a file of the version before, whose segments are of flows. (0 and 1 are in a row's header:
 * https://sqlite.org/fileformat2.html#record_format.) */
static const char schema_2[] = "ALTER TABLE segment ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;"
			       "DROP INDEX segment_step;"
			       "CREATE INDEX segment_step ON segment (kind, end) WHERE level = 0;"
			       "CREATE INDEX segment_kind ON segment (kind, end);";

static int io_error(struct database *db)
{
	int error = sqlite3_system_errno(db->sqlite);

	return error > 0 ? -error : -EIO;
}

int database_error(struct database *db, int result)
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
	return database_error(db, sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL));
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
	return database_error(db, r);
}

/* All of it, or what is new since the version before. */
static int make_schema(struct database *db, bool all)
{
	_cleanup_(sqlite3_free_p) char *sql = NULL;
	int r;

	sql = sqlite3_mprintf("BEGIN IMMEDIATE; %s %s PRAGMA application_id = %d;"
			      "PRAGMA user_version = %d; COMMIT;",
			      all ? schema_1 : "", schema_2, APPLICATION_ID, SCHEMA_VERSION);
	r = sql ? execute(db, sql) : -ENOMEM;
	if (r < 0 && !sqlite3_get_autocommit(db->sqlite))
		execute(db, "ROLLBACK");
	return r;
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
		return make_schema(db, true);
	r = pragma_number(db, "PRAGMA application_id", &application);
	if (r >= 0)
		r = pragma_number(db, "PRAGMA user_version", &version);
	if (r < 0)
		return r;
	if (application != APPLICATION_ID)
		return -EUCLEAN;
	if (version == SCHEMA_VERSION - 1)
		return make_schema(db, false);
	return version == SCHEMA_VERSION ? 0 : -EUCLEAN;
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
			      CACHE_KIB, (unsigned long long)DATABASE_LOG_RESERVE);
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
			return database_error(db, r);
	}
	r = pragma_number(db, "SELECT max(id) FROM segment", &db->last_id);
	if (r >= 0)
		r = database_size(db, SEGMENT_SAMPLES, 0, UINT64_MAX, &db->sample_bytes);
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
		return db->sqlite ? database_error(db, r) : -ENOMEM;
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
