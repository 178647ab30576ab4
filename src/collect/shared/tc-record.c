/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One line of key=value words per file: netns, ifindex, clsact, and per direction
 * priority:handle:program. A file that does not parse whole is left alone.
 */
#include "collect/shared/tc-record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "host/netns-find.h"

#define DIRECTORY "tc"

/* --- text ---------------------------------------------------------------------------------- */

void tc_record_format(const struct tc_record *r, char text[static TC_RECORD_SIZE_MAX])
{
	snprintf(text, TC_RECORD_SIZE_MAX,
		 "netns=%" PRIu64 " ifindex=%d made_clsact=%d ingress=%" PRIu16 ":%" PRIu32
		 ":%" PRIu32 " egress=%" PRIu16 ":%" PRIu32 ":%" PRIu32 "\n",
		 r->netns, r->ifindex, r->made_clsact, r->priority[TC_INGRESS],
		 r->handle[TC_INGRESS], r->program[TC_INGRESS], r->priority[TC_EGRESS],
		 r->handle[TC_EGRESS], r->program[TC_EGRESS]);
}

int tc_record_parse(const char *text, struct tc_record *ret)
{
	struct tc_record r;
	int made, end = 0, n;

	n = sscanf(text,
		   "netns=%" SCNu64 " ifindex=%d made_clsact=%d ingress=%" SCNu16 ":%" SCNu32
		   ":%" SCNu32 " egress=%" SCNu16 ":%" SCNu32 ":%" SCNu32 "%n",
		   &r.netns, &r.ifindex, &made, &r.priority[TC_INGRESS], &r.handle[TC_INGRESS],
		   &r.program[TC_INGRESS], &r.priority[TC_EGRESS], &r.handle[TC_EGRESS],
		   &r.program[TC_EGRESS], &end);
	if (n != 9 || !streq(text + end, "\n") || r.ifindex <= 0 || made < 0 || made > 1)
		return -EINVAL;
	r.made_clsact = made;
	*ret = r;
	return 0;
}

/* --- files --------------------------------------------------------------------------------- */

static int open_directory(const char *runtime_dir, bool make)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/" DIRECTORY, runtime_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

#define NAME_LEN 48
static void file_name(char name[static NAME_LEN], uint64_t netns, int ifindex)
{
	snprintf(name, NAME_LEN, "%" PRIu64 ".%d", netns, ifindex);
}

static int write_text(int dir_fd, const char *name, const char *text)
{
	_cleanup_close_ int fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	if (n < 0)
		return -errno;
	return (size_t)n == strlen(text) ? 0 : -EIO;
}

int tc_record_write(const char *runtime_dir, const struct tc_record *record)
{
	_cleanup_close_ int dir_fd = open_directory(runtime_dir, /* make= */ true);
	char name[NAME_LEN], new_name[NAME_LEN + 4], text[TC_RECORD_SIZE_MAX];
	int r;

	if (dir_fd < 0)
		return dir_fd;
	tc_record_format(record, text);
	file_name(name, record->netns, record->ifindex);
	snprintf(new_name, sizeof(new_name), "%s.new", name);
	r = write_text(dir_fd, new_name, text);
	if (r == 0 && renameat(dir_fd, new_name, dir_fd, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir_fd, new_name, 0);
	return r;
}

int tc_record_remove(const char *runtime_dir, uint64_t netns, int ifindex)
{
	_cleanup_close_ int dir_fd = open_directory(runtime_dir, /* make= */ false);
	char name[NAME_LEN];

	if (dir_fd < 0)
		return dir_fd == -ENOENT ? 0 : dir_fd;
	file_name(name, netns, ifindex);
	return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* --- cleanup ------------------------------------------------------------------------------- */

static int clean_interface(const struct tc_record *record)
{
	int r, first = 0;

	for (int i = 0; i < TC_DIRECTIONS; i++) {
		struct tc_attachment attachment = {
			.mode = TC_CLSACT,
			.direction = i,
			.ifindex = record->ifindex,
			.program = record->program[i],
			.priority = record->priority[i],
			.handle = record->handle[i],
			.link_fd = -EBADF,
		};

		r = tc_detach(&attachment);
		if (r < 0 && first == 0)
			first = r;
	}
	if (first == 0 && record->made_clsact)
		first = tc_drop_clsact(record->ifindex);
	return first;
}

static int clean_record(const struct tc_record *record)
{
	struct netns_ref ns = { .inode = record->netns, .nsid = NETNS_NSID_NONE };
	int back, r;

	r = netns_enter(&ns, &back);
	if (r < 0)
		return r == -ESTALE ? 0 : r; /* the namespace went, and all in it */
	r = clean_interface(record);
	netns_leave(back);
	return r;
}

static int read_record(int dir_fd, const char *name, struct tc_record *ret)
{
	_cleanup_close_ int fd =
		openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[TC_RECORD_SIZE_MAX];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return tc_record_parse(text, ret);
}

static int clean_file(int dir_fd, const char *name)
{
	struct tc_record record;
	int r;

	r = read_record(dir_fd, name, &record);
	if (r < 0)
		return r;
	r = clean_record(&record);
	if (r == 0 && unlinkat(dir_fd, name, 0) < 0)
		r = -errno;
	return r;
}

DEFINE_CLEANUP(DIR *, closedir)

int tc_cleanup(const char *runtime_dir)
{
	_cleanup_close_ int dir_fd = open_directory(runtime_dir, /* make= */ false);
	_cleanup_(closedir_p) DIR *dir = NULL;
	struct dirent *entry;
	int r, first = 0;

	if (dir_fd < 0) /* nothing was ever attached there */
		return dir_fd == -ENOENT ? 0 : dir_fd;
	dir = fdopendir(dir_fd);
	if (!dir)
		return -errno;
	TAKE_FD(dir_fd);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		r = clean_file(dirfd(dir), entry->d_name);
		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}
