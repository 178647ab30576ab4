/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what the kernel side sends to a record: numbers of binaries become code. */
#pragma once

#include "base/cleanup.h"
#include "bpf/wire/profile.h"
#include "collect/profile/binaries.h"
#include "collect/profile/spaces.h"
#include "model/record.h"

struct samples;

/* Both are borrowed. -errno: the boot's id cannot be read. */
int samples_new(const struct binaries *binaries, const struct spaces *spaces, struct samples **ret);
struct samples *samples_free(struct samples *samples); /* takes NULL, returns NULL */

/* size bytes as they came from the ring. value: what one sample weighs, in nanoseconds. The record's
 * frames are valid until the next call. False: these are not bytes of ours. */
bool samples_record(struct samples *samples, const struct wire_sample *wire, size_t size,
		    uint64_t value, struct record *ret);

DEFINE_CLEANUP(struct samples *, samples_free)
