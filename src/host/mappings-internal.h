/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of host/mappings share, and its tests. */
#pragma once

#include "host/mappings.h"

#define MAPS_LINE_MAX 8192 /* bytes; a longer one has a path beyond PATH_MAX, which is left out */

/* The lines of a /proc/PID/maps, one after the other. */
struct maps_text {
	int fd; /* borrowed */
	bool long_line; /* its head was given, the rest is to be skipped */
	size_t at, n; /* of buf: what was read and is not used yet */
	char buf[MAPS_LINE_MAX];
};

struct maps_line {
	struct mapping mapping; /* without kind, deleted, path */
	bool executable;
	bool nameless; /* a path that did not fit */
	const char *path; /* in the buffer, until the next line; "" if none */
};

/* The next line; 0 at the end. -EBADMSG: it is none of maps. */
int maps_text_next(struct maps_text *text, struct maps_line *ret);

/* Adds all executable mappings that fd, a /proc/PID/maps, has. Two ways to one result; -ENOTTY: this
 * kernel has not that one. -ESRCH: no memory (any more). */
int mappings_read_text(int fd, struct mappings *m);
int mappings_query(int fd, struct mappings *m);

/* Adds one behind those that are there. kind, deleted and path of it are set here. */
int mappings_add(struct mappings *m, const struct maps_line *line);
