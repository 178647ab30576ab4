/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A filter speaks of "this end" (workload, process, cgroup) and "the other end" (peer, external).
 * A flow between two workloads of this host is looked at from both ends.
 */
#include "model/filter.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/util.h"

/* -EINVAL if it is no number, or above max. */
static int parse_number(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t n;

	if (text_parse_u64(text, &n) < 0 || n > max)
		return -EINVAL;
	*ret = n;
	return 0;
}

static int add_string(struct string_list *list, const char *value, size_t length)
{
	char **values;
	char *copy;

	if (length == 0)
		return -EINVAL;
	if (list->n >= FILTER_VALUES_MAX)
		return -E2BIG;
	values = realloc(list->values, (list->n + 1) * sizeof(*values));
	if (!values)
		return -ENOMEM;
	list->values = values;
	copy = strndup(value, length);
	if (!copy)
		return -ENOMEM;
	list->values[list->n++] = copy;
	return 0;
}

/* "nginx" means nginx.service, as for systemctl. */
static int add_unit(struct filter *f, const char *value)
{
	_cleanup_free_ char *full = NULL;
	size_t n = strlen(value);

	if (n == 0 || strchr(value, '.') || value[n - 1] == '*')
		return add_string(&f->unit, value, n);
	full = malloc(n + sizeof(".service"));
	if (!full)
		return -ENOMEM;
	strcpy(stpcpy(full, value), ".service");
	return add_string(&f->unit, full, strlen(full));
}

static int add_container(struct filter *f, const char *value)
{
	return add_string(&f->container, value, strlen(value));
}

static int add_pod(struct filter *f, const char *value)
{
	return add_string(&f->pod, value, strlen(value));
}

static int add_namespace(struct filter *f, const char *value)
{
	return add_string(&f->namespace_, value, strlen(value));
}

/* The kernel cuts names to COMM_LEN - 1 bytes, so a longer value could never match. */
static int add_process(struct filter *f, const char *value)
{
	return add_string(&f->process, value, strnlen(value, COMM_LEN - 1));
}

static int add_protocol(struct filter *f, const char *value)
{
	char number[4];
	uint64_t n;

	for (unsigned protocol = 0; protocol <= UINT8_MAX; protocol++)
		if (streq(value, protocol_name((uint8_t)protocol, number)))
			return add_string(&f->protocol, value, strlen(value));
	if (parse_number(value, UINT8_MAX, &n) < 0)
		return -EINVAL;
	value = protocol_name((uint8_t)n, number); /* "6" is "tcp" */
	return add_string(&f->protocol, value, strlen(value));
}

static int add_role(struct filter *f, const char *value)
{
	enum flow_role role;

	if (flow_role_parse(value, &role) < 0)
		return -EINVAL;
	return add_string(&f->role, value, strlen(value));
}

static int add_pid(struct filter *f, const char *value)
{
	uint64_t n;

	if (parse_number(value, INT32_MAX, &n) < 0 || n == 0)
		return -EINVAL;
	if (f->n_pid >= FILTER_VALUES_MAX)
		return -E2BIG;
	f->pid[f->n_pid++] = (uint32_t)n;
	return 0;
}

static int add_port(struct filter *f, const char *value)
{
	uint64_t n;

	if (parse_number(value, UINT16_MAX, &n) < 0)
		return -EINVAL;
	if (f->n_port >= FILTER_VALUES_MAX)
		return -E2BIG;
	f->port[f->n_port++] = (uint16_t)n;
	return 0;
}

static int add_cgroup(struct filter *f, const char *value)
{
	uint64_t n;

	if (parse_number(value, UINT64_MAX, &n) < 0)
		return -EINVAL;
	if (f->n_cgroup >= FILTER_VALUES_MAX)
		return -E2BIG;
	f->cgroup[f->n_cgroup++] = n;
	return 0;
}

static int add_peer(struct filter *f, const char *value)
{
	struct ip_prefix prefix;

	if (ip_prefix_parse(value, &prefix) < 0)
		return -EINVAL;
	if (f->n_peer >= FILTER_VALUES_MAX)
		return -E2BIG;
	f->peer[f->n_peer++] = prefix;
	return 0;
}

int filter_add(struct filter *filter, const char *key, const char *value)
{
	static const struct {
		const char *key;
		int (*add)(struct filter *f, const char *value);
	} keys[] = {
		{ "unit", add_unit },	    { "container", add_container },
		{ "pod", add_pod },	    { "namespace", add_namespace },
		{ "process", add_process }, { "pid", add_pid },
		{ "cgroup", add_cgroup },   { "port", add_port },
		{ "peer", add_peer },	    { "protocol", add_protocol },
		{ "role", add_role },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (streq(key, keys[i].key))
			return keys[i].add(filter, value);
	return -ENOENT;
}

static void string_list_done(struct string_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->values[i]);
	free(list->values);
	*list = (struct string_list){ 0 };
}

void filter_done(struct filter *filter)
{
	string_list_done(&filter->unit);
	string_list_done(&filter->container);
	string_list_done(&filter->pod);
	string_list_done(&filter->namespace_);
	string_list_done(&filter->process);
	string_list_done(&filter->protocol);
	string_list_done(&filter->role);
}

static bool match_pattern(const char *pattern, const char *text)
{
	size_t n = strlen(pattern);

	if (pattern[n - 1] == '*')
		return strncmp(pattern, text, n - 1) == 0;
	return streq(pattern, text);
}

/* True if one of the values matches, or if there are none. */
static bool match_list(const struct string_list *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (match_pattern(list->values[i], text))
			return true;
	return list->n == 0;
}

/* By name, or by the id that stands for it until the name is known. */
static bool match_workload(const struct string_list *list, enum workload_kind kind,
			   const struct workload *w)
{
	if (list->n == 0)
		return true;
	if (w->kind != kind)
		return false;
	return match_list(list, w->name) || match_list(list, w->id);
}

static bool match_process(const struct filter *f, const struct process_ref *process)
{
	bool pid = f->n_pid == 0, cgroup = f->n_cgroup == 0;

	for (size_t i = 0; i < f->n_pid && !pid; i++)
		pid = f->pid[i] == (uint32_t)process->pid;
	for (size_t i = 0; i < f->n_cgroup && !cgroup; i++)
		cgroup = f->cgroup[i] == process->cgroup_id;
	return pid && cgroup && match_list(&f->process, process->comm);
}

static bool match_who(const struct filter *f, const struct process_ref *process,
		      const struct workload *w)
{
	if (f->namespace_.n > 0 &&
	    (w->kind == WORKLOAD_NONE || !match_list(&f->namespace_, w->namespace_)))
		return false;
	return match_workload(&f->unit, WORKLOAD_UNIT, w) &&
	       match_workload(&f->container, WORKLOAD_CONTAINER, w) &&
	       match_workload(&f->pod, WORKLOAD_POD, w) && match_process(f, process);
}

static bool match_this_end(const struct filter *f, const struct endpoint *end)
{
	return match_who(f, &end->process, &end->workload);
}

static bool match_other_end(const struct filter *f, const struct endpoint *end)
{
	if (f->external_only && !end->external)
		return false;
	for (size_t i = 0; i < f->n_peer; i++)
		if (ip_prefix_contains(&f->peer[i], &end->address))
			return true;
	return f->n_peer == 0;
}

static bool match_port(const struct filter *f, const struct flow *flow)
{
	for (size_t i = 0; i < f->n_port; i++)
		if (f->port[i] == flow->local.port || f->port[i] == flow->peer.port)
			return true;
	return f->n_port == 0;
}

/* "icmp" is for people, who mean that of both IP versions. */
static bool match_protocol(const struct filter *f, uint8_t protocol)
{
	char number[4];

	return match_list(&f->protocol, protocol_name(protocol, number)) ||
	       (protocol == IPPROTO_ICMPV6 && match_list(&f->protocol, "icmp"));
}

bool filter_match_flow(const struct filter *filter, const struct flow *flow)
{
	bool peer_is_here =
		flow->peer.process.pid != 0 || flow->peer.workload.kind != WORKLOAD_NONE;

	if (!match_port(filter, flow) || !match_protocol(filter, flow->protocol) ||
	    !match_list(&filter->role, flow_role_name(flow->role)))
		return false;
	if (match_this_end(filter, &flow->local) && match_other_end(filter, &flow->peer))
		return true;
	return peer_is_here && match_this_end(filter, &flow->peer) &&
	       match_other_end(filter, &flow->local);
}

bool filter_match_process(const struct filter *filter, const struct process_ref *process,
			  const struct workload *workload)
{
	bool of_flows = filter->n_port > 0 || filter->n_peer > 0 || filter->protocol.n > 0 ||
			filter->role.n > 0 || filter->external_only;

	return !of_flows && match_who(filter, process, workload);
}
