/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Headers of this very program and of libc against what readelf says of them, and damaged files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "binary/elf.h"

static FILE *readelf(const char *option, const char *path)
{
	char command[4200];
	FILE *f;

	snprintf(command, sizeof(command), "LC_ALL=C readelf -W %s '%s'", option, path);
	f = popen(command, "re");
	assert_non_null(f);
	return f;
}

static void check_sections(const struct elf_file *elf, const char *path)
{
	FILE *f = readelf("-S", path);
	char line[512];
	size_t seen = 0;

	while (fgets(line, sizeof(line), f)) {
		const struct elf_section *s;
		uint64_t addr, offset, size, entsize;
		char name[128];
		unsigned i;

		if (sscanf(line, " [%u] %127s %*s %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64, &i,
			   name, &addr, &offset, &size, &entsize) != 6 ||
		    i == 0)
			continue;
		assert_true(i < elf->n_sections);
		s = &elf->sections[i];
		assert_string_equal(s->name, name);
		assert_int_equal(s->addr, addr);
		assert_int_equal(s->offset, offset);
		assert_int_equal(s->size, size);
		assert_int_equal(s->entsize, entsize);
		seen++;
	}
	assert_int_equal(pclose(f), 0);
	assert_int_equal(seen + 1, elf->n_sections); /* section 0 has no name */
	assert_true(seen > 20);
}

static void check_text(const struct elf_file *elf, const char *path)
{
	FILE *f = readelf("-l", path);
	char line[512];
	size_t n = 0;

	while (fgets(line, sizeof(line), f)) {
		uint64_t offset, vaddr, size;

		if (sscanf(line, " LOAD %" SCNx64 " %" SCNx64 " %*s %" SCNx64 " %*s R E", &offset,
			   &vaddr, &size) != 3 ||
		    !strstr(line, "R E"))
			continue;
		assert_true(n < elf->n_text);
		assert_int_equal(elf->text[n].offset, offset);
		assert_int_equal(elf->text[n].vaddr, vaddr);
		assert_int_equal(elf->text[n].size, size);
		n++;
	}
	assert_int_equal(pclose(f), 0);
	assert_int_equal(n, elf->n_text);
	assert_true(n > 0);
}

/* Our own program has one only where the compiler's specs ask the linker for it. */
static void check_build_id(const struct elf_file *elf, const char *path)
{
	FILE *f = readelf("-n", path);
	char line[512], id[2 * ELF_BUILD_ID_MAX + 1] = "", ours[2 * ELF_BUILD_ID_MAX + 1] = "";

	while (fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, "Build ID: ");

		if (at && sscanf(at, "Build ID: %128s", id) == 1)
			break;
	}
	pclose(f);
	for (size_t i = 0; i < elf->build_id_size; i++)
		sprintf(ours + 2 * i, "%02x", elf->build_id[i]);
	assert_string_equal(ours, id);
}

static void check_file(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_elf_ struct elf_file *elf = NULL;
	const struct elf_section *dynstr;
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t size;

	assert_true(fd >= 0);
	assert_int_equal(elf_file_open(fd, &elf), 0);
	check_sections(elf, path);
	check_text(elf, path);
	check_build_id(elf, path);
	dynstr = elf_file_section(elf, ".dynstr");
	assert_non_null(dynstr);
	assert_int_equal(elf_file_read(elf, dynstr, &bytes, &size), 0);
	assert_int_equal(size, dynstr->size);
	assert_non_null(memmem(bytes, size, "libc.so.6", 10));
	assert_null(elf_file_section(elf, ".no.such"));
	assert_int_equal(elf_file_read(elf, elf_file_section(elf, ".bss"), &bytes, &size),
			 -ENODATA);
}

static void test_own_program(void **state)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	assert_true(n > 0);
	path[n] = 0;
	check_file(path);
}

static void test_libc(void **state)
{
	Dl_info info;

	assert_true(dladdr((void *)(uintptr_t)puts, &info));
	check_file(info.dli_fname);
}

/* A file of one section (its own names) and one note, which each test damages in one place. */
struct image {
	Elf64_Ehdr h;
	Elf64_Phdr ph[2];
	Elf64_Shdr sh[2];
	struct {
		Elf64_Nhdr h;
		char name[4];
		uint8_t id[4];
	} other, note;
	char names[16];
};

static struct image image_new(void)
{
	struct image m = {
		.h = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB },
		       .e_type = ET_DYN,
		       .e_machine = EM_AARCH64,
		       .e_entry = 0x1234,
		       .e_phoff = offsetof(struct image, ph),
		       .e_phentsize = sizeof(Elf64_Phdr),
		       .e_phnum = 2,
		       .e_shoff = offsetof(struct image, sh),
		       .e_shentsize = sizeof(Elf64_Shdr),
		       .e_shnum = 2,
		       .e_shstrndx = 1 },
		.ph = { { .p_type = PT_NOTE,
			  .p_offset = offsetof(struct image, other),
			  .p_filesz = 40 },
			{ .p_type = PT_LOAD,
			  .p_flags = PF_R | PF_X,
			  .p_vaddr = 0x1000,
			  .p_filesz = 64 } },
		.sh = { {},
			{ .sh_name = 1,
			  .sh_type = SHT_STRTAB,
			  .sh_offset = offsetof(struct image, names),
			  .sh_size = 16 } },
		.other = { { 4, 4, 1 }, "GNU", { 9, 9, 9, 9 } },
		.note = { { 4, 4, NT_GNU_BUILD_ID }, "GNU", { 1, 2, 3, 4 } },
		.names = "\0.shstrtab",
	};
	return m;
}

static int open_image(const struct image *m, size_t size, struct elf_file **ret)
{
	static int fd = -EBADF; /* is used by the file that was opened last */
	_cleanup_elf_ struct elf_file *copy = NULL;
	int r;

	close_fd(fd);
	fd = memfd_create("test-elf", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, m, size), (ssize_t)size);
	r = elf_file_open(fd, ret);
	/* In memory it is the same file. */
	assert_int_equal(elf_file_open_memory(m, size, &copy), r);
	return r;
}

static void test_image(void **state)
{
	_cleanup_elf_ struct elf_file *elf = NULL;
	_cleanup_free_ uint8_t *bytes = NULL;
	struct image m = image_new();
	size_t size;

	m.h.e_shnum = 0; /* as for more than 65,279 sections */
	m.h.e_shstrndx = SHN_XINDEX;
	m.sh[0].sh_size = 2;
	m.sh[0].sh_link = 1;
	assert_int_equal(open_image(&m, sizeof(m), &elf), 0);
	assert_int_equal(elf->machine, EM_AARCH64);
	assert_int_equal(elf->entry, 0x1234);
	assert_int_equal(elf->build_id_size, 4);
	assert_memory_equal(elf->build_id, m.note.id, 4);
	assert_int_equal(elf->n_sections, 2);
	assert_int_equal(elf->n_text, 1);
	assert_ptr_equal(elf_file_section(elf, ".shstrtab"), &elf->sections[1]);
	assert_int_equal(elf_file_read(elf, &elf->sections[1], &bytes, &size), 0);
	assert_memory_equal(bytes, m.names, 16);
	assert_int_equal(bytes[16], 0);
}

static void refused(const struct image *m, size_t size, int error)
{
	struct elf_file *elf = NULL;

	assert_int_equal(open_image(m, size, &elf), error);
	assert_null(elf);
}

#define REFUSED(change, error)                  \
	do {                                    \
		struct image m = image_new();   \
                                                \
		change;                         \
		refused(&m, sizeof(m), -error); \
	} while (0)

static void test_refused(void **state)
{
	struct image whole = image_new();

	REFUSED(m.h.e_ident[0] = '#', ENOEXEC);
	REFUSED(m.h.e_ident[EI_CLASS] = ELFCLASS32, ENOTSUP);
	REFUSED(m.h.e_ident[EI_DATA] = ELFDATA2MSB, ENOTSUP);
	REFUSED(m.h.e_machine = EM_RISCV, ENOTSUP);
	REFUSED(m.h.e_phentsize = 8, EBADMSG);
	REFUSED(m.h.e_phnum = ELF_SEGMENTS_MAX + 1, E2BIG);
	REFUSED(m.h.e_phoff = UINT64_MAX - 8, EBADMSG);
	REFUSED(m.ph[1].p_vaddr = UINT64_MAX - 8, EBADMSG);
	REFUSED(m.h.e_shentsize = 8, EBADMSG);
	REFUSED(m.h.e_shstrndx = 2, EBADMSG);
	REFUSED(m.h.e_shnum = 0, EBADMSG);
	REFUSED((m.h.e_shnum = 0, m.sh[0].sh_size = UINT64_MAX), E2BIG);
	REFUSED(m.sh[1].sh_name = 17, EBADMSG);
	REFUSED(m.sh[1].sh_size = ELF_NAMES_MAX + 1, E2BIG);
	REFUSED(m.sh[1].sh_offset = INT64_MAX, EBADMSG);
	refused(&whole, 10, -ENOEXEC);
	refused(&whole, sizeof(whole) - 1, -EBADMSG);
}

/* What only the section or the note concerns is no reason to refuse the file. */
static void test_partly(void **state)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	struct image m = image_new();
	struct elf_file *elf = NULL;
	size_t size;

	m.other.h.n_descsz = UINT32_MAX;
	assert_int_equal(open_image(&m, sizeof(m), &elf), 0);
	assert_int_equal(elf->build_id_size, 0);
	elf->sections[1].size = 17;
	assert_int_equal(elf_file_read(elf, &elf->sections[1], &bytes, &size), -EBADMSG);
	elf->sections[1].size = ELF_SECTION_BYTES_MAX + 1;
	assert_int_equal(elf_file_read(elf, &elf->sections[1], &bytes, &size), -E2BIG);
	elf->sections[1].flags = SHF_COMPRESSED;
	assert_int_equal(elf_file_read(elf, &elf->sections[1], &bytes, &size), -ENOTSUP);
	elf_file_free(elf);
	m = image_new();
	m.note.h.n_namesz = 3; /* "GNU" without its NUL: somebody else's name */
	assert_int_equal(open_image(&m, sizeof(m), &elf), 0);
	assert_int_equal(elf->build_id_size, 0);
	elf_file_free(elf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_program), cmocka_unit_test(test_libc),
		cmocka_unit_test(test_image),	    cmocka_unit_test(test_refused),
		cmocka_unit_test(test_partly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
