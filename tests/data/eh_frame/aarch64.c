/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Made into "aarch64-gcc": see README. */
typedef int fn(int);

void use(void *p);

int leaf(int a)
{
	return a * 3 + 1;
}

int framed(fn *f, int a)
{
	return f(a) + f(a + 1);
}

int variable(fn *f, int n)
{
	char b[n];

	use(b);
	return f(n) + b[0];
}

int large(fn *f, int n)
{
	char b[70000];

	use(b);
	return f(n) + b[n];
}

int shrink(fn *f, int n)
{
	if (n < 3)
		return n;
	for (int i = 0; i < n; i++)
		n += f(i);
	return n;
}
