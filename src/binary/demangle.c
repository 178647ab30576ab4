/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Both manglings refer back to parts of the name, so that a name of n bytes can have an output, and a
 * running time, exponential in n. The demanglers bound how deeply they recurse (2,048 and 1,024 levels)
 * but not what they write, and their callback cannot say "enough": we leave by longjmp(3). They keep
 * nothing on the heap meanwhile, with one exception, see add().
 */
#include "binary/demangle.h"

#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

#include "base/util.h"

/*
 * Of libiberty's demangle.h, which not all that ship the library have. cp-demangle.c and
 * rust-demangle.c, all that is linked, are LGPL-2.0-or-later with a permission to link them with
 * anything.
 */
typedef void (*demangle_callback)(const char *text, size_t size, void *userdata);
int cplus_demangle_v3_callback(const char *mangled, int options, demangle_callback callback,
			       void *userdata);
int rust_demangle_callback(const char *mangled, int options, demangle_callback callback,
			   void *userdata);
#define DMGL_PARAMS (1 << 0)
#define DMGL_ANSI (1 << 1)

struct output {
	char *buf;
	size_t n;
	bool is_rust;
	jmp_buf enough;
};

static bool is_ascii(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] & 0x80)
			return false;
	return true;
}

/*
 * Rust's demangler holds memory while it hands over an identifier that was in Punycode. Such a piece
 * has a character that is not ASCII, or it would not have been in Punycode; after it comes another.
 */
static void add(const char *text, size_t size, void *userdata)
{
	struct output *out = userdata;
	size_t room = DEMANGLED_MAX - 1 - out->n, taken = MIN(size, room);

	if (size == 0)
		return; /* then text may be NULL */
	memcpy(out->buf + out->n, text, taken);
	out->n += taken;
	if (taken < size && (!out->is_rust || is_ascii(text, size)))
		longjmp(out->enough, 1);
}

/* Ends the text, also where it was cut: not within a character. */
static const char *finish(struct output *out, bool cut)
{
	size_t n = out->n;

	if (cut) {
		n = MIN(n, DEMANGLED_MAX - sizeof("..."));
		while (n > 0 && (out->buf[n] & 0xc0) == 0x80)
			n--;
		memcpy(out->buf + n, "...", 3);
		n += 3;
	}
	out->buf[n] = '\0';
	return out->buf;
}

static bool run(const char *name, struct output *out)
{
	out->n = 0;
	if (out->is_rust)
		return rust_demangle_callback(name, 0, add, out);
	return cplus_demangle_v3_callback(name, DMGL_PARAMS | DMGL_ANSI, add, out);
}

const char *demangle(const char *name, char buf[static DEMANGLED_MAX])
{
	struct output out = { .buf = buf, .is_rust = true };

	if (!has_prefix(name, "_Z") && !has_prefix(name, "_R"))
		return name;
	if (setjmp(out.enough))
		return finish(&out, true);
	/* Rust first: its legacy names are C++ names, too, with a hash at the end. */
	if (run(name, &out))
		return finish(&out, out.n == DEMANGLED_MAX - 1);
	out.is_rust = false;
	return run(name, &out) ? finish(&out, false) : name;
}
