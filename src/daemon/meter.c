/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* RssAnon, not VmRSS: shared libraries are shared, and what is mapped from a file can be dropped. */
#include "daemon/meter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/util.h"

static double seconds(const struct timeval *tv)
{
	return (double)tv->tv_sec + (double)tv->tv_usec / USEC_PER_SEC;
}

int meter_read(struct meter *ret)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
	struct rusage usage;
	char line[256];
	uint64_t kb;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "RssAnon: %" SCNu64 " kB", &kb) == 1)
			ret->anon_bytes = kb * 1024;
		else if (sscanf(line, "VmRSS: %" SCNu64 " kB", &kb) == 1)
			ret->rss_bytes = kb * 1024;
	}
	if (getrusage(RUSAGE_SELF, &usage) < 0)
		return -errno;
	ret->cpu_seconds = seconds(&usage.ru_utime) + seconds(&usage.ru_stime);
	return 0;
}
