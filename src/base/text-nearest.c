/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * "Did you mean": the edit distance with insertions, deletions, substitutions and swaps of
 * neighbours (optimal string alignment), which is what fingers do wrong.
 */
#include <string.h>

#include "base/text.h"
#include "base/util.h"

#define WORD_MAX 64 /* longer words get no suggestion */

static unsigned distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned rows[3][WORD_MAX + 1]; /* this row and the two before it, in turn */

	for (unsigned k = 0; k <= m; k++)
		rows[0][k] = k;
	for (size_t i = 1; i <= n; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3];
		const unsigned *above2 = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t k = 1; k <= m; k++) {
			row[k] = MIN(above[k], row[k - 1]) + 1;
			row[k] = MIN(row[k], above[k - 1] + (a[i - 1] != b[k - 1]));
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				row[k] = MIN(row[k], above2[k - 2] + 1);
		}
	}
	return rows[n % 3][m];
}

const char *text_nearest(const char *word, const char *const *words, size_t n)
{
	/* A third of the letters wrong, and one of the shortest words, is still a slip. */
	unsigned best = (unsigned)strlen(word) / 3 + 2, d;
	const char *nearest = NULL;

	if (strlen(word) > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (strlen(words[i]) > WORD_MAX)
			continue;
		d = distance(word, words[i]);
		if (d < best) {
			best = d;
			nearest = words[i];
		}
	}
	return nearest;
}
