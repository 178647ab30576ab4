/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Templates, lambdas, virtual calls; then exceptions, most of whose time goes to libgcc. */
#include <functional>
#include <stdexcept>

#include "spin.h"

struct base {
	virtual ~base() = default;
	virtual int run(int n) = 0;
};

template <typename F> NOINLINE int apply(F f, int n)
{
	return f(n) + (int)sink;
}

struct derived : base {
	int offset = 3;

	NOINLINE int run(int n) override
	{
		return apply([this](int m) __attribute__((noinline)) {
			return spin() + m + offset;
		}, n) + offset;
	}
};

NOINLINE int thrower(int depth)
{
	if (depth == 0)
		throw std::runtime_error("the bottom");
	return thrower(depth - 1) + (int)sink;
}

/* Far below: where libgcc goes over to the catcher's frame, its own is half that one already, and no
 * unwinder gets further; that is to be a small share. */
NOINLINE int catcher(const std::function<int(int)> &f)
{
	uint64_t end = clock_ms(CLOCK_THREAD_CPUTIME_ID) + SPIN_MS;
	int caught = 0;

	while (clock_ms(CLOCK_THREAD_CPUTIME_ID) < end) {
		try {
			f(100);
		} catch (const std::runtime_error &) {
			caught++;
		}
	}
	return caught;
}

int main()
{
	derived d;
	base *volatile b = &d;

	stage();
	sink += b->run(5);
	stage();
	return catcher(thrower) == 0;
}
