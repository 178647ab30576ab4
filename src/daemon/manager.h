/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns every part of the running daemon and joins them: the only place that knows all rooms. Parts
 * come up in the order of the road and go down in the opposite one.
 */
#pragma once

#include <stdbool.h>

struct manager;

struct manager_arguments { /* borrowed; from the command line */
	const char *config_path; /* NULL: SYSCONFDIR/ebpfobs/ebpfobsd.yaml, if it is there */
	const char *socket_path;
	const char *state_dir; /* NULL: store.path */
	const char *runtime_dir;
};

/* Loads the configuration and starts everything. What was wrong is logged. */
int manager_new(const struct manager_arguments *arguments, struct manager **ret);
/* Runs until SIGTERM or SIGINT; 0 then. */
int manager_run(struct manager *manager);
struct manager *manager_free(struct manager *manager); /* takes NULL */

/* --check-config: 0, or -EINVAL with a line per mistake on stderr. */
int manager_check_config(const struct manager_arguments *arguments);
/* --cleanup: removes from the kernel what an earlier run left behind. */
int manager_cleanup(const struct manager_arguments *arguments);
