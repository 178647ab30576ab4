/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The entries of .eh_frame and .debug_frame (DWARF 5 section 6.4.1; LSB Core 10.6.1): common and frame
 * description entries, up to their instructions. The two sections differ in what the word behind the
 * length means: an FDE's way to its CIE is relative in the one and absolute in the other.
 */
#include "binary/cfi-internal.h"

#include "base/util.h"

/* How a pointer is stored (low 4 bits) and what it is relative to (the 3 above; LSB Core 10.5.1). */
enum dwarf_pointer_encoding {
	DW_EH_PE_absptr = 0x00,
	DW_EH_PE_uleb128 = 0x01,
	DW_EH_PE_udata2 = 0x02,
	DW_EH_PE_udata4 = 0x03,
	DW_EH_PE_udata8 = 0x04,
	DW_EH_PE_sleb128 = 0x09,
	DW_EH_PE_sdata2 = 0x0a,
	DW_EH_PE_sdata4 = 0x0b,
	DW_EH_PE_sdata8 = 0x0c,
	DW_EH_PE_format = 0x0f,
	DW_EH_PE_pcrel = 0x10,
	DW_EH_PE_aligned = 0x50,
	DW_EH_PE_application = 0x70,
	DW_EH_PE_indirect = 0x80,
	DW_EH_PE_omit = 0xff,
};

#define LENGTH_64 UINT32_C(0xffffffff) /* a length of 64 bits follows */
#define ADDRESS_SIZE 8

static uint64_t address_of(const struct cfi_reader *reader, const uint8_t *p)
{
	return reader->section.addr + (uint64_t)(p - reader->section.bytes);
}

static uint64_t read_value(struct cursor *c, uint8_t format)
{
	switch (format) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return cursor_u64(c);
	case DW_EH_PE_uleb128:
		return cursor_uleb(c);
	case DW_EH_PE_udata2:
		return cursor_u16(c);
	case DW_EH_PE_udata4:
		return cursor_u32(c);
	case DW_EH_PE_sleb128:
		return (uint64_t)cursor_sleb(c);
	case DW_EH_PE_sdata2:
		return (uint64_t)(int16_t)cursor_u16(c);
	case DW_EH_PE_sdata4:
		return (uint64_t)(int32_t)cursor_u32(c);
	default:
		c->failed = true;
		return 0;
	}
}

/* Steps over a pointer whose value is of no interest, whatever it is relative to. */
static void skip_pointer(const struct cfi_reader *reader, struct cursor *c, uint8_t encoding)
{
	if (encoding == DW_EH_PE_omit)
		return;
	if ((encoding & DW_EH_PE_application) == DW_EH_PE_aligned) {
		cursor_skip(c, -address_of(reader, c->p) % ADDRESS_SIZE);
		encoding = DW_EH_PE_absptr;
	}
	read_value(c, encoding & DW_EH_PE_format);
}

uint64_t cfi_read_pointer(const struct cfi_reader *reader, struct cursor *c, uint8_t encoding)
{
	uint8_t application = encoding & (DW_EH_PE_application | DW_EH_PE_indirect);
	uint64_t base = 0;

	if (application == DW_EH_PE_pcrel)
		base = address_of(reader, c->p);
	else if (application != 0)
		c->failed = true;
	return base + read_value(c, encoding & DW_EH_PE_format);
}

/* The entry at offset; c is behind it then. */
static bool read_entry(const struct cfi_reader *reader, struct cursor *c, struct cfi_entry *ret)
{
	const uint8_t *start = reader->section.bytes;
	uint64_t length, at, id;
	struct cursor entry;
	bool wide;

	ret->offset = (uint64_t)(c->p - start);
	length = cursor_u32(c);
	wide = length == LENGTH_64;
	if (wide)
		length = cursor_u64(c);
	entry = cursor_sub(c, length);
	at = (uint64_t)(entry.p - start);
	/* The id is as wide as the length in .debug_frame; in .eh_frame it has always 4 bytes. */
	id = wide && !reader->eh ? cursor_u64(&entry) : cursor_u32(&entry);
	if (reader->eh)
		ret->is_cie = id == 0;
	else
		ret->is_cie = id == (wide ? UINT64_MAX : UINT32_MAX);
	ret->cie = reader->eh ? at - id : id;
	ret->rest = entry;
	return !entry.failed;
}

bool cfi_next_entry(const struct cfi_reader *reader, uint64_t *offset, struct cfi_entry *ret)
{
	const struct cfi_section *s = &reader->section;
	struct cursor c = { s->bytes + *offset, s->bytes + s->size, false };
	bool good;

	/* An empty entry ends the list of an object file; those of others follow. */
	while (cursor_left(&c) >= 4 && memcmp(c.p, "\0\0\0", 4) == 0)
		c.p += 4;
	good = cursor_left(&c) > 0 && read_entry(reader, &c, ret);
	*offset = (uint64_t)(c.p - s->bytes);
	return good;
}

/* The letters behind 'z', and their data. Data of letters that are not known cannot be read over. */
static bool read_augmentation(const struct cfi_reader *reader, const char *letters,
			      struct cursor *data, struct cfi_cie *cie)
{
	for (; *letters; letters++) {
		switch (*letters) {
		case 'R':
			cie->address_encoding = cursor_u8(data);
			break;
		case 'P':
			skip_pointer(reader, data, cursor_u8(data));
			break;
		case 'L':
			cursor_u8(data);
			break;
		case 'S':
			cie->signal = true;
			break;
		case 'B': /* AArch64: return addresses are signed with the B key */
		case 'G': /* AArch64: memory tags of the frame */
			break;
		default:
			return false;
		}
	}
	return !data->failed;
}

static bool read_cie(const struct cfi_reader *reader, struct cursor c, struct cfi_cie *cie)
{
	uint8_t version = cursor_u8(&c);
	const char *augmentation = (const char *)c.p;
	struct cursor data;
	uint64_t ra;

	if ((version != 1 && version != 3 && version != 4) ||
	    !memchr(augmentation, 0, cursor_left(&c)))
		return false;
	cursor_skip(&c, strlen(augmentation) + 1);
	/* An address, then the size of a segment selector. */
	if (version == 4 && (cursor_u8(&c) != ADDRESS_SIZE || cursor_u8(&c) != 0))
		return false;
	if (streq(augmentation, "eh")) { /* GCC 2: a pointer that its libgcc used */
		cursor_skip(&c, ADDRESS_SIZE);
		augmentation = "";
	}
	cie->code_align = cursor_uleb(&c);
	cie->data_align = cursor_sleb(&c);
	ra = version == 1 ? cursor_u8(&c) : cursor_uleb(&c);
	if (c.failed || ra != reader->machine->ra)
		return false;
	cie->has_augmentation = augmentation[0] == 'z';
	if (cie->has_augmentation) {
		data = cursor_sub(&c, cursor_uleb(&c));
		if (!read_augmentation(reader, augmentation + 1, &data, cie))
			return false;
	} else if (augmentation[0] != 0) {
		return false;
	}
	cie->instructions = c;
	return true;
}

static bool read_cie_at(const struct cfi_reader *reader, uint64_t offset, struct cfi_cie *cie)
{
	const struct cfi_section *s = &reader->section;
	struct cfi_entry entry;
	struct cursor c;

	if (offset >= s->size)
		return false;
	c = (struct cursor){ s->bytes + offset, s->bytes + s->size, false };
	return read_entry(reader, &c, &entry) && entry.is_cie &&
	       cursor_left(&entry.rest) <= CFI_CIE_MAX && read_cie(reader, entry.rest, cie);
}

const struct cfi_cie *cfi_read_cie(struct cfi_reader *reader, uint64_t offset)
{
	if (!reader->cie_read || offset != reader->cie_offset) {
		reader->cie = (struct cfi_cie){ .address_encoding = DW_EH_PE_absptr };
		reader->cie_offset = offset;
		reader->cie_good = read_cie_at(reader, offset, &reader->cie);
		reader->cie_read = true;
	}
	return reader->cie_good ? &reader->cie : NULL;
}

bool cfi_read_fde(const struct cfi_reader *reader, const struct cfi_cie *cie,
		  const struct cfi_entry *entry, struct cfi_fde *ret)
{
	struct cursor c = entry->rest;

	ret->begin = cfi_read_pointer(reader, &c, cie->address_encoding);
	ret->size = read_value(&c, cie->address_encoding & DW_EH_PE_format);
	if (cie->has_augmentation)
		cursor_skip(&c, cursor_uleb(&c));
	ret->instructions = c;
	return !c.failed;
}
