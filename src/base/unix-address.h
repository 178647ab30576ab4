/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a path to the address of a UNIX socket. */
#pragma once

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* -ENAMETOOLONG: a path has room for 107 bytes (unix(7)). */
static inline int unix_address(const char *path, struct sockaddr_un *ret)
{
	if (strlen(path) >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	strcpy(ret->sun_path, path);
	return 0;
}
