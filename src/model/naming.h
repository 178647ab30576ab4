/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses that somebody wants to have names for, each once, and the names when they have been found.
 * Owns all that is in it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "model/sample.h"

#define NAMING_ADDRESSES_MAX (UINT32_C(1) << 18)
#define NAMING_CODES_MAX UINT16_MAX

struct naming;

struct named_address {
	uint32_t code; /* number */
	uint32_t zero;
	uint64_t address;
};

int naming_new(struct naming **ret);
struct naming *naming_free(struct naming *naming); /* takes NULL, returns NULL */

/* The number of an address, from 0 on. -ENOSPC: there are too many; -ENOMEM. */
int naming_add(struct naming *naming, const struct code *code, uint64_t address, uint32_t *ret);

uint32_t naming_size(const struct naming *naming);
const struct named_address *naming_at(const struct naming *naming, uint32_t number);
/* "" where none was found. */
const char *naming_name(const struct naming *naming, uint32_t number);
/* Copied; long ones are cut. -ENOSPC or -ENOMEM: it stays without. */
int naming_set(struct naming *naming, uint32_t number, const char *name);

uint32_t naming_n_codes(const struct naming *naming);
const struct code *naming_code(const struct naming *naming, uint32_t number);

DEFINE_CLEANUP(struct naming *, naming_free)
