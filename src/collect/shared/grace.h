/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waits until no BPF program runs that ran when the wait began, and so none that has seen what was
 * changed before. Some tens of milliseconds: for a worker.
 */
#pragma once

struct bpf_map;

struct grace {
	int map_fd; /* borrowed: the map "grace" of bpf/lib/grace.h */
	int inner_fd; /* what is put into it, again and again */
};

/* -errno of bpf(2). */
int grace_init(struct grace *grace, const struct bpf_map *map);
void grace_done(struct grace *grace); /* after grace_init(), also a failed one */

int grace_wait(const struct grace *grace);
