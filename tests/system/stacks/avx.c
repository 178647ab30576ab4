/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stacks aligned to more than the caller's: CFA by an expression; with and without alloca(). */
#include <alloca.h>
#include <immintrin.h>

#include "spin.h"

static NOINLINE int vectors(int n)
{
	_Alignas(32) volatile int room[16];
	__m256i a = _mm256_set1_epi32(n), b;

	room[n] = spin_for(SPIN_MS / 2);
	b = _mm256_add_epi32(a, _mm256_load_si256((const __m256i *)room));
	return _mm256_extract_epi32(b, 1) + room[n];
}

static NOINLINE int moved(int a, int b, int c, int d, int e, int f, int seventh)
{
	_Alignas(64) volatile char room[128];
	volatile char *more = alloca(64 + (seventh & 15));

	room[0] = more[0] = (char)(a + b + c + d + e + f);
	return vectors(seventh & 7) + room[0] + more[0];
}

int main(int argc, char **argv)
{
	(void)argv;
	return moved(1, 2, 3, 4, 5, 6, argc) == 1;
}
