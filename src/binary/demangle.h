/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Readable names of C++ (Itanium ABI) and Rust (legacy and v0) functions, by libiberty. For when a
 * name is shown, not when it is read: it costs microseconds.
 *
 * Names are strangers', and a short one can stand for gigabytes: what would be longer than
 * DEMANGLED_MAX is cut, with "..." at its end.
 */
#pragma once

#define DEMANGLED_MAX 2048 /* bytes, NUL included */

/*
 * What name stands for, as c++filt says, in buf; or name itself, if it is not mangled or libiberty
 * gives up: names of more than 1,024 bytes in C++, and what is nested too deeply. Rust's hash is left
 * out. Neither blocks nor allocates more than a name's size.
 */
const char *demangle(const char *name, char buf[static DEMANGLED_MAX]);
