/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attach-tool --attach auto|tcx|tc --runtime DIR [--interfaces GLOB]... [--netns WHICH]... [--max N]
 * attach-tool --cleanup --runtime DIR
 *
 * Drives collect/shared/interfaces with a program per slot and direction that counts skbs and bytes
 * and says "next": the flows collector without the flows. Reads commands from stdin and writes one
 * JSON object a line: "list" (every interface, then {"end": true}), "audit", "hint PID INODE",
 * "local NETNS ADDRESS", "quit". Removed interfaces are printed by themselves, with what their
 * programs counted to the end, and released.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "base/work.h"
#include "collect/shared/interfaces.h"

#define CPUS_MAX 1024

struct tool {
	sd_event *event;
	struct interfaces *interfaces;
	int maps[INTERFACES_MAX +
		 1]; /* per slot: a per-CPU array of one struct count per direction */
	char line[512];
	size_t line_len;
};

struct count {
	uint64_t skbs, bytes, packets;
};

/* --- the programs -------------------------------------------------------------------------- */

#define INSN(c, d, s, o, i) \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define ADD_TO(offset, reg) /* *(u64 *)(r0 + offset) += reg; uses r5 */ \
	INSN(BPF_LDX | BPF_MEM | BPF_DW, 5, 0, offset, 0),              \
		INSN(BPF_ALU64 | BPF_ADD | BPF_X, 5, reg, 0, 0),        \
		INSN(BPF_STX | BPF_MEM | BPF_DW, 0, 5, offset, 0)

static int load_program(int map_fd, enum tc_direction direction)
{
	struct bpf_insn code[] = {
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0),
		INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, direction),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4),
		INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map_fd),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 16, 0),
		/* The copy of a multicast that its sender gets: the interface counts it not. */
		INSN(BPF_LDX | BPF_MEM | BPF_W, 1, 6, offsetof(struct __sk_buff, pkt_type), 0),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 14, PACKET_LOOPBACK),
		INSN(BPF_LDX | BPF_MEM | BPF_W, 1, 6, offsetof(struct __sk_buff, len), 0),
		INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 6, offsetof(struct __sk_buff, gso_segs), 0),
		INSN(BPF_JMP | BPF_JNE | BPF_K, 2, 0, 1, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 1),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, 1),
		ADD_TO(0, 3),
		ADD_TO(8, 1),
		ADD_TO(16, 2),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, -1), /* TCX_NEXT, TC_ACT_UNSPEC */
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "attach_tool", "GPL", code, ARRAY_SIZE(code),
			     NULL);
}

static int prepare(void *userdata, const struct interface *interface,
		   int ret_programs[TC_DIRECTIONS])
{
	struct tool *tool = userdata;
	int *map = &tool->maps[interface->slot];

	if (*map < 0)
		*map = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "attach_tool", sizeof(uint32_t),
				      sizeof(struct count), TC_DIRECTIONS, NULL);
	if (*map < 0)
		return *map;
	for (int i = 0; i < TC_DIRECTIONS; i++) {
		ret_programs[i] = load_program(*map, i);
		if (ret_programs[i] < 0)
			return ret_programs[i];
	}
	return 0;
}

static int count(void *userdata, uint16_t slot, enum tc_direction direction, struct flow_count *ret)
{
	static _Thread_local struct count values[CPUS_MAX];
	struct tool *tool = userdata;
	uint32_t key = direction;
	int r;

	r = bpf_map_lookup_elem(tool->maps[slot], &key, values);
	if (r < 0)
		return r;
	*ret = (struct flow_count){ .skbs = 0 };
	for (int i = 0; i < libbpf_num_possible_cpus(); i++) {
		ret->skbs += values[i].skbs;
		ret->bytes += values[i].bytes;
		ret->packets += values[i].packets;
	}
	ret->bytes_wire = ret->bytes;
	return 0;
}

/* --- output -------------------------------------------------------------------------------- */

static void print_direction(struct tool *tool, const struct interface *i, enum tc_direction d)
{
	const struct link_counter *own = d == TC_INGRESS ? &i->link.rx : &i->link.tx;
	struct flow_count c = { .skbs = 0 };

	if (tool->maps[i->slot] >= 0)
		count(tool, i->slot, d, &c);
	printf(", \"%s\": {\"skbs\": %" PRIu64 ", \"packets\": %" PRIu64 ", \"bytes\": %" PRIu64
	       ", \"before\": [%" PRIu64 ", %" PRIu64 "], \"slack\": [%" PRIu64 ", %" PRIu64
	       "], \"last\": [%" PRIu64 ", %" PRIu64 "], \"omitted\": %d, \"wire\": %s}",
	       d == TC_INGRESS ? "rx" : "tx", c.skbs, c.packets, c.bytes, i->before[d].packets,
	       i->before[d].bytes, i->slack[d].packets, i->slack[d].bytes, own->packets, own->bytes,
	       i->units[d].omitted, i->units[d].wire ? "true" : "false");
}

static void print_interface(struct tool *tool, const struct interface *i)
{
	static const char *const states[] = { "pending", "attached", "failed", "removed" };
	static const char *const modes[] = { "none", "tcx", "tc" };

	printf("{\"slot\": %u, \"state\": \"%s\", \"mode\": \"%s\", \"netns\": %" PRIu64
	       ", \"ifindex\": %u, \"name\": \"%s\", \"kind\": \"%s\", \"role\": \"%s\", "
	       "\"exact\": %s, \"last_known\": %s, \"reason\": \"%s\", \"foreign\": \"%s\"",
	       i->slot, states[i->state], modes[i->mode], i->link.netns, i->link.ifindex,
	       i->link.name, i->link.kind, flow_role_name(i->link.role),
	       i->exact ? "true" : "false", i->last_known ? "true" : "false", i->reason,
	       i->foreign);
	print_direction(tool, i, TC_INGRESS);
	print_direction(tool, i, TC_EGRESS);
	printf("}\n");
}

static void on_changed(void *userdata, const struct interface *interface)
{
	struct tool *tool = userdata;
	uint16_t slot = interface->slot;

	if (interface->state != INTERFACE_REMOVED)
		return;
	print_interface(tool, interface);
	tool->maps[slot] = close_fd(tool->maps[slot]);
	interfaces_release(tool->interfaces, slot);
}

/* --- commands ------------------------------------------------------------------------------ */

static void list(struct tool *tool)
{
	struct part_status status = { .state = PART_ON };
	const struct interface *i;
	size_t pos = 0;

	while ((i = interfaces_next(tool->interfaces, &pos)))
		print_interface(tool, i);
	interfaces_status(tool->interfaces, &status);
	printf("{\"end\": true, \"rung\": \"%s\", \"reason\": \"%s\", \"overflows\": %" PRIu64
	       "}\n",
	       status.rung, status.reason,
	       links_stats(interfaces_links(tool->interfaces)).overflows);
}

static void is_local(struct tool *tool, uint64_t netns, const char *text)
{
	struct ip_address address;
	bool local = ip_parse(text, &address) == 0 &&
		     links_is_local(interfaces_links(tool->interfaces), netns, &address);

	printf("{\"local\": %s}\n", local ? "true" : "false");
}

static void command(struct tool *tool, const char *line)
{
	char address[64];
	uint64_t netns;
	int pid;

	if (streq(line, "list"))
		list(tool);
	else if (streq(line, "audit"))
		interfaces_audit(tool->interfaces);
	else if (sscanf(line, "hint %d %" SCNu64, &pid, &netns) == 2)
		netns_hint(links_netns(interfaces_links(tool->interfaces)), pid, netns);
	else if (sscanf(line, "local %" SCNu64 " %63s", &netns, address) == 2)
		is_local(tool, netns, address);
	else
		sd_event_exit(tool->event, 0);
}

static int on_stdin(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct tool *tool = userdata;
	char *end;
	ssize_t n = read(fd, tool->line + tool->line_len, sizeof(tool->line) - tool->line_len - 1);

	if (n <= 0)
		return sd_event_exit(tool->event, 0);
	tool->line_len += (size_t)n;
	tool->line[tool->line_len] = '\0';
	while ((end = strchr(tool->line, '\n'))) {
		*end = '\0';
		command(tool, tool->line);
		tool->line_len -= (size_t)(end + 1 - tool->line);
		memmove(tool->line, end + 1, tool->line_len + 1);
	}
	fflush(stdout);
	return 0;
}

static int run(const struct interfaces_config *config)
{
	static struct tool tool;
	static const struct interfaces_ops ops = { prepare, count, on_changed };
	struct work *work;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(tool.maps); i++)
		tool.maps[i] = -EBADF;
	setvbuf(stdout, NULL, _IOLBF, 0);
	r = sd_event_default(&tool.event);
	if (r < 0)
		return r;
	r = work_new(tool.event, &work);
	if (r < 0)
		return r;
	r = interfaces_cleanup(config->runtime_dir);
	if (r == 0)
		r = interfaces_new(tool.event, work, config, &ops, &tool, &tool.interfaces);
	if (r == 0)
		r = sd_event_add_io(tool.event, NULL, STDIN_FILENO, EPOLLIN, on_stdin, &tool);
	if (r >= 0)
		r = sd_event_loop(tool.event);
	interfaces_free(tool.interfaces);
	work_free(work);
	sd_event_unref(tool.event);
	return r;
}

static enum tc_mode mode_of(const char *name)
{
	return streq(name, "tcx") ? TC_TCX : streq(name, "tc") ? TC_CLSACT : TC_AUTO;
}

struct arguments {
	struct interfaces_config config;
	struct option_list names, spaces;
	char *name_values[64], *space_values[64];
};

static bool take_argument(struct arguments *a, const char *key, char *value)
{
	if (streq(key, "--attach"))
		a->config.attach = mode_of(value);
	else if (streq(key, "--runtime"))
		a->config.runtime_dir = value;
	else if (streq(key, "--max"))
		a->config.max = (unsigned)atoi(value);
	else if (streq(key, "--interfaces") && a->names.n < ARRAY_SIZE(a->name_values))
		a->name_values[a->names.n++] = value;
	else if (streq(key, "--netns") && a->spaces.n < ARRAY_SIZE(a->space_values))
		a->space_values[a->spaces.n++] = value;
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	static struct arguments a = { .config = { .max = INTERFACES_MAX } };
	bool cleanup = argc > 1 && streq(argv[1], "--cleanup");
	int r;

	a.names.values = a.name_values;
	a.spaces.values = a.space_values;
	a.config.names = &a.names;
	a.config.netns = &a.spaces;
	for (int i = cleanup ? 2 : 1; i < argc; i += 2)
		if (i + 1 == argc || !take_argument(&a, argv[i], argv[i + 1]))
			return 2;
	if (!a.config.runtime_dir)
		return 2;
	r = cleanup ? interfaces_cleanup(a.config.runtime_dir) : run(&a.config);
	if (r < 0)
		fprintf(stderr, "attach-tool: %s\n", strerror(-r));
	return r < 0;
}
