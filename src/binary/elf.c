/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ELF headers, read into our own structs. The three tables of a file (program headers, section headers,
 * names of the sections) are read in one piece each, after their size was held against its limit; what
 * an offset in the file says is never an address, so pread(2) does the checking: a short read is
 * -EBADMSG.
 */
#include "binary/elf.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>

#include "base/util.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "headers are used as they are in the file");

static int copy_at(const struct elf_file *elf, uint64_t offset, void *buf, size_t size)
{
	if (offset > elf->memory_size || size > elf->memory_size - offset)
		return -EBADMSG;
	memcpy(buf, elf->memory + offset, size);
	return 0;
}

/* All of size bytes at offset, or an error. */
static int read_at(const struct elf_file *elf, uint64_t offset, void *buf, size_t size)
{
	uint8_t *p = buf;

	if (elf->fd < 0)
		return copy_at(elf, offset, buf, size);
	if (offset > INT64_MAX - size)
		return -EBADMSG;
	while (size > 0) {
		ssize_t n = pread(elf->fd, p, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EBADMSG;
		p += n;
		offset += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

/* The same in new memory, with a 0 behind it. */
static int read_new(const struct elf_file *elf, uint64_t offset, size_t size, uint8_t **ret)
{
	_cleanup_free_ uint8_t *p = malloc(size + 1);
	int r;

	if (!p)
		return -ENOMEM;
	r = read_at(elf, offset, p, size);
	if (r < 0)
		return r;
	p[size] = 0;
	*ret = TAKE(p);
	return 0;
}

static int check_header(const Elf64_Ehdr *h)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOTSUP;
	if (h->e_machine != EM_X86_64 && h->e_machine != EM_AARCH64)
		return -ENOTSUP;
	if (h->e_phnum > 0 && h->e_phentsize != sizeof(Elf64_Phdr))
		return -EBADMSG;
	return 0;
}

/* The build id, if these notes have it: {name size, size, type} name, contents, each padded. */
static void find_build_id(struct elf_file *elf, const uint8_t *notes, size_t size, uint64_t align)
{
	uint64_t pad = align == 8 ? 7 : 3; /* 0 and 1 are seen, too, and mean 4 */
	uint64_t at = 0;

	while (at + sizeof(Elf64_Nhdr) <= size) {
		uint64_t name = at + sizeof(Elf64_Nhdr), contents, end;
		Elf64_Nhdr note;

		memcpy(&note, notes + at, sizeof(note));
		contents = (name + note.n_namesz + pad) & ~pad;
		end = contents + note.n_descsz;
		if (end > size)
			return;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(ELF_NOTE_GNU) &&
		    memcmp(notes + name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0 &&
		    note.n_descsz <= ELF_BUILD_ID_MAX) {
			memcpy(elf->build_id, notes + contents, note.n_descsz);
			elf->build_id_size = note.n_descsz;
			return;
		}
		at = (end + pad) & ~pad;
	}
}

/* Notes that cannot be read cost the build id, not the file. */
static void read_notes(struct elf_file *elf, const Elf64_Phdr *p)
{
	_cleanup_free_ uint8_t *notes = NULL;

	if (p->p_filesz <= ELF_NOTES_MAX && read_new(elf, p->p_offset, p->p_filesz, &notes) == 0)
		find_build_id(elf, notes, p->p_filesz, p->p_align);
}

static int compare_text(const void *a, const void *b)
{
	const struct elf_segment *x = a, *y = b;

	return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

static int read_segments(struct elf_file *elf, const Elf64_Ehdr *h)
{
	Elf64_Phdr table[ELF_SEGMENTS_MAX];
	int r;

	if (h->e_phnum > ELF_SEGMENTS_MAX)
		return -E2BIG;
	r = read_at(elf, h->e_phoff, table, h->e_phnum * sizeof(table[0]));
	if (r < 0)
		return r;
	for (size_t i = 0; i < h->e_phnum; i++) {
		const Elf64_Phdr *p = &table[i];

		if (p->p_type == PT_NOTE && elf->build_id_size == 0)
			read_notes(elf, p);
		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		if (p->p_vaddr + p->p_filesz < p->p_vaddr)
			return -EBADMSG;
		elf->text[elf->n_text++] =
			(struct elf_segment){ p->p_vaddr, p->p_offset, p->p_filesz };
	}
	qsort(elf->text, elf->n_text, sizeof(elf->text[0]), compare_text);
	return 0;
}

/* How many sections there are and which one has their names. Numbers of more than 16 bits are in
 * section 0 (gABI, "e_shnum"). */
static int section_counts(const struct elf_file *elf, const Elf64_Ehdr *h, uint64_t *ret_n,
			  uint32_t *ret_names)
{
	Elf64_Shdr first;
	int r;

	*ret_n = 0;
	if (h->e_shoff == 0)
		return 0;
	if (h->e_shentsize != sizeof(Elf64_Shdr))
		return -EBADMSG;
	r = read_at(elf, h->e_shoff, &first, sizeof(first));
	if (r < 0)
		return r;
	*ret_n = h->e_shnum > 0 ? h->e_shnum : first.sh_size;
	*ret_names = h->e_shstrndx == SHN_XINDEX ? first.sh_link : h->e_shstrndx;
	if (*ret_n > ELF_SECTIONS_MAX)
		return -E2BIG;
	return *ret_names < *ret_n ? 0 : -EBADMSG;
}

static int fill_sections(struct elf_file *elf, const Elf64_Shdr *table, size_t n,
			 uint64_t names_size)
{
	elf->sections = calloc(n, sizeof(*elf->sections));
	if (!elf->sections)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const Elf64_Shdr *s = &table[i];

		if (s->sh_name > names_size)
			return -EBADMSG;
		elf->sections[i] = (struct elf_section){
			.name = elf->names + s->sh_name,
			.addr = s->sh_addr,
			.offset = s->sh_offset,
			.size = s->sh_size,
			.flags = s->sh_flags,
			.entsize = s->sh_entsize,
			.type = s->sh_type,
			.link = s->sh_link,
			.info = s->sh_info,
		};
	}
	elf->n_sections = n;
	return 0;
}

static int read_sections(struct elf_file *elf, const Elf64_Ehdr *h)
{
	_cleanup_free_ Elf64_Shdr *table = NULL;
	uint32_t names;
	uint64_t n;
	int r;

	r = section_counts(elf, h, &n, &names);
	if (r < 0 || n == 0)
		return r;
	r = read_new(elf, h->e_shoff, n * sizeof(*table), (uint8_t **)&table);
	if (r < 0)
		return r;
	if (table[names].sh_size > ELF_NAMES_MAX)
		return -E2BIG;
	r = read_new(elf, table[names].sh_offset, table[names].sh_size, (uint8_t **)&elf->names);
	if (r < 0)
		return r;
	return fill_sections(elf, table, n, table[names].sh_size);
}

static int read_headers(struct elf_file *elf)
{
	Elf64_Ehdr h;
	int r;

	r = read_at(elf, 0, &h, sizeof(h));
	if (r < 0)
		return r == -EBADMSG ? -ENOEXEC : r;
	r = check_header(&h);
	if (r < 0)
		return r;
	elf->machine = h.e_machine;
	elf->type = h.e_type;
	elf->entry = h.e_entry;
	r = read_segments(elf, &h);
	return r ?: read_sections(elf, &h);
}

/* at says where the bytes are. */
static int open_file(const struct elf_file *at, struct elf_file **ret)
{
	_cleanup_elf_ struct elf_file *elf = malloc(sizeof(*elf));
	int r;

	if (!elf)
		return -ENOMEM;
	*elf = *at;
	r = read_headers(elf);
	if (r < 0)
		return r;
	*ret = TAKE(elf);
	return 0;
}

int elf_file_open(int fd, struct elf_file **ret)
{
	return open_file(&(struct elf_file){ .fd = fd }, ret);
}

int elf_file_open_memory(const void *data, size_t size, struct elf_file **ret)
{
	return open_file(&(struct elf_file){ .fd = -1, .memory = data, .memory_size = size }, ret);
}

struct elf_file *elf_file_free(struct elf_file *elf)
{
	if (!elf)
		return NULL;
	free(elf->sections);
	free(elf->names);
	free(elf);
	return NULL;
}

const struct elf_section *elf_file_section(const struct elf_file *elf, const char *name)
{
	for (size_t i = 0; i < elf->n_sections; i++)
		if (streq(elf->sections[i].name, name))
			return &elf->sections[i];
	return NULL;
}

int elf_file_read(const struct elf_file *elf, const struct elf_section *section, uint8_t **ret,
		  size_t *ret_size)
{
	int r;

	if (section->type == SHT_NOBITS)
		return -ENODATA;
	if (section->flags & SHF_COMPRESSED)
		return -ENOTSUP;
	if (section->size > ELF_SECTION_BYTES_MAX)
		return -E2BIG;
	r = read_new(elf, section->offset, section->size, ret);
	if (r < 0)
		return r;
	*ret_size = section->size;
	return 0;
}

int elf_file_read_at(const struct elf_file *elf, uint64_t offset, void *ret, size_t size)
{
	return read_at(elf, offset, ret, size);
}
