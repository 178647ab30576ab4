/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libbpf is quiet here: a refused program is a normal thing on the hook ladder, and what it means is
 * said once, in status, by the collector that wanted it.
 */
#define LOG_COMPONENT "bpf"
#include "collect/shared/bpf.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/util.h"

#define SHARED_MAPS_MAX 8

/* Kernel sizes on 64-bit machines: struct htab_elem before the key, struct bucket. */
#define HASH_ELEMENT 48
#define HASH_BUCKET 16

static const char *const shared_names[] = {
	"scope",      "scope_cgroups", "scope_netns", "scope_netns_cookies",
	"scope_pids", "sockets",       "claims",      "socket_losses",
};
_Static_assert(ARRAY_SIZE(shared_names) <= SHARED_MAPS_MAX, "shared maps");

DEFINE_CLEANUP(DIR *, closedir)

struct bpf_env {
	int fds[SHARED_MAPS_MAX]; /* as shared_names; -EBADF: nobody brought it yet */
	struct bpf_env_figures figures;
	uint64_t load_started_ns;
};

/* libbpf has one callback for the process and no userdata. */
static char last_message[256];

__attribute__((format(printf, 2, 0))) static int on_libbpf_message(enum libbpf_print_level level,
								   const char *format, va_list ap)
{
	char text[512];
	size_t n;

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(text, sizeof(text), format, ap);
	n = strcspn(text, "\n");
	text[n] = 0;
	if (level == LIBBPF_WARN && n)
		snprintf(last_message, sizeof(last_message), "%.*s", (int)sizeof(last_message) - 1,
			 text);
	log_debug("%s", text);
	return 0;
}

int bpf_env_new(struct bpf_env **ret)
{
	struct bpf_env *env = calloc(1, sizeof(*env));

	if (!env)
		return -ENOMEM;
	for (size_t i = 0; i < SHARED_MAPS_MAX; i++)
		env->fds[i] = -EBADF;
	libbpf_set_print(on_libbpf_message);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	*ret = env;
	return 0;
}

struct bpf_env *bpf_env_free(struct bpf_env *env)
{
	if (!env)
		return NULL;
	for (size_t i = 0; i < SHARED_MAPS_MAX; i++)
		close_fd(env->fds[i]);
	free(env);
	return NULL;
}

static int shared_index(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(shared_names); i++)
		if (streq(name, shared_names[i]))
			return i;
	return -ENOENT;
}

int bpf_env_map(const struct bpf_env *env, const char *name)
{
	int i = shared_index(name);

	return i < 0 || env->fds[i] < 0 ? -ENOENT : env->fds[i];
}

const char *bpf_env_message(const struct bpf_env *env)
{
	return last_message;
}

struct bpf_env_figures bpf_env_figures(const struct bpf_env *env)
{
	return env->figures;
}

int bpf_env_before_load(struct bpf_env *env, struct bpf_object *object)
{
	struct bpf_map *map;
	int i, r;

	bpf_object__for_each_map(map, object)
	{
		i = shared_index(bpf_map__name(map));
		if (i < 0 || env->fds[i] < 0)
			continue;
		r = bpf_map__reuse_fd(map, env->fds[i]);
		if (r < 0)
			return r;
	}
	last_message[0] = 0;
	env->load_started_ns = now_ns(CLOCK_MONOTONIC);
	return 0;
}

static unsigned count_programs(const struct bpf_object *object)
{
	struct bpf_program *program;
	unsigned n = 0;

	bpf_object__for_each_program(program, object) n += bpf_program__fd(program) >= 0;
	return n;
}

int bpf_env_after_load(struct bpf_env *env, struct bpf_object *object, int r)
{
	struct bpf_map *map;
	int i;

	env->figures.attempts++;
	env->figures.seconds +=
		(double)(now_ns(CLOCK_MONOTONIC) - env->load_started_ns) / NSEC_PER_SEC;
	if (r < 0) {
		env->figures.failures++;
		return r;
	}
	env->figures.programs += count_programs(object);
	bpf_object__for_each_map(map, object)
	{
		i = shared_index(bpf_map__name(map));
		if (i < 0 || env->fds[i] >= 0)
			continue;
		env->fds[i] = dup(bpf_map__fd(map));
		if (env->fds[i] < 0)
			return -errno;
		env->figures.shared_bytes += bpf_map_footprint(map, 0);
	}
	return 0;
}

static uint64_t round_up_8(uint64_t n)
{
	return (n + 7) & ~UINT64_C(7);
}

int bpf_counter_read(int map_fd, uint32_t index, uint64_t *ret)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *values = calloc(cpus, sizeof(*values));
	uint64_t sum = 0;

	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(map_fd, &index, values) < 0)
		return -errno;
	for (int i = 0; i < cpus; i++)
		sum += values[i];
	*ret = sum;
	return 0;
}

static uint64_t power_of_two_above(uint64_t n)
{
	uint64_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

uint64_t bpf_map_footprint(const struct bpf_map *map, uint64_t n)
{
	uint64_t max = bpf_map__max_entries(map);
	uint64_t key = round_up_8(bpf_map__key_size(map));
	uint64_t value = round_up_8(bpf_map__value_size(map));
	unsigned cpus = libbpf_num_possible_cpus();

	if (!(bpf_map__map_flags(map) & BPF_F_NO_PREALLOC))
		n = max;
	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
		return power_of_two_above(max) * HASH_BUCKET + n * (HASH_ELEMENT + key + value);
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return max * (8 + value * cpus);
	case BPF_MAP_TYPE_RINGBUF:
		return max;
	case BPF_MAP_TYPE_SK_STORAGE: /* goes with the sockets; not known from here */
		return 0;
	default:
		return max * value;
	}
}

static uint64_t program_bytes(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (bpf_program__fd(program) < 0 ||
	    bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) < 0)
		return 0;
	return info.xlated_prog_len + info.jited_prog_len;
}

uint64_t bpf_object_footprint(const struct bpf_env *env, const struct bpf_object *object)
{
	struct bpf_program *program;
	struct bpf_map *map;
	uint64_t sum = 0;

	bpf_object__for_each_map(map, object) if (shared_index(bpf_map__name(map)) < 0) sum +=
		bpf_map_footprint(map, 0);
	bpf_object__for_each_program(program, object) sum += program_bytes(program);
	return sum;
}

static bool tell_map(uint32_t id, uint64_t bytes,
		     void (*fn)(void *userdata, const struct bpf_held_map *map), void *userdata)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);
	_cleanup_close_ int fd = bpf_map_get_fd_by_id(id);
	struct bpf_held_map map;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return false; /* gone meanwhile */
	map = (struct bpf_held_map){
		.id = info.id,
		.name = info.name,
		.type = libbpf_bpf_map_type_str(info.type) ?: "unknown",
		.key_size = info.key_size,
		.value_size = info.value_size,
		.max_entries = info.max_entries,
		.bytes = bytes,
	};
	fn(userdata, &map);
	return true;
}

/* The map that a descriptor is of, and what the kernel says that it takes. False: it is of none. */
static bool read_map_id(int directory, const char *name, uint32_t *ret_id, uint64_t *ret_bytes)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	_cleanup_fclose_ FILE *f = fd >= 0 ? fdopen(fd, "re") : NULL;
	bool found = false;
	char line[128];

	*ret_bytes = 0;
	while (f && fgets(line, sizeof(line), f)) {
		found |= sscanf(line, "map_id: %" SCNu32, ret_id) == 1;
		sscanf(line, "memlock: %" SCNu64, ret_bytes);
	}
	return found;
}

static bool is_among(uint32_t id, const uint32_t *ids, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

void bpf_each_held_map(void (*fn)(void *userdata, const struct bpf_held_map *map), void *userdata)
{
	_cleanup_(closedir_p) DIR *dir = opendir("/proc/self/fdinfo");
	uint32_t told[BPF_HELD_MAPS_MAX], id;
	struct dirent *entry;
	uint64_t bytes;
	unsigned n = 0;

	while (dir && (entry = readdir(dir)) && n < BPF_HELD_MAPS_MAX)
		if (read_map_id(dirfd(dir), entry->d_name, &id, &bytes) && !is_among(id, told, n) &&
		    tell_map(id, bytes, fn, userdata))
			told[n++] = id;
}
