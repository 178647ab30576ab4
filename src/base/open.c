/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* There is no function for openat2(2) in the C library; it came with Linux 5.6. */
#include "base/open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"

int open_in_root(int root, const char *path, int flags, unsigned resolve)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
	};
	long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Non-blocking, for the file may be a FIFO until fstat() says that it is not. */
int open_regular_in_root(int root, const char *path, unsigned resolve)
{
	_cleanup_close_ int fd =
		open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, resolve);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? TAKE_FD(fd) : -EINVAL;
}
