/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file is KIND-VERSION-ID in hexadecimal digits: a header, which says the same once more, and the
 * artefact. Its time of modification is when it was last asked for. It is written under another name
 * and renamed, and not synced: what a crash leaves of it, the check sum finds.
 *
 * The bytes in use are known from one look at the directory and counted from there. Beyond the budget
 * there is a second look, and the oldest go until a sixteenth of it is free, so that looks are few.
 */
#include "base/disk-cache.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compress.h"
#include "base/util.h"

#define MAGIC "ebpfobsc"
#define NAME_LEN (DISK_CACHE_KIND_MAX + 1 + 10 + 1 + 2 * DISK_CACHE_ID_MAX + 1)
#define NEW_NAME "new" /* of what is being written; not a name of ours */
#define BLOCK 4096

struct header {
	char magic[8];
	uint64_t size; /* of what is behind this */
	uint32_t crc; /* of that, CRC-32 */
	uint32_t version;
	char kind[DISK_CACHE_KIND_MAX + 1];
	uint32_t id_size;
	uint32_t unused;
	uint8_t id[DISK_CACHE_ID_MAX];
};
static_assert(sizeof(struct header) % 8 == 0, "an artefact is aligned to 8");

struct disk_cache {
	int dir; /* -errno: there is none */
	int error;
	uint64_t max_bytes;
	uint64_t bytes;
	uint64_t files;
	struct disk_cache_counts counts;
};

/* An artefact in the directory. */
struct file {
	char name[NAME_LEN];
	uint64_t bytes;
	struct timespec used;
};

/* What a file of size bytes counts as. */
static uint64_t blocks(uint64_t size)
{
	return (MAX(size, UINT64_C(1)) + BLOCK - 1) / BLOCK * BLOCK;
}

static void format_name(const struct disk_cache_key *key, char buf[static NAME_LEN])
{
	const uint8_t *id = key->id;
	int n = snprintf(buf, NAME_LEN, "%.*s-%" PRIu32 "-", DISK_CACHE_KIND_MAX, key->kind,
			 key->version);

	for (size_t i = 0; i < MIN(key->id_size, (size_t)DISK_CACHE_ID_MAX); i++)
		n += snprintf(buf + n, NAME_LEN - (size_t)n, "%02x", id[i]);
}

static bool is_name(const char *name)
{
	size_t kind = strspn(name, "abcdefghijklmnopqrstuvwxyz"), version, id;

	if (!kind || name[kind] != '-' || strlen(name) >= NAME_LEN)
		return false;
	name += kind + 1;
	version = strspn(name, "0123456789");
	if (!version || name[version] != '-')
		return false;
	name += version + 1;
	id = strspn(name, "0123456789abcdef");
	return id && !name[id];
}

static void fill_header(const struct disk_cache_key *key, const void *data, size_t size,
			struct header *ret)
{
	*ret = (struct header){
		.size = size,
		.crc = crc32_add(0, data, size),
		.version = key->version,
		.id_size = (uint32_t)key->id_size,
	};
	memcpy(ret->magic, MAGIC, sizeof(ret->magic));
	snprintf(ret->kind, sizeof(ret->kind), "%s", key->kind);
	memcpy(ret->id, key->id, MIN(key->id_size, sizeof(ret->id)));
}

/*
 * The directory.
 */

static int open_directory(const char *path)
{
	_cleanup_close_ int dir = -EBADF;
	struct stat st;

	if (mkdir(path, 0750) < 0 && errno != EEXIST)
		return -errno;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return -EPERM;
	return TAKE_FD(dir);
}

/* One that counted is not there any more. */
static void forget(struct disk_cache *cache, const struct stat *st)
{
	cache->bytes -= MIN(blocks((uint64_t)st->st_size), cache->bytes);
	cache->files -= cache->files > 0;
}

static void discard(struct disk_cache *cache, const char *name)
{
	struct stat st;

	if (fstatat(cache->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    unlinkat(cache->dir, name, 0) == 0)
		forget(cache, &st);
}

/* What has a name of ours and is no file of ours: a link, a directory, somebody else's. */
static bool is_ours(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_uid == geteuid();
}

static int add_file(struct file **files, size_t n, const char *name, const struct stat *st)
{
	struct file *grown;

	if ((n & (n - 1)) == 0) { /* full: 0, 1, 2, 4, ... */
		grown = reallocarray(*files, MAX(2 * n, (size_t)1), sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		*files = grown;
	}
	(*files)[n] = (struct file){ .bytes = blocks((uint64_t)st->st_size), .used = st->st_mtim };
	snprintf((*files)[n].name, NAME_LEN, "%s", name);
	return 0;
}

DEFINE_CLEANUP(DIR *, closedir)

/* All artefacts, in no order. Who put more than twice DISK_CACHE_FILES_MAX there was not we: what is
 * beyond that is removed at once. */
static int list_files(struct disk_cache *cache, struct file **ret, size_t *ret_n)
{
	_cleanup_close_ int dir = openat(cache->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closedir_p) DIR *stream = dir < 0 ? NULL : fdopendir(dir);
	_cleanup_free_ struct file *files = NULL;
	const struct dirent *entry;
	struct stat st;
	size_t n = 0;

	if (!stream)
		return -errno;
	TAKE_FD(dir);
	while ((entry = readdir(stream))) {
		if (!is_name(entry->d_name) ||
		    fstatat(cache->dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (!is_ours(&st) || n == 2 * DISK_CACHE_FILES_MAX) {
			cache->counts.damaged += unlinkat(cache->dir, entry->d_name, 0) == 0;
			continue;
		}
		if (add_file(&files, n, entry->d_name, &st) < 0)
			return -ENOMEM;
		n++;
	}
	*ret = TAKE(files);
	*ret_n = n;
	return 0;
}

static int by_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct file *)a)->used;
	const struct timespec *y = &((const struct file *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* Looks at the directory, and makes room if it has to be. */
static int tidy(struct disk_cache *cache)
{
	_cleanup_free_ struct file *files = NULL;
	uint64_t max_bytes, max_files;
	size_t n = 0;
	int r = list_files(cache, &files, &n);

	if (r < 0)
		return r;
	cache->files = n;
	cache->bytes = 0;
	for (size_t i = 0; i < n; i++)
		cache->bytes += files[i].bytes;
	if (cache->bytes <= cache->max_bytes && cache->files <= DISK_CACHE_FILES_MAX)
		return 0;
	max_bytes = cache->max_bytes / 16 * 15;
	max_files = DISK_CACHE_FILES_MAX / 16 * 15;
	qsort(files, n, sizeof(*files), by_use);
	for (size_t i = 0; i < n && (cache->bytes > max_bytes || cache->files > max_files); i++) {
		discard(cache, files[i].name);
		cache->counts.evicted++;
	}
	return 0;
}

int disk_cache_new(const char *path, uint64_t max_bytes, struct disk_cache **ret)
{
	struct disk_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	cache->max_bytes = max_bytes;
	cache->dir = open_directory(path);
	if (cache->dir >= 0) {
		unlinkat(cache->dir, NEW_NAME, 0); /* of a writer that crashed */
		cache->error = tidy(cache);
	} else {
		cache->error = cache->dir;
	}
	*ret = cache;
	return 0;
}

struct disk_cache *disk_cache_free(struct disk_cache *cache)
{
	if (!cache)
		return NULL;
	close_fd(cache->dir);
	free(cache);
	return NULL;
}

/*
 * One artefact.
 */

/* fd is what key says, whole. */
static int map_file(int fd, const struct disk_cache_key *key, struct disk_cache_view *ret)
{
	struct disk_cache_view view;
	struct header expected;
	struct stat st;

	if (fstat(fd, &st) < 0 || !is_ours(&st) || (uint64_t)st.st_size < sizeof(struct header) ||
	    st.st_size > INT64_MAX / 2)
		return -EBADMSG;
	view.map_size = (size_t)st.st_size;
	view.map = mmap(NULL, view.map_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (view.map == MAP_FAILED)
		return -errno;
	view.data = (const char *)view.map + sizeof(struct header);
	view.size = view.map_size - sizeof(struct header);
	fill_header(key, view.data, view.size, &expected);
	if (memcmp(view.map, &expected, sizeof(expected)) != 0) {
		munmap(view.map, view.map_size);
		return -EBADMSG;
	}
	*ret = view;
	return 0;
}

int disk_cache_get(struct disk_cache *cache, const struct disk_cache_key *key,
		   struct disk_cache_view *ret)
{
	_cleanup_close_ int fd = -EBADF;
	char name[NAME_LEN];
	int r = -ENOENT;

	format_name(key, name);
	if (cache->dir >= 0)
		fd = openat(cache->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		r = map_file(fd, key, ret);
	else if (cache->dir >= 0 && errno == ELOOP)
		r = -EBADMSG;
	if (r == -EBADMSG) {
		discard(cache, name);
		cache->counts.damaged++;
	}
	if (r < 0) {
		cache->counts.misses++;
		return -ENOENT;
	}
	futimens(fd, NULL); /* on a file system that is read-only it stays as it is */
	cache->counts.hits++;
	return 0;
}

void disk_cache_view_done(struct disk_cache_view *view)
{
	if (view->map)
		munmap(view->map, view->map_size);
	*view = (struct disk_cache_view){ 0 };
}

static int write_all(int fd, const void *data, size_t size)
{
	const char *p = data;
	ssize_t n;

	for (; size > 0; p += n, size -= (size_t)n) {
		n = write(fd, p, size);
		if (n < 0)
			return -errno;
	}
	return 0;
}

static int write_file(int dir, const struct header *header, const void *data)
{
	_cleanup_close_ int fd =
		openat(dir, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, header, sizeof(*header));
	return r < 0 ? r : write_all(fd, data, header->size);
}

static int replace(struct disk_cache *cache, const char *name, const struct header *header,
		   const void *data)
{
	struct stat before;
	bool was;
	int r;

	if (cache->dir < 0)
		return cache->dir;
	was = fstatat(cache->dir, name, &before, AT_SYMLINK_NOFOLLOW) == 0;
	r = write_file(cache->dir, header, data);
	if (r == 0 && renameat(cache->dir, NEW_NAME, cache->dir, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(cache->dir, NEW_NAME, 0);
	else if (was)
		forget(cache, &before);
	return r;
}

void disk_cache_put(struct disk_cache *cache, const struct disk_cache_key *key, const void *data,
		    size_t size)
{
	uint64_t bytes = blocks(sizeof(struct header) + size);
	struct header header;
	char name[NAME_LEN];
	int r;

	if (bytes > cache->max_bytes / 4) {
		cache->counts.too_big++;
		return;
	}
	format_name(key, name);
	fill_header(key, data, size, &header);
	r = replace(cache, name, &header, data);
	cache->error = r;
	if (r < 0) {
		cache->counts.failed++;
		return;
	}
	cache->counts.written++;
	cache->files++;
	cache->bytes += bytes;
	if (cache->bytes > cache->max_bytes || cache->files > DISK_CACHE_FILES_MAX)
		cache->error = tidy(cache);
}

uint64_t disk_cache_bytes(const struct disk_cache *cache)
{
	return cache->bytes;
}

const struct disk_cache_counts *disk_cache_counts(const struct disk_cache *cache)
{
	return &cache->counts;
}

int disk_cache_error(const struct disk_cache *cache)
{
	return cache->error;
}
