/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Builds packets byte by byte, in the order in which the headers stand. */
#pragma once

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

struct frame {
	unsigned char bytes[2048];
	unsigned size;
};

static inline void put8(struct frame *f, uint8_t v)
{
	f->bytes[f->size++] = v;
}

static inline void put16(struct frame *f, uint16_t v)
{
	put8(f, v >> 8);
	put8(f, v & 0xff);
}

static inline void put32(struct frame *f, uint32_t v)
{
	put16(f, v >> 16);
	put16(f, v & 0xffff);
}

static inline void put_zeros(struct frame *f, unsigned n)
{
	memset(f->bytes + f->size, 0, n);
	f->size += n;
}

static inline void put_ethernet(struct frame *f, uint16_t ethertype)
{
	put32(f, 0x02000000);
	put32(f, 0x00010200);
	put32(f, 0x00000002);
	put16(f, ethertype);
}

static inline void put_vlan(struct frame *f, uint16_t id, uint16_t ethertype)
{
	put16(f, id);
	put16(f, ethertype);
}

/* fragment: offset in units of 8 bytes, flags in the upper three bits. options: bytes, a multiple
 * of 4. length: of what follows the header. */
static inline void put_ipv4(struct frame *f, uint8_t protocol, uint32_t source,
			    uint32_t destination, uint16_t fragment, unsigned options,
			    unsigned length)
{
	put8(f, 0x40 | (5 + options / 4));
	put8(f, 0);
	put16(f, 20 + options + length);
	put16(f, 0);
	put16(f, fragment);
	put8(f, 64);
	put8(f, protocol);
	put16(f, 0);
	put32(f, source);
	put32(f, destination);
	for (unsigned i = 0; i < options; i++)
		put8(f, 1); /* no-operation */
}

/* Addresses fd00::source, fd00::destination. */
static inline void put_ipv6(struct frame *f, uint8_t next, uint8_t source, uint8_t destination,
			    unsigned length)
{
	put32(f, 0x60000000);
	put16(f, length);
	put8(f, next);
	put8(f, 64);
	put16(f, 0xfd00);
	put_zeros(f, 13);
	put8(f, source);
	put16(f, 0xfd00);
	put_zeros(f, 13);
	put8(f, destination);
}

/* An extension header of (1 + units) * 8 bytes. */
static inline void put_extension(struct frame *f, uint8_t next, uint8_t units)
{
	put8(f, next);
	put8(f, units);
	put_zeros(f, 6 + units * 8);
}

static inline void put_fragment(struct frame *f, uint8_t next, uint16_t offset, int more)
{
	put8(f, next);
	put8(f, 0);
	put16(f, offset << 3 | more);
	put32(f, 1);
}

static inline void put_tcp(struct frame *f, uint16_t source, uint16_t destination, uint8_t flags,
			   unsigned options)
{
	put16(f, source);
	put16(f, destination);
	put32(f, 1);
	put32(f, 1);
	put8(f, (5 + options / 4) << 4);
	put8(f, flags);
	put16(f, 1000);
	put32(f, 0);
	put_zeros(f, options);
}

static inline void put_udp(struct frame *f, uint16_t source, uint16_t destination, unsigned length)
{
	put16(f, source);
	put16(f, destination);
	put16(f, 8 + length);
	put16(f, 0);
}
