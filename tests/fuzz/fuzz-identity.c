/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What strangers name themselves: the first byte says as what the rest is read, as one of the
 * container runtimes' state files or as the path of a cgroup.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "host/cgroup-class.h"
#include "host/container-state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void check_text(const char *text)
{
	if (text)
		assert(*text && strlen(text) <= CONTAINER_TEXT_MAX);
}

static void read_state(enum container_format format, const char *text, size_t size)
{
	_cleanup_container_state_ struct container_state state = { 0 };

	if (container_state_parse(format, text, size, ID, &state) < 0)
		return;
	assert(state.name || state.pod_name);
	check_text(state.name);
	check_text(state.image);
	check_text(state.pod_name);
	check_text(state.pod_namespace);
}

static void read_path(const char *path)
{
	struct cgroup_class class;

	cgroup_classify(path, &class);
	assert((class.kind == WORKLOAD_NONE) == !*class.id);
	assert((class.kind == WORKLOAD_NONE) == !*class.name);
	assert(!*class.container || strlen(class.container) == 64);
	if (class.kind == WORKLOAD_POD)
		assert(strlen(class.id) == 36 || strlen(class.id) == 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = NULL;

	if (size == 0)
		return 0;
	text = calloc(1, size);
	assert(text);
	memcpy(text, data + 1, size - 1);
	if (*data % (CONTAINER_FORMAT_MAX_ + 1) == CONTAINER_FORMAT_MAX_)
		read_path(text);
	else
		read_state(*data % (CONTAINER_FORMAT_MAX_ + 1), text, size - 1);
	return 0;
}
