/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Code that is in no file belongs to who made it: the kernel of this boot, or the process. */
#include "collect/profile/samples.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_LEN 36

_Static_assert((int)STACK_END_MAX_ == (int)WIRE_ENDS, "the same ends in the same order");
_Static_assert(SAMPLE_FRAMES_MAX == WIRE_KERNEL_FRAMES_MAX + WIRE_USER_FRAMES_MAX, "frames");

struct samples {
	const struct binaries *binaries;
	const struct spaces *spaces;
	struct code kernel, unknown;
	struct code own; /* what the process of the last sample made itself */
	struct frame frames[SAMPLE_FRAMES_MAX];
};

static int read_boot_id(struct code *ret)
{
	_cleanup_fclose_ FILE *f = fopen(BOOT_ID, "re");

	if (!f)
		return -errno;
	if (fread(ret->id, 1, BOOT_ID_LEN, f) != BOOT_ID_LEN)
		return -EIO;
	ret->id_size = BOOT_ID_LEN;
	return 0;
}

int samples_new(const struct binaries *binaries, const struct spaces *spaces, struct samples **ret)
{
	_cleanup_(samples_free_p) struct samples *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->binaries = binaries;
	s->spaces = spaces;
	s->kernel = (struct code){ .kind = CODE_KERNEL, .path = "" };
	s->unknown = (struct code){ .kind = CODE_UNKNOWN, .path = "" };
	r = read_boot_id(&s->kernel);
	if (r < 0)
		return r;
	*ret = TAKE(s);
	return 0;
}

struct samples *samples_free(struct samples *s)
{
	free(s);
	return NULL;
}

static void identify_own(struct samples *s, const struct wire_sample *wire)
{
	s->own = (struct code){ .kind = CODE_ANONYMOUS, .path = "" };
	memcpy(s->own.id, &wire->tgid, sizeof(wire->tgid));
	memcpy(s->own.id + sizeof(wire->tgid), &wire->start_ns, sizeof(wire->start_ns));
	s->own.id_size = sizeof(wire->tgid) + sizeof(wire->start_ns);
}

static struct frame frame_of(struct samples *s, const struct wire_sample *wire, uint64_t word)
{
	const uint64_t mask = (UINT64_C(1) << WIRE_FRAME_BINARY_SHIFT) - 1;
	uint16_t number = word >> WIRE_FRAME_BINARY_SHIFT;
	const struct binary *binary = number ? binaries_at(s->binaries, number) : NULL;

	if (binary)
		return (struct frame){ &binary->code, word & mask };
	if (!number && spaces_is_anonymous(s->spaces, (pid_t)wire->tgid, word))
		return (struct frame){ &s->own, word };
	return (struct frame){ &s->unknown, number ? word & mask : word };
}

bool samples_record(struct samples *s, const struct wire_sample *wire, size_t size, uint64_t value,
		    struct record *ret)
{
	size_t n;

	if (size < offsetof(struct wire_sample, frames))
		return false;
	n = (size_t)wire->kernel_frames + wire->user_frames;
	if (n > SAMPLE_FRAMES_MAX || wire->end >= WIRE_ENDS ||
	    size < offsetof(struct wire_sample, frames) + n * sizeof(wire->frames[0]))
		return false;
	identify_own(s, wire);
	for (size_t i = 0; i < n; i++)
		s->frames[i] = i < wire->kernel_frames
				       ? (struct frame){ &s->kernel, wire->frames[i] }
				       : frame_of(s, wire, wire->frames[i]);
	*ret = (struct record){ .kind = RECORD_SAMPLE };
	ret->sample = (struct sample){
		.event = SAMPLE_CPU,
		.process = { .pid = (pid_t)wire->tgid,
			     .start_ns = wire->start_ns,
			     .cgroup_id = wire->cgroup_id,
			     .thread = wire->tid != wire->tgid },
		.tid = (pid_t)wire->tid,
		.cpu = (int32_t)wire->cpu,
		.end = (enum stack_end)wire->end,
		.n_kernel = wire->kernel_frames,
		.n = (uint32_t)n,
		.frames = s->frames,
		.count = 1,
		.value = value,
	};
	memcpy(ret->sample.process.comm, wire->comm, COMM_LEN);
	memcpy(ret->sample.thread, wire->comm, COMM_LEN);
	return true;
}
