/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine itself. */
#include "host/roots.h"

#include <stddef.h>

const struct host_roots host_roots_machine = { .proc = "/proc", .cgroup = NULL, .files = "/" };
