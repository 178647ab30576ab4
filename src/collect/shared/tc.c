/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * TCX programs run before the classic filters of either direction, and the newest bpf filter of a
 * priority before the older ones (cls_bpf adds at the head), so ours is first when it is attached:
 * with BPF_F_BEFORE, or with priority 1. Who comes before us later is found by tc_find_foreign().
 * libbpf's bpf_tc_hook_destroy() is not used: it removes all filters of a direction, also others'.
 */
#include "collect/shared/tc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "collect/bpf_sys.h"
#include "host/rtnl.h"

#define CLSACT_HANDLE TC_H_MAKE(TC_H_CLSACT, 0)
/* Where another kind of filter has priority 1 already, ours takes the next one that is free. */
#define PRIORITY_TRIES 8
#define TCX_PROGRAMS_MAX 64 /* BPF_MPROG_MAX, linux/bpf_mprog.h */

static const char *const filter_names[TC_DIRECTIONS] = { "ebpfobs_ingress", "ebpfobs_egress" };

static uint32_t parent_of(enum tc_direction direction)
{
	return TC_H_MAKE(TC_H_CLSACT, direction == TC_INGRESS ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
}

static int attach_type_of(enum tc_direction direction)
{
	return direction == TC_INGRESS ? BPF_SYS_TCX_INGRESS : BPF_SYS_TCX_EGRESS;
}

int tc_probe_tcx(int prog_fd)
{
	/* No interface has this index: a kernel with TCX says ENODEV, one without EINVAL. */
	int r = bpf_sys_tcx_attach(prog_fd, INT_MAX, BPF_SYS_TCX_INGRESS);

	if (r == -ENODEV)
		return 1;
	return r == -EINVAL ? 0 : r;
}

/* --- the qdisc ----------------------------------------------------------------------------- */

static int change_clsact(struct nl_sock *sock, int ifindex, int type, int flags)
{
	struct tcmsg header = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = ifindex,
		.tcm_handle = CLSACT_HANDLE,
		.tcm_parent = TC_H_CLSACT,
	};
	_cleanup_(nlmsg_free_p) struct nl_msg *message =
		rtnl_message(type, flags, &header, sizeof(header));

	if (!message || nla_put_string(message, TCA_KIND, "clsact") < 0)
		return -ENOMEM;
	return rtnl_request(sock, message, NULL, NULL);
}

struct qdisc_search {
	int ifindex;
	bool clsact;
};

static int take_qdisc(void *userdata, struct nlmsghdr *h)
{
	struct qdisc_search *search = userdata;
	const struct tcmsg *header = nlmsg_data(h);
	struct nlattr *kind = nlmsg_find_attr(h, sizeof(*header), TCA_KIND);

	if (h->nlmsg_type == RTM_NEWQDISC && header->tcm_ifindex == search->ifindex &&
	    header->tcm_parent == TC_H_CLSACT && kind && nla_strcmp(kind, "clsact") == 0)
		search->clsact = true;
	return 0;
}

static int has_clsact(struct nl_sock *sock, int ifindex, bool *ret)
{
	struct tcmsg header = { .tcm_family = AF_UNSPEC, .tcm_ifindex = ifindex };
	struct qdisc_search search = { .ifindex = ifindex };
	_cleanup_(nlmsg_free_p) struct nl_msg *message =
		rtnl_message(RTM_GETQDISC, NLM_F_DUMP, &header, sizeof(header));
	int r;

	/* Without it the dump leaves out the qdiscs that hang beside the tree, as clsact does. */
	if (!message || nla_put_flag(message, TCA_DUMP_INVISIBLE) < 0)
		return -ENOMEM;
	r = rtnl_request(sock, message, take_qdisc, &search);
	if (r < 0)
		return r;
	*ret = search.clsact;
	return 0;
}

int tc_has_clsact(int ifindex, bool *ret)
{
	_cleanup_(rtnl_close_p) struct nl_sock *sock = NULL;
	int r;

	r = rtnl_open(&sock);
	if (r < 0)
		return r;
	return has_clsact(sock, ifindex, ret);
}

int tc_make_clsact(int ifindex, bool *ret_made)
{
	_cleanup_(rtnl_close_p) struct nl_sock *sock = NULL;
	bool clsact;
	int r;

	r = rtnl_open(&sock);
	if (r < 0)
		return r;
	r = change_clsact(sock, ifindex, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
	if (r != -EEXIST) {
		if (r == 0)
			*ret_made = true;
		return r;
	}
	/* An "ingress" qdisc has the same handle, and would take an egress filter for ingress. */
	r = has_clsact(sock, ifindex, &clsact);
	if (r < 0)
		return r;
	if (!clsact)
		return -EEXIST;
	*ret_made = false;
	return 0;
}

/* --- filters ------------------------------------------------------------------------------- */

struct filter {
	uint32_t handle;
	uint16_t priority;
	char kind[16];
	char name[32]; /* of a bpf filter */
	uint32_t program; /* id, of a bpf filter */
};

/* false: it says that a priority is in use, not which filter is there (handle 0). */
static bool parse_filter(struct nlmsghdr *h, struct filter *ret)
{
	const struct tcmsg *header = nlmsg_data(h);
	struct nlattr *a[TCA_MAX + 1], *o[TCA_BPF_MAX + 1];

	if (h->nlmsg_type != RTM_NEWTFILTER ||
	    nlmsg_parse(h, sizeof(*header), a, TCA_MAX, NULL) < 0 || !a[TCA_KIND] ||
	    header->tcm_handle == 0)
		return false;
	*ret = (struct filter){ .handle = header->tcm_handle,
				.priority = (uint16_t)(TC_H_MAJ(header->tcm_info) >> 16) };
	nla_strlcpy(ret->kind, a[TCA_KIND], sizeof(ret->kind));
	if (!streq(ret->kind, "bpf") || !a[TCA_OPTIONS] ||
	    nla_parse_nested(o, TCA_BPF_MAX, a[TCA_OPTIONS], NULL) < 0)
		return true;
	if (o[TCA_BPF_NAME])
		nla_strlcpy(ret->name, o[TCA_BPF_NAME], sizeof(ret->name));
	if (o[TCA_BPF_ID])
		ret->program = nla_get_u32(o[TCA_BPF_ID]);
	return true;
}

/* Calls each for the filters of a direction, in the order in which they run. */
static int dump_filters(struct nl_sock *sock, int ifindex, enum tc_direction direction,
			int (*each)(void *userdata, struct nlmsghdr *h), void *userdata)
{
	struct tcmsg header = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = ifindex,
		.tcm_parent = parent_of(direction),
	};
	_cleanup_(nlmsg_free_p) struct nl_msg *message =
		rtnl_message(RTM_GETTFILTER, NLM_F_DUMP, &header, sizeof(header));

	if (!message)
		return -ENOMEM;
	return rtnl_request(sock, message, each, userdata);
}

static int count_filter(void *userdata, struct nlmsghdr *h)
{
	struct filter filter;

	*(unsigned *)userdata += parse_filter(h, &filter);
	return 0;
}

int tc_drop_clsact(int ifindex)
{
	_cleanup_(rtnl_close_p) struct nl_sock *sock = NULL;
	bool clsact = false;
	unsigned n = 0;
	int r;

	r = rtnl_open(&sock);
	if (r < 0)
		return r;
	r = has_clsact(sock, ifindex, &clsact);
	if (r < 0 || !clsact)
		return r == -ENODEV ? 0 : r;
	for (int i = 0; i < TC_DIRECTIONS; i++) {
		r = dump_filters(sock, ifindex, i, count_filter, &n);
		if (r < 0)
			return r;
	}
	return n > 0 ? 0 : change_clsact(sock, ifindex, RTM_DELQDISC, 0);
}

static int put_bpf_options(struct nl_msg *message, int prog_fd, enum tc_direction direction)
{
	struct nlattr *options;

	if (nla_put_string(message, TCA_KIND, "bpf") < 0)
		return -ENOMEM;
	options = nla_nest_start(message, TCA_OPTIONS);
	if (!options || nla_put_u32(message, TCA_BPF_FD, (uint32_t)prog_fd) < 0 ||
	    nla_put_string(message, TCA_BPF_NAME, filter_names[direction]) < 0 ||
	    nla_put_u32(message, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT) < 0 ||
	    nla_put_u32(message, TCA_BPF_FLAGS_GEN, TCA_CLS_FLAGS_SKIP_HW) < 0)
		return -ENOMEM;
	nla_nest_end(message, options);
	return 0;
}

static int take_echo(void *userdata, struct nlmsghdr *h)
{
	struct filter filter;

	if (parse_filter(h, &filter))
		*(struct filter *)userdata = filter;
	return 0;
}

static int add_filter(struct nl_sock *sock, int prog_fd, uint16_t priority,
		      struct tc_attachment *attachment)
{
	struct tcmsg header = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = attachment->ifindex,
		.tcm_parent = parent_of(attachment->direction),
		.tcm_info = TC_H_MAKE((uint32_t)priority << 16, htons(ETH_P_ALL)),
	};
	_cleanup_(nlmsg_free_p) struct nl_msg *message = rtnl_message(
		RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO, &header, sizeof(header));
	struct filter filter = { .handle = 0 };
	int r;

	if (!message || put_bpf_options(message, prog_fd, attachment->direction) < 0)
		return -ENOMEM;
	r = rtnl_request(sock, message, take_echo, &filter);
	if (r < 0)
		return r;
	attachment->priority = priority;
	attachment->handle = filter.handle;
	return 0;
}

static int attach_filter(int prog_fd, struct tc_attachment *attachment)
{
	_cleanup_(rtnl_close_p) struct nl_sock *sock = NULL;
	int r;

	r = rtnl_open(&sock);
	if (r < 0)
		return r;
	/* One priority has one kind of filter and one protocol: EINVAL or EEXIST if they differ. */
	r = -EEXIST;
	for (uint16_t priority = 1; priority <= PRIORITY_TRIES; priority++) {
		r = add_filter(sock, prog_fd, priority, attachment);
		if (r != -EINVAL && r != -EEXIST)
			break;
	}
	return r;
}

int tc_attach(enum tc_mode mode, int ifindex, enum tc_direction direction, int prog_fd,
	      struct tc_attachment *ret)
{
	struct tc_attachment attachment = {
		.mode = mode, .direction = direction, .ifindex = ifindex, .link_fd = -EBADF
	};
	int64_t id = bpf_sys_prog_id(prog_fd);
	int r;

	if (id < 0)
		return (int)id;
	attachment.program = (uint32_t)id;
	if (mode == TC_TCX)
		r = attachment.link_fd =
			bpf_sys_tcx_attach(prog_fd, ifindex, attach_type_of(direction));
	else
		r = attach_filter(prog_fd, &attachment);
	if (r < 0)
		return r;
	*ret = attachment;
	return 0;
}

/* --- detaching ----------------------------------------------------------------------------- */

struct own_search {
	const struct tc_attachment *attachment;
	struct filter found; /* handle 0: not there */
};

/* A handle of 0 was recorded by a process that was killed between attaching and recording. */
static int take_own(void *userdata, struct nlmsghdr *h)
{
	struct own_search *search = userdata;
	const struct tc_attachment *a = search->attachment;
	struct filter filter;

	if (parse_filter(h, &filter) && filter.program == a->program && a->program != 0 &&
	    streq(filter.name, filter_names[a->direction]) &&
	    (a->handle == 0 || (filter.handle == a->handle && filter.priority == a->priority)))
		search->found = filter;
	return 0;
}

static int delete_filter(struct nl_sock *sock, const struct tc_attachment *attachment,
			 const struct filter *filter)
{
	struct tcmsg header = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = attachment->ifindex,
		.tcm_handle = filter->handle,
		.tcm_parent = parent_of(attachment->direction),
		.tcm_info = TC_H_MAKE((uint32_t)filter->priority << 16, htons(ETH_P_ALL)),
	};
	_cleanup_(nlmsg_free_p) struct nl_msg *message =
		rtnl_message(RTM_DELTFILTER, 0, &header, sizeof(header));

	if (!message || nla_put_string(message, TCA_KIND, "bpf") < 0)
		return -ENOMEM;
	return rtnl_request(sock, message, NULL, NULL);
}

static int detach_filter(const struct tc_attachment *attachment)
{
	_cleanup_(rtnl_close_p) struct nl_sock *sock = NULL;
	struct own_search search = { .attachment = attachment };
	int r;

	r = rtnl_open(&sock);
	if (r < 0)
		return r;
	r = dump_filters(sock, attachment->ifindex, attachment->direction, take_own, &search);
	/* ENODEV: the interface is gone; EINVAL: its clsact is. */
	if (r < 0)
		return r == -ENODEV || r == -EINVAL ? 0 : r;
	if (search.found.handle == 0)
		return 0;
	r = delete_filter(sock, attachment, &search.found);
	return r == -ENOENT || r == -ENODEV ? 0 : r;
}

int tc_detach(struct tc_attachment *attachment)
{
	int r = 0;

	if (attachment->mode == TC_TCX)
		close_fd(attachment->link_fd);
	else if (attachment->mode == TC_CLSACT)
		r = detach_filter(attachment);
	*attachment = (struct tc_attachment){ .mode = TC_AUTO, .link_fd = -EBADF };
	return r;
}

/* --- who is before us ---------------------------------------------------------------------- */

struct foreign_search {
	const struct tc_attachment *attachment;
	struct filter first; /* handle 0: none */
	bool seen_own;
};

static int take_foreign(void *userdata, struct nlmsghdr *h)
{
	struct foreign_search *search = userdata;
	const struct tc_attachment *a = search->attachment;
	struct filter filter;

	if (search->seen_own || !parse_filter(h, &filter))
		return 0;
	if (filter.program == a->program && filter.handle == a->handle)
		search->seen_own = true;
	else if (search->first.handle == 0)
		search->first = filter;
	return 0;
}

static int find_foreign_filter(const struct tc_attachment *attachment, char *text, size_t size)
{
	_cleanup_(rtnl_close_p) struct nl_sock *sock = NULL;
	struct foreign_search search = { .attachment = attachment };
	int r;

	r = rtnl_open(&sock);
	if (r < 0)
		return r;
	r = dump_filters(sock, attachment->ifindex, attachment->direction, take_foreign, &search);
	if (r < 0)
		return r;
	if (!search.seen_own) {
		snprintf(text, size, "our filter was removed by someone else");
		return 1;
	}
	if (search.first.handle == 0)
		return 0;
	snprintf(text, size, "a %s filter with priority %u runs before ours", search.first.kind,
		 search.first.priority);
	return 1;
}

static int find_foreign_tcx(const struct tc_attachment *attachment, char *text, size_t size,
			    bool *tcx)
{
	uint32_t ids[TCX_PROGRAMS_MAX];
	size_t n = ARRAY_SIZE(ids);
	int r;

	r = bpf_sys_tcx_query(attachment->ifindex, attach_type_of(attachment->direction), ids, &n);
	if (r == -EINVAL) /* no TCX here */
		return 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		*tcx |= ids[i] != attachment->program;
	if (n == 0 || ids[0] == attachment->program)
		return 0;
	snprintf(text, size, "the TCX program %u runs before ours", ids[0]);
	return 1;
}

int tc_find_foreign(const struct tc_attachment *attachment, char *text, size_t size, bool *tcx)
{
	int r = find_foreign_tcx(attachment, text, size, tcx);

	if (r != 0 || attachment->mode == TC_TCX)
		return r;
	return find_foreign_filter(attachment, text, size);
}
