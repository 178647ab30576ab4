/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The unwinder over stacks that are known (stacks.c): this program profiles itself, with the unwind
 * tables of its own binaries, and compares each stack with what glibc's backtrace() said, which unwinds
 * by another implementation (libgcc's). Needs root and a kernel that runs BPF.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "binary/elf.h"
#include "binary/unwind-table.h"
#include "bpf/wire/profile.h"
#include "bpf/wire/scope.h"

#include "bpf/profile.skel.h"
#include "collect/profile/tables.h"
#include "stacks.h"

#define HZ 1000
#define BINARIES_MAX 32
#define TABLES_BYTES (8U << 20)
#define RING_BYTES (8U << 20) /* all samples of a way: 300 of up to 8 KB */

static struct profile_bpf *skel;
static struct tables *tables;
static struct bpf_link *link_;
static struct ring_buffer *ring;

static struct {
	uint64_t bias;
	struct table *table;
} binaries[BINARIES_MAX];
static struct wire_mapping mappings[BINARIES_MAX];
static uint32_t n_binaries, n_mappings;
static uint64_t mm;

/* What became of the samples of a way. */
static struct {
	unsigned seen, in_spin, root, agree, ends[WIRE_ENDS];
	unsigned depth;
} got;

/* --- this program's binaries ----------------------------------------------------------------- */

/* The vDSO is no file: its image in memory becomes one. */
static int open_object(const struct dl_phdr_info *info)
{
	size_t size = 0;
	int fd;

	if (info->dlpi_name[0] == '/')
		return open(info->dlpi_name, O_RDONLY | O_CLOEXEC);
	if (!info->dlpi_name[0])
		return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD)
			size = info->dlpi_phdr[i].p_offset + 2 * 4096;
	fd = memfd_create("vdso", MFD_CLOEXEC);
	assert_int_equal(write(fd, (void *)info->dlpi_addr, size), size);
	return fd;
}

static struct table *build_table(int fd)
{
	_cleanup_elf_ struct elf_file *elf = NULL;
	_cleanup_free_ void *bytes = NULL;
	struct unwind_table view;
	struct table *table;
	size_t size;

	assert_int_equal(elf_file_open(fd, &elf), 0);
	assert_int_equal(unwind_table_build(elf, &bytes, &size), 0);
	assert_int_equal(unwind_table_open(bytes, size, &view), 0);
	assert_int_equal(tables_add(tables, &view, TABLES_BYTES, &table), 0);
	return table;
}

static int add_object(struct dl_phdr_info *info, size_t size, void *userdata)
{
	_cleanup_close_ int fd = open_object(info);
	uint32_t number = ++n_binaries;

	(void)size;
	(void)userdata;
	assert_true(fd >= 0 && number < BINARIES_MAX);
	binaries[number].bias = info->dlpi_addr;
	binaries[number].table = build_table(fd);
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		assert_true(n_mappings < BINARIES_MAX);
		mappings[n_mappings++] = (struct wire_mapping){
			.begin = info->dlpi_addr + p->p_vaddr,
			.end = info->dlpi_addr + p->p_vaddr + p->p_memsz,
			.bias = info->dlpi_addr,
			.pages = binaries[number].table->pages,
			.binary = number,
			.kind = WIRE_MAPPING_TABLE,
		};
	}
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct wire_mapping *x = a, *y = b;

	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static void tell_mappings(void)
{
	struct wire_profiled process = { .mm = mm, .count = n_mappings };
	uint32_t pid = getpid();

	for (uint32_t i = 0; i < n_mappings; i++)
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.unwind_mappings), &i,
						     &mappings[i], BPF_ANY),
				 0);
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(skel->maps.profiled), &pid, &process, BPF_ANY), 0);
}

/* --- samples --------------------------------------------------------------------------------- */

static uint64_t absolute(uint64_t frame)
{
	uint32_t binary = frame >> WIRE_FRAME_BINARY_SHIFT;

	return binary ? binaries[binary].bias + (frame & ((1ULL << WIRE_FRAME_BINARY_SHIFT) - 1))
		      : frame;
}

/* A frame that called is one byte before where it goes on; one that a signal interrupted is not. */
static int same_stack(const __u64 *frames, unsigned n)
{
	if (n != (unsigned)known_stack.n)
		return 0;
	for (unsigned i = 1; i < n; i++) {
		uint64_t known = (uint64_t)known_stack.frames[i], frame = absolute(frames[i]);

		if (frame != known - 1 && frame != known)
			return 0;
	}
	return 1;
}

static int on_sample(void *userdata, void *data, size_t size)
{
	const struct wire_sample *s = data;
	const __u64 *frames = s->frames + s->kernel_frames;
	uint64_t pc;

	(void)userdata;
	assert_int_equal(size, offsetof(struct wire_sample, frames) +
				       8 * (s->kernel_frames + s->user_frames));
	assert_int_equal(s->tgid, getpid());
	got.seen++;
	got.ends[s->end]++;
	mm = s->mm;
	if (s->end == WIRE_END_PROCESS_UNKNOWN)
		return 0;
	got.root += s->end == WIRE_END_ROOT;
	pc = s->user_frames ? absolute(frames[0]) : 0;
	if (pc < spin_begin() || pc >= spin_end())
		return 0;
	got.in_spin++;
	got.depth = s->user_frames;
	got.agree += s->end == WIRE_END_ROOT && same_stack(frames, s->user_frames);
	return 0;
}

static int attach(void)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = HZ,
		.freq = 1,
		.inherit = 1, /* threads */
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return -errno;
	link_ = bpf_program__attach_perf_event(skel->progs.profile_sample, fd);
	return link_ ? 0 : -errno;
}

static int load(void **state)
{
	const struct wire_scope scope = { .pid = 1 };
	uint64_t pid = getpid();
	uint32_t zero = 0;
	uint8_t yes = 1;

	(void)state;
	skel = profile_bpf__open();
	assert_non_null(skel);
	bpf_map__set_max_entries(skel->maps.samples, RING_BYTES);
	assert_int_equal(profile_bpf__load(skel), 0);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.scope), &zero, &scope, 0), 0);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.scope_pids), &pid, &yes, 0), 0);
	assert_int_equal(tables_new(skel, &tables), 0);
	ring = ring_buffer__new(bpf_map__fd(skel->maps.samples), on_sample, NULL, NULL);
	assert_non_null(ring);
	assert_int_equal(attach(), 0);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	bpf_link__destroy(link_);
	ring_buffer__free(ring);
	for (uint32_t i = 1; i <= n_binaries; i++)
		tables_remove(tables, binaries[i].table);
	assert_int_equal(tables_bytes(tables), 0);
	tables_free(tables);
	profile_bpf__destroy(skel);
	return 0;
}

static void go(int way)
{
	ring_buffer__consume(ring);
	memset(&got, 0, sizeof(got));
	stack_go(way);
	ring_buffer__consume(ring);
}

/* --- the cases ------------------------------------------------------------------------------- */

static void unknown_process_says_so(void **state)
{
	(void)state;
	spin_ms = 50;
	go(0);
	assert_true(got.seen > 5);
	assert_int_equal(got.seen, got.ends[WIRE_END_PROCESS_UNKNOWN]);
	assert_true(mm != 0);
	dl_iterate_phdr(add_object, NULL);
	qsort(mappings, n_mappings, sizeof(*mappings), by_address);
	tell_mappings();
	spin_ms = 300;
}

static void print_ends(void)
{
	for (int end = 0; end < WIRE_ENDS; end++)
		if (end != WIRE_END_ROOT && got.ends[end])
			printf("  %u end otherwise: %d\n", got.ends[end], end);
}

/* While the kernel sets up a signal's frame or returns from one, the registers that it saved are half
 * of one and half of the other: a sample then is lost. So the root is asked for in 99.5 % of all. */
static void stacks_are_backtraces(void **state)
{
	unsigned seen = 0, root = 0;

	(void)state;
	for (int way = 0; way < STACK_WAYS; way++) {
		go(way);
		printf("%s: %u samples, %u reach the root; in spin() %u, of which %u agree; depth "
		       "%u\n",
		       stack_way_names[way], got.seen, got.root, got.in_spin, got.agree, got.depth);
		assert_true(got.in_spin > 50);
		assert_int_equal(got.agree, got.in_spin);
		print_ends();
		seen += got.seen;
		root += got.root;
	}
	assert_true(root * 1000ULL >= seen * 995ULL);
}

static void every_run_is_accounted(void **state)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *values = calloc(cpus, sizeof(*values));
	uint64_t counts[WIRE_PROFILE_COUNTS] = { 0 };

	(void)state;
	bpf_link__destroy(link_);
	link_ = NULL;
	for (uint32_t i = 0; i < WIRE_PROFILE_COUNTS; i++) {
		assert_int_equal(
			bpf_map_lookup_elem(bpf_map__fd(skel->maps.profile_counts), &i, values), 0);
		for (int cpu = 0; cpu < cpus; cpu++)
			counts[i] += values[cpu];
	}
	assert_true(counts[WIRE_PROFILE_DELIVERED] > 1000);
	assert_int_equal(counts[WIRE_PROFILE_FIRED], counts[WIRE_PROFILE_DELIVERED] +
							     counts[WIRE_PROFILE_LOST] +
							     counts[WIRE_PROFILE_FILTERED]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_process_says_so),
		cmocka_unit_test(stacks_are_backtraces),
		cmocka_unit_test(every_run_is_accounted),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
