/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A read-only view of an ELF file (System V ABI, chapters 4 and 5): its headers, and the contents of a
 * section when they are asked for. 64 bits, little endian, x86-64 and AArch64.
 *
 * Files are strangers': all is bounded and checked here, and read with pread(2), never mapped, so that
 * a file which shrinks meanwhile is an error and not a SIGBUS. So any process may use this, the daemon
 * too, on a worker thread (it blocks); but what parses the contents of sections belongs into the
 * sandboxed child. A file may also be in memory (vDSO, mini debug info): a child cannot make a memfd.
 *
 * libelf is not used: it allocates and reads as much as a file claims before we could look.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define ELF_SECTIONS_MAX 65535 /* a shared object has about 40 */
#define ELF_SEGMENTS_MAX 64 /* program headers; a program has about 14 */
#define ELF_SECTION_BYTES_MAX (UINT64_C(256) << 20) /* that elf_file_read() gives */
#define ELF_NAMES_MAX (1U << 20) /* bytes of all names of sections */
#define ELF_NOTES_MAX (64U << 10) /* bytes of a note segment */
#define ELF_BUILD_ID_MAX 64 /* bytes; ld writes 20 (SHA-1), lld 8 */

struct elf_section {
	const char *name;
	uint64_t addr;
	uint64_t offset; /* of the contents in the file */
	uint64_t size; /* in bytes */
	uint64_t flags; /* SHF_* */
	uint64_t entsize;
	uint32_t type; /* SHT_* */
	uint32_t link; /* a section's number, as info may be: see its type. Any value */
	uint32_t info;
};

/* An executable PT_LOAD. */
struct elf_segment {
	uint64_t vaddr;
	uint64_t offset;
	uint64_t size; /* in the file, and so of text: what .bss adds is no text */
};

struct elf_file {
	int fd; /* borrowed; negative: the file is in memory */
	const uint8_t *memory; /* borrowed */
	size_t memory_size;
	uint16_t machine; /* EM_X86_64 or EM_AARCH64 */
	uint16_t type; /* ET_EXEC, ET_DYN, ET_REL, ET_CORE */
	uint64_t entry;
	uint8_t build_id[ELF_BUILD_ID_MAX]; /* NT_GNU_BUILD_ID */
	size_t build_id_size; /* 0: it has none */
	struct elf_segment text[ELF_SEGMENTS_MAX]; /* in ascending order of vaddr */
	size_t n_text;
	struct elf_section *sections;
	size_t n_sections; /* 0 where they are stripped */
	char *names; /* of the sections */
};

/*
 * Reads the headers of fd, which stays the caller's and outlives the result. -ENOEXEC: no ELF file;
 * -ENOTSUP: of another class, byte order or machine; -EBADMSG: damaged; -E2BIG: beyond a limit.
 */
int elf_file_open(int fd, struct elf_file **ret);
/* The same of size bytes at data, which stay the caller's and outlive the result. */
int elf_file_open_memory(const void *data, size_t size, struct elf_file **ret);
struct elf_file *elf_file_free(struct elf_file *elf); /* takes NULL, returns NULL */

/* The first section of that name, or NULL. Belongs to elf. */
const struct elf_section *elf_file_section(const struct elf_file *elf, const char *name);

/*
 * A section's contents in memory that the caller frees, *ret_size bytes of it and one more that is 0,
 * so that the last name of a string table ends. -ENODATA: nothing of it is in the file (SHT_NOBITS);
 * -ENOTSUP: compressed; -EBADMSG: it leaves the file; -E2BIG: beyond ELF_SECTION_BYTES_MAX.
 */
int elf_file_read(const struct elf_file *elf, const struct elf_section *section, uint8_t **ret,
		  size_t *ret_size);

/* size bytes at an offset in the file; -EBADMSG: not all of them are in it. */
int elf_file_read_at(const struct elf_file *elf, uint64_t offset, void *ret, size_t size);

DEFINE_CLEANUP(struct elf_file *, elf_file_free)
#define _cleanup_elf_ _cleanup_(elf_file_free_p)
