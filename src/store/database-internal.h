/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What database.c and database-open.c share: the connection and its statements. */
#pragma once

#include <sqlite3.h>

#include "base/cleanup.h"
#include "store/database.h"

#define DATABASE_LOG_RESERVE ((uint64_t)8 << 20) /* of max_size */

/* What a segment takes beside its data: its columns and indexes, and what pages leave empty. */
#define DATABASE_ROW_BYTES 1024

enum statement {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_INSERT,
	SQL_DELETE_RANGE,
	SQL_DELETE_BEFORE,
	SQL_FIRST,
	SQL_NEXT,
	SQL_NEXT_STEP,
	SQL_EACH,
	SQL_SIZE,
	SQL_SIZE_BEFORE,
	SQL_PAGES,
	SQL_FREE_PAGES,
	SQL_VACUUM,
	SQL_CHECKPOINT,
	SQL_MAX_,
};

struct database {
	sqlite3 *sqlite;
	sqlite3_stmt *statements[SQL_MAX_];
	char *path, *log_path;
	uint64_t max_size, page_size;
	int64_t last_id;
	uint64_t sample_bytes; /* see database_sample_bytes() */
};

DEFINE_CLEANUP(struct database *, database_close)

/* The errno of a SQLite result; 0 of the three that mean success. */
int database_error(struct database *db, int result);
