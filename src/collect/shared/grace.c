/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's maybe_wait_bpf_programs() (kernel/bpf/syscall.c) is what waits. */
#include "collect/shared/grace.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>

#include "base/cleanup.h"

int grace_init(struct grace *g, const struct bpf_map *map)
{
	g->map_fd = bpf_map__fd(map);
	g->inner_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "grace_inner", sizeof(uint32_t),
				     sizeof(uint32_t), 1, NULL);
	return g->inner_fd < 0 ? -errno : 0;
}

void grace_done(struct grace *g)
{
	g->inner_fd = close_fd(g->inner_fd);
}

int grace_wait(const struct grace *g)
{
	uint32_t zero = 0;

	return bpf_map_update_elem(g->map_fd, &zero, &g->inner_fd, BPF_ANY) < 0 ? -errno : 0;
}
