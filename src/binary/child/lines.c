/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In a child: the lines (binary/line-answer.h) at the addresses, 64 bits each, that are the request, by
 * the first of the files fds[] that has debug info: a binary, its debug file. */
#include "base/child.h"
#include "base/util.h"
#include "binary/line-answer.h"

static int open_first(const struct child_input *input, struct lines **ret)
{
	int r = -EINVAL;

	for (size_t i = 0; i < input->n_fds; i++) {
		r = lines_open(input->fds[i], ret);
		if (r == 0 || r == -ENOMEM)
			break;
	}
	return r;
}

static int answer_lines(const struct child_input *input, void **ret, size_t *ret_size)
{
	uint64_t addresses[CHILD_REQUEST_MAX / sizeof(uint64_t)];
	_cleanup_lines_ struct lines *lines = NULL;
	size_t n = input->request_size / sizeof(addresses[0]);
	int r;

	if (n == 0 || n > ARRAY_SIZE(addresses))
		return -EINVAL;
	memcpy(addresses, input->request, n * sizeof(addresses[0]));
	r = open_first(input, &lines);
	return r ?: line_answer_build(lines, addresses, n, ret, ret_size);
}

const struct child_ops child_lines = { "lines", answer_lines };
