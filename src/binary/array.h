/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Elements of one size behind each other, in memory that doubles as they are added. */
#pragma once

#include <stdint.h>
#include <stdlib.h>

struct array {
	void *data; /* the array's; array_done() */
	uint32_t n, allocated;
};

/* A new element, not initialized; NULL: no memory. size is the same each time. */
static inline void *array_add(struct array *a, size_t size)
{
	if (a->n == a->allocated) {
		uint32_t allocated = a->allocated ? 2 * a->allocated : 64;
		void *data = reallocarray(a->data, allocated, size);

		if (!data)
			return NULL;
		a->data = data;
		a->allocated = allocated;
	}
	return (char *)a->data + size * a->n++;
}

static inline void array_done(struct array *a)
{
	free(a->data);
	*a = (struct array){};
}
