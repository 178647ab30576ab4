/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What both sides of a child share: its descriptors, and the message. That is a memfd in which the
 * parent leaves the request, and finds the answer in its place when the child has ended.
 */
#pragma once

#include "base/child.h"

#define CHILD_ARGUMENT "--child"
#define CHILD_FD_MESSAGE 3
#define CHILD_FD_INPUT 4 /* and those behind it */

/* The sanitizers reserve terabytes of addresses, read their options from the environment and report
 * on stderr, where a child of theirs may write therefore. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CHILD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CHILD_SANITIZED 1
#endif
#endif
#ifndef CHILD_SANITIZED
#define CHILD_SANITIZED 0
#endif

struct child_request {
	struct child_limits limits;
	int32_t parent; /* its pid */
	uint32_t n_fds;
	uint32_t size; /* of what is behind this */
	uint32_t unused;
};

struct child_answer {
	int32_t error; /* 0 or -errno */
	uint32_t weak;
	uint64_t size; /* of what is behind this */
};

/* From here on this process can no more than work on open descriptors. Or -errno. */
int child_filter(void);
