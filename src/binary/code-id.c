/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hash is FNV-1a, 64 bits, from two different beginnings. */
#include "binary/code-id.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"

#define FNV_PRIME UINT64_C(0x100000001b3)
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)

struct hash {
	uint64_t lanes[CODE_ID_HASH_BYTES / sizeof(uint64_t)];
};

static void hash_bytes(struct hash *h, const uint8_t *bytes, size_t n)
{
	for (size_t lane = 0; lane < ARRAY_SIZE(h->lanes); lane++)
		for (size_t i = 0; i < n; i++)
			h->lanes[lane] = (h->lanes[lane] ^ bytes[i]) * FNV_PRIME;
}

static int hash_part(struct hash *h, int fd, uint64_t offset, uint64_t n)
{
	_cleanup_free_ uint8_t *buffer = malloc(n);
	uint64_t done = 0;
	ssize_t r;

	if (!buffer)
		return -ENOMEM;
	while (done < n) {
		r = pread(fd, buffer + done, n - done, (off_t)(offset + done));
		if (r < 0)
			return -errno;
		if (r == 0)
			return -EBADMSG; /* it shrank meanwhile */
		done += (uint64_t)r;
	}
	hash_bytes(h, buffer, n);
	return 0;
}

static int hash_file(int fd, struct hash *h)
{
	struct stat st;
	uint64_t size, part;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	size = (uint64_t)st.st_size;
	part = MIN(size, (uint64_t)CODE_ID_SAMPLE_BYTES);
	hash_bytes(h, (const uint8_t *)&size, sizeof(size));
	r = part ? hash_part(h, fd, 0, part) : 0;
	return r < 0 || !part ? r : hash_part(h, fd, size - part, part);
}

int code_identify(const struct elf_file *elf, struct code *ret)
{
	struct hash h = { .lanes = { FNV_BASIS, ~FNV_BASIS } };
	struct code code = { .kind = CODE_FILE, .path = "" };
	int r;

	if (elf->build_id_size) {
		code.id_size = (uint8_t)MIN(elf->build_id_size, sizeof(code.id));
		memcpy(code.id, elf->build_id, code.id_size);
	} else {
		r = hash_file(elf->fd, &h);
		if (r < 0)
			return r;
		code.id_size = sizeof(h);
		memcpy(code.id, &h, sizeof(h));
	}
	*ret = code;
	return 0;
}
