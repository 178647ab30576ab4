/* SPDX-License-Identifier: LGPL-2.1-or-later */
int puts(const char *);
int twice(int);

__attribute__((visibility("hidden"))) const char *const words[] = { "a", "b" };

static __attribute__((noinline)) int local_one(int x)
{
	return puts(words[x & 1]) + x;
}

int exported(int x)
{
	return x ? local_one(x) + 3 : twice(x) * 7;
}
