/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The names are copied out, because the kernel's type information is some megabytes. A reason's
 * upper half is the subsystem that it belongs to (include/net/dropreason.h); of the core only the
 * names are in the kernel's own enum.
 */
#include "collect/flows/drop-reasons.h"

#include <bpf/btf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/util.h"

#define PREFIX "SKB_DROP_REASON_"
#define REASONS_MAX 1024 /* of the core; 6.18 has 128 */
#define NO_REASON "NOT_SPECIFIED"

DEFINE_CLEANUP(struct btf *, btf__free)

struct drop_reasons {
	unsigned arguments; /* of the tracepoint */
	unsigned n;
	char names[][FLOW_DROP_REASON_LEN]; /* by reason; "": none */
};

/* The arguments of a program on the tracepoint: those of its probe but for the first, which is the
 * probe's own. */
static int count_arguments(const struct btf *btf)
{
	int id = btf__find_by_name_kind(btf, "btf_trace_kfree_skb", BTF_KIND_TYPEDEF);
	const struct btf_type *type;

	if (id < 0)
		return -ENOENT;
	type = btf__type_by_id(btf, btf__type_by_id(btf, id)->type);
	if (!type || !btf_is_ptr(type))
		return -ENOENT;
	type = btf__type_by_id(btf, type->type);
	if (!type || !btf_is_func_proto(type) || btf_vlen(type) == 0)
		return -ENOENT;
	return btf_vlen(type) - 1;
}

static void copy_names(const struct btf *btf, const struct btf_type *type,
		       struct drop_reasons *reasons)
{
	const struct btf_enum *e = btf_enum(type);
	const char *name;

	for (unsigned i = 0; i < btf_vlen(type); i++) {
		name = btf__name_by_offset(btf, e[i].name_off);
		if ((uint32_t)e[i].val >= reasons->n || !name)
			continue;
		if (strncmp(name, PREFIX, strlen(PREFIX)) == 0)
			name += strlen(PREFIX);
		snprintf(reasons->names[e[i].val], FLOW_DROP_REASON_LEN, "%s", name);
	}
}

int drop_reasons_new(struct drop_reasons **ret)
{
	_cleanup_(btf__free_p) struct btf *btf = btf__load_vmlinux_btf();
	struct drop_reasons *reasons;
	const struct btf_type *type;
	int id, arguments, n;

	if (!btf)
		return -ENOENT;
	arguments = count_arguments(btf);
	if (arguments < 0)
		return arguments;
	id = btf__find_by_name_kind(btf, "skb_drop_reason", BTF_KIND_ENUM);
	type = id < 0 ? NULL : btf__type_by_id(btf, id);
	n = type ? MIN(btf_vlen(type), REASONS_MAX) : 0;
	reasons = calloc(1, sizeof(*reasons) + n * sizeof(reasons->names[0]));
	if (!reasons)
		return -ENOMEM;
	reasons->arguments = arguments;
	reasons->n = n;
	if (type)
		copy_names(btf, type, reasons);
	*ret = reasons;
	return 0;
}

struct drop_reasons *drop_reasons_free(struct drop_reasons *reasons)
{
	free(reasons);
	return NULL;
}

bool drop_reasons_has_reason(const struct drop_reasons *reasons)
{
	return reasons->arguments >= 3;
}

bool drop_reasons_has_receiver(const struct drop_reasons *reasons)
{
	return reasons->arguments >= 4;
}

void drop_reason_name(const struct drop_reasons *reasons, uint32_t reason,
		      char ret[static FLOW_DROP_REASON_LEN])
{
	if (reason < reasons->n && reasons->names[reason][0])
		memcpy(ret, reasons->names[reason], FLOW_DROP_REASON_LEN);
	else if (reason == 0)
		snprintf(ret, FLOW_DROP_REASON_LEN, NO_REASON);
	else
		snprintf(ret, FLOW_DROP_REASON_LEN, "SUBSYS_%" PRIu32 "_%" PRIu32, reason >> 16,
			 reason & 0xffff);
}
