/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of the workload kinds, as JSON, CSV, labels and filters spell them. */
#include "model/workload.h"

#include <errno.h>

#include "base/util.h"

static const char *const kind_names[WORKLOAD_KIND_MAX_] = {
	[WORKLOAD_NONE] = "",	[WORKLOAD_UNIT] = "unit",	[WORKLOAD_CONTAINER] = "container",
	[WORKLOAD_POD] = "pod", [WORKLOAD_PROCESS] = "process", [WORKLOAD_KERNEL] = "kernel",
};

const char *workload_kind_name(enum workload_kind kind)
{
	return kind_names[kind];
}

int workload_kind_parse(const char *name, enum workload_kind *ret)
{
	for (enum workload_kind kind = WORKLOAD_UNIT; kind < WORKLOAD_KIND_MAX_; kind++)
		if (streq(name, kind_names[kind])) {
			*ret = kind;
			return 0;
		}
	return -EINVAL;
}
