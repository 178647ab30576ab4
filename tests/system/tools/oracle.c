/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* x86-64 only: the order of registers in perf's records (<asm/perf_regs.h>) and in DWARF. */
#include "oracle.h"

#include <bpf/libbpf.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hashmap.h"
#include "base/util.h"

#define CPUS_MAX 64
#define RING_BYTES (16U << 20) /* of each CPU: 250 samples */
#define PROCESSES_MAX 1024
#define FRAMES_MAX 4096 /* libdwfl itself knows no end */
#define STACK_BYTES 65528 /* the most that perf records */
#define REGISTERS 17 /* ax bx cx dx si di bp sp ip, r8 to r15 */
#define REGISTERS_MASK 0xff01ffULL

struct ring {
	int fd;
	struct bpf_link *link; /* owns fd */
	struct perf_event_mmap_page *page;
};

struct recorded { /* PERF_RECORD_SAMPLE of the sample type below, up to the stack's bytes */
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t time;
	uint64_t abi;
	uint64_t registers[REGISTERS];
	uint64_t stack_size;
	uint8_t stack[];
};

struct oracle {
	struct ring rings[CPUS_MAX];
	int n_rings;
	struct hashmap *by_pid; /* uint32_t -> Dwfl * */
	uint8_t record[65536];
	const struct recorded *now;
	Dwfl *dwfl; /* of now */
	uint64_t stack_used; /* bytes of now's stack that were read */
	bool beyond; /* it was not enough */
	unsigned n_frames;
	FILE *frames; /* of now: how it ended comes first in the line */
};

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_linux_proc_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
};

/* --- what libdwfl asks for ------------------------------------------------------------------- */

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	struct oracle *o = arg;

	(void)dwfl;
	if (*thread_arg)
		return 0;
	*thread_arg = o;
	return (pid_t)o->now->tid;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread_arg)
{
	(void)dwfl;
	(void)tid;
	*thread_arg = arg;
	return true;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *ret, void *arg)
{
	struct oracle *o = arg;
	uint64_t offset = address - o->now->registers[7];

	(void)dwfl;
	if (offset > o->stack_used || o->stack_used - offset < sizeof(*ret)) {
		o->beyond = true;
		return false;
	}
	memcpy(ret, o->now->stack + offset, sizeof(*ret));
	return true;
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
	static const uint8_t by_dwarf[REGISTERS] = { 0,	 3,  2,	 1,  4,	 5,  6,	 7, 9,
						     10, 11, 12, 13, 14, 15, 16, 8 };
	struct oracle *o = arg;
	Dwarf_Word registers[REGISTERS];

	for (int i = 0; i < REGISTERS; i++)
		registers[i] = o->now->registers[by_dwarf[i]];
	return dwfl_thread_state_registers(thread, 0, REGISTERS, registers);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
	.next_thread = next_thread,
	.get_thread = get_thread,
	.memory_read = read_memory,
	.set_initial_registers = set_registers,
};

/* --- a sample -------------------------------------------------------------------------------- */

static bool report(Dwfl *dwfl, pid_t pid)
{
	dwfl_report_begin(dwfl);
	return dwfl_linux_proc_report(dwfl, pid) == 0 && dwfl_report_end(dwfl, NULL, NULL) == 0;
}

/* The process's mappings; again, when it is in one that was not there before. */
static Dwfl *process_of(struct oracle *o, uint32_t pid, uint64_t pc)
{
	bool is_new;
	Dwfl **place = hashmap_put(o->by_pid, &pid, &is_new);

	if (!place)
		return NULL;
	if (!is_new && *place && dwfl_addrmodule(*place, pc))
		return *place;
	if (is_new)
		*place = dwfl_begin(&callbacks);
	if (!*place || !report(*place, (pid_t)pid))
		return NULL;
	dwfl_attach_state(*place, NULL, (pid_t)pid, &thread_callbacks, o);
	return dwfl_addrmodule(*place, pc) ? *place : NULL;
}

static int print_frame(Dwfl_Frame *frame, void *arg)
{
	struct oracle *o = arg;
	const char *file = NULL;
	GElf_Addr bias = 0;
	Dwfl_Module *module;
	bool interrupted;
	Dwarf_Addr pc;

	if (o->n_frames++ >= FRAMES_MAX || !dwfl_frame_pc(frame, &pc, &interrupted))
		return DWARF_CB_ABORT;
	pc -= !interrupted;
	module = dwfl_addrmodule(o->dwfl, pc);
	if (module && dwfl_module_getelf(module, &bias))
		file = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
	if (file && has_prefix(file, "[vdso"))
		file = "[vdso]"; /* libdwfl writes the process's id behind it */
	fprintf(o->frames, " %s+%" PRIx64, file ?: "?", pc - bias);
	return DWARF_CB_OK;
}

static void unwind(struct oracle *o)
{
	const struct recorded *s = o->now;
	char *line = NULL;
	size_t size;
	int r;

	if (s->abi != PERF_SAMPLE_REGS_ABI_64)
		return;
	o->dwfl = process_of(o, s->pid, s->registers[8]);
	if (!o->dwfl)
		return;
	memcpy(&o->stack_used, s->stack + s->stack_size, sizeof(o->stack_used));
	o->beyond = false;
	o->n_frames = 0;
	o->frames = open_memstream(&line, &size);
	if (!o->frames)
		return;
	r = dwfl_getthread_frames(o->dwfl, (pid_t)s->tid, print_frame, o);
	fclose(o->frames);
	printf("oracle %" PRIu64 " %u %u %d%s\n", s->time, s->pid, s->tid,
	       r == 0	   ? 0
	       : o->beyond ? 1
			   : 2,
	       line);
	free(line);
}

/* --- perf's buffers -------------------------------------------------------------------------- */

static void copy_out(struct ring *ring, uint64_t at, void *to, size_t n)
{
	const uint8_t *data = (const uint8_t *)ring->page + ring->page->data_offset;
	size_t begin = at % RING_BYTES, first = MIN(n, RING_BYTES - begin);

	memcpy(to, data + begin, first);
	memcpy((uint8_t *)to + first, data, n - first);
}

static void drain_ring(struct oracle *o, struct ring *ring)
{
	uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = ring->page->data_tail;
	struct perf_event_header header;

	while (tail < head) {
		copy_out(ring, tail, &header, sizeof(header));
		copy_out(ring, tail, o->record, header.size);
		tail += header.size;
		__atomic_store_n(&ring->page->data_tail, tail, __ATOMIC_RELEASE);
		o->now = (const struct recorded *)o->record;
		if (header.type == PERF_RECORD_SAMPLE && o->now->stack_size > 0)
			unwind(o);
	}
}

void oracle_drain(struct oracle *o)
{
	for (int i = 0; o && i < o->n_rings; i++)
		drain_ring(o, &o->rings[i]);
}

static int open_ring(const struct bpf_program *program, unsigned frequency, int cpu,
		     struct ring *ring)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = frequency,
		.freq = 1,
		.exclude_idle = 1,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_REGS_USER |
			       PERF_SAMPLE_STACK_USER,
		.sample_regs_user = REGISTERS_MASK,
		.sample_stack_user = STACK_BYTES,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};

	ring->fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (ring->fd < 0)
		return -errno;
	ring->page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE) + RING_BYTES, PROT_READ | PROT_WRITE,
			  MAP_SHARED, ring->fd, 0);
	if (ring->page == MAP_FAILED)
		return -errno;
	ring->link = bpf_program__attach_perf_event(program, ring->fd);
	return ring->link ? 0 : -errno;
}

int oracle_new(const struct bpf_program *program, unsigned frequency, struct oracle **ret)
{
	struct oracle *o = calloc(1, sizeof(*o));
	int r = o ? hashmap_new(sizeof(uint32_t), sizeof(Dwfl *), PROCESSES_MAX, &o->by_pid)
		  : -ENOMEM;

	for (int cpu = 0; r >= 0 && cpu < MIN(libbpf_num_possible_cpus(), CPUS_MAX); cpu++) {
		r = open_ring(program, frequency, cpu, &o->rings[o->n_rings]);
		o->n_rings += r >= 0;
	}
	if (r < 0) {
		oracle_free(o);
		return r;
	}
	*ret = o;
	return 0;
}

struct oracle *oracle_free(struct oracle *o)
{
	const uint32_t *pid;
	Dwfl **dwfl;

	if (!o)
		return NULL;
	for (int i = 0; i < o->n_rings; i++) {
		munmap(o->rings[i].page, (size_t)sysconf(_SC_PAGESIZE) + RING_BYTES);
		bpf_link__destroy(o->rings[i].link);
	}
	if (o->by_pid)
		HASHMAP_FOREACH(o->by_pid, pos, pid, dwfl)
			dwfl_end(*dwfl);
	hashmap_free(o->by_pid);
	free(o);
	return NULL;
}
