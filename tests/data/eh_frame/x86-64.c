/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Made into the "x86-64-*": see README. */
#include <immintrin.h>

typedef int fn(int);

void use(void *p);
int other(int a);

int framed(fn *f, int a)
{
	return f(a) + other(a + 1);
}

__attribute__((target("avx2"))) int realigned(fn *f, int n, int m, ...)
{
	__m256i v[4];
	char b[n];

	use(v);
	use(b);
	return f(n) + b[0] + m;
}

int shrink(fn *f, int n)
{
	if (n < 3)
		return n;
	for (int i = 0; i < n; i++)
		n += f(i);
	return n;
}

/* As glibc's: rbp, rsp and rip at their places in the ucontext. */
__asm__(".cfi_startproc simple\n"
	".cfi_signal_frame\n"
	".cfi_escape 0x0f, 4, 0x77, 0xa0, 0x01, 0x06\n"
	".cfi_escape 0x10, 6, 3, 0x77, 0xf8, 0x00\n"
	".cfi_escape 0x10, 7, 3, 0x77, 0xa0, 0x01\n"
	".cfi_escape 0x10, 16, 3, 0x77, 0xa8, 0x01\n"
	"nop\n"
	".globl restore\n"
	"restore: mov $15, %eax\n"
	"syscall\n"
	".cfi_endproc\n");
