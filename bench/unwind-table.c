/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What unwind tables cost: for each file, built in a child process as the daemon will, their size, the
 * CPU time, and the most anonymous memory that the child had (VmHWM without the pages of files).
 *
 *   make bench/bench-unwind-table && bench/bench-unwind-table [FILE...]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "binary/unwind-table.h"

#define ROUNDS 3

#define LIBRARIES "/usr/lib/x86_64-linux-gnu/"

static const char *const usual[] = {
	LIBRARIES "libc.so.6",
	LIBRARIES "libstdc++.so.6",
	LIBRARIES "libcrypto.so.3",
	LIBRARIES "libpython3.11.so.1.0",
	"/usr/bin/python3.11",
	"/usr/bin/git",
	"/usr/bin/bash",
	LIBRARIES "libLLVM-14.so.1",
};

struct figures {
	struct unwind_header header;
	uint64_t bytes;
	uint64_t ns; /* the fastest of ROUNDS */
	int64_t peak; /* bytes of anonymous memory */
};

static int64_t status_bytes(const char *field)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (has_prefix(line, field))
			return strtoll(line + strlen(field), NULL, 10) << 10;
	return 0;
}

static int build(const char *path, struct figures *ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_elf_ struct elf_file *elf = NULL;
	_cleanup_free_ void *table = NULL;
	uint64_t start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	int r;

	if (fd < 0)
		return -errno;
	r = elf_file_open(fd, &elf);
	if (r < 0)
		return r;
	r = unwind_table_build(elf, &table, &ret->bytes);
	if (r < 0)
		return r;
	ret->ns = MIN(ret->ns, now_ns(CLOCK_PROCESS_CPUTIME_ID) - start);
	memcpy(&ret->header, table, sizeof(ret->header));
	return 0;
}

static int child(const char *path, int fd)
{
	struct figures figures = { .ns = UINT64_MAX };
	int r = 0;

	for (int i = 0; i < ROUNDS && r == 0; i++)
		r = build(path, &figures);
	if (r < 0)
		return -r;
	figures.peak = MAX(0, status_bytes("VmHWM:") - status_bytes("RssFile:"));
	return write(fd, &figures, sizeof(figures)) == sizeof(figures) ? 0 : EIO;
}

static int measure(const char *path, struct figures *ret)
{
	int fds[2], status;
	pid_t pid;
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		_exit(child(path, fds[1]));
	close(fds[1]);
	n = read(fds[0], ret, sizeof(*ret));
	close(fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	if (n == sizeof(*ret))
		return 0;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static void print(const char *name, const struct figures *f)
{
	double mb = (double)f->header.text_bytes / 1e6;
	const struct cfi_counts *c = &f->header.counts;
	uint64_t unknown = c->unknown[CFI_UNKNOWN_DAMAGED] + c->unknown[CFI_UNKNOWN_CFA] +
			   c->unknown[CFI_UNKNOWN_SP] + c->unknown[CFI_UNKNOWN_RA];

	printf("%-22s %6.1f %7lu %8lu %7.3f%% %8u %6u %6.1f %6.2f %6.1f\n", name, mb, c->fdes,
	       c->rows, c->rows ? 100. * (double)unknown / (double)c->rows : 0, f->header.n_rows,
	       f->header.n_rules, (double)f->bytes / 1e3 / mb, (double)f->ns / 1e6 / mb,
	       (double)f->peak / 1e6);
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? (size_t)argc - 1 : ARRAY_SIZE(usual);
	struct figures sum = {};

	printf("%-22s %6s %7s %8s %8s %8s %6s %6s %6s %6s\n", "file", "MB", "FDEs", "CFI rows",
	       "unknown", "rows", "rules", "KB/MB", "ms/MB", "MB RAM");
	for (size_t i = 0; i < n; i++) {
		const char *path = argc > 1 ? argv[i + 1] : usual[i];
		const char *slash = strrchr(path, '/');
		struct figures f;
		int r;

		r = measure(path, &f);
		if (r < 0) {
			printf("%s: %s\n", path, strerror(-r));
			continue;
		}
		print(slash ? slash + 1 : path, &f);
		sum.bytes += f.bytes;
		sum.ns += f.ns;
		sum.peak = MAX(sum.peak, f.peak);
		sum.header.text_bytes += f.header.text_bytes;
		sum.header.n_rows += f.header.n_rows;
		sum.header.n_rules += f.header.n_rules;
		sum.header.counts.fdes += f.header.counts.fdes;
		sum.header.counts.rows += f.header.counts.rows;
		for (int why = 0; why < CFI_UNKNOWN_MAX_; why++)
			sum.header.counts.unknown[why] += f.header.counts.unknown[why];
	}
	if (sum.bytes > 0)
		print("all", &sum);
	return EXIT_SUCCESS;
}
