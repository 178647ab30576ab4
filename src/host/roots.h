/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the host shows itself. The tests point these at trees that they made; a container that was
 * given the host's files elsewhere can do the same.
 */
#pragma once

struct host_roots {
	const char *proc; /* "/proc" */
	const char *cgroup; /* the cgroup v2 mount; NULL: the one that proc/self/mountinfo names */
	const char *files; /* "/": /etc/passwd and the container runtimes' state are below it */
};

extern const struct host_roots host_roots_machine;
