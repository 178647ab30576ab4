/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The input is a program's code, behind two bytes that say where its entry point is. Start code must be
 * found inside of it and in order, also if only a piece of it is asked for.
 */
#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "binary/start-code.h"

#define TEXT 0x401000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct elf_file *elf, uint64_t begin, uint64_t end)
{
	struct start_code found[START_CODE_MAX];
	size_t n;

	n = start_code_find(elf, begin, end, found);
	assert(n <= START_CODE_MAX);
	for (size_t i = 0; i < n; i++) {
		assert(found[i].begin >= begin && found[i].begin < end);
		assert(found[i].end > found[i].begin);
		assert(i == 0 || found[i].begin >= found[i - 1].end);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_file elf = { .machine = EM_X86_64, .n_text = 1 };
	static int fd = -EBADF;

	if (size < 3)
		return 0;
	if (fd < 0)
		fd = memfd_create("fuzz-start-code", MFD_CLOEXEC);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data + 2, size - 2, 0) != (ssize_t)size - 2)
		return 0;
	elf.fd = fd;
	elf.entry = TEXT + (data[0] | data[1] << 8);
	elf.text[0] = (struct elf_segment){ TEXT, 0, size - 2 };
	check(&elf, 0, UINT64_MAX);
	check(&elf, TEXT + size / 3, TEXT + size / 2);
	return 0;
}
