/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What all BPF skeletons of the daemon have in common: maps that they share by name, libbpf's
 * messages, what loading took, and the size of what is in the kernel.
 */
#pragma once

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_env;

/* Also routes libbpf's messages: to debug logging, the last warning to bpf_env_message(). */
int bpf_env_new(struct bpf_env **ret);
struct bpf_env *bpf_env_free(struct bpf_env *env); /* takes NULL */

/*
 * Around the load of a skeleton: before() makes the object use the shared maps that exist already
 * (those of bpf/lib: "scope*", "sockets", "claims", "socket_losses"); after() remembers the ones that this object
 * brought first, and counts. Returns r.
 */
int bpf_env_before_load(struct bpf_env *env, struct bpf_object *object);
int bpf_env_after_load(struct bpf_env *env, struct bpf_object *object, int r);

/* The descriptor of a shared map, or -ENOENT. Borrowed. */
int bpf_env_map(const struct bpf_env *env, const char *name);

/* What all CPUs together have at an index of a per-CPU array of __u64. */
int bpf_counter_read(int map_fd, uint32_t index, uint64_t *ret);

/* The last warning of libbpf or the verifier, one line, for a reason in status. */
const char *bpf_env_message(const struct bpf_env *env);

struct bpf_env_figures {
	unsigned attempts, failures; /* objects */
	unsigned programs; /* loaded now, stubs not counted */
	double seconds; /* spent loading */
	uint64_t shared_bytes; /* of the shared maps */
};
struct bpf_env_figures bpf_env_figures(const struct bpf_env *env);

/* Bytes that a map takes with n entries in use (which matters only where the kernel allocates them
 * one by one). From the kernel's structures: 48 bytes per hash element, 16 per bucket. */
uint64_t bpf_map_footprint(const struct bpf_map *map, uint64_t n);
/* Of all maps of the object but the shared ones, and its programs. Hash maps without preallocation
 * are taken as empty. */
uint64_t bpf_object_footprint(const struct bpf_env *env, const struct bpf_object *object);

struct bpf_held_map {
	uint32_t id;
	const char *name, *type;
	uint32_t key_size, value_size, max_entries;
	uint64_t bytes; /* that the kernel says it takes; before 6.4 as if it were full */
};
#define BPF_HELD_MAPS_MAX 256
/* Calls fn once for each map that this process holds descriptors of, at most BPF_HELD_MAPS_MAX. */
void bpf_each_held_map(void (*fn)(void *userdata, const struct bpf_held_map *map), void *userdata);

static inline void bpf_env_free_p(struct bpf_env **env)
{
	bpf_env_free(*env);
}
