/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is in the pprof file; that pprof itself reads it is shown by tests/system/test_formats.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "render/pprof.h"
#include "render/pprof.pb-c.h"
#include "synthetic.h"

#define PLAIN_MAX (1 << 20)

static Pprof__Profile *write_and_read(const struct profile *profile)
{
	_cleanup_free_ char *packed = NULL;
	_cleanup_free_ uint8_t *plain = malloc(PLAIN_MAX);
	z_stream stream = { .next_out = plain, .avail_out = PLAIN_MAX };
	Pprof__Profile *message;
	size_t size;
	FILE *out = open_memstream(&packed, &size);

	assert_int_equal(pprof_write(profile, out), 0);
	fclose(out);
	stream.next_in = (uint8_t *)packed;
	stream.avail_in = (uInt)size;
	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	message = pprof__profile__unpack(NULL, stream.total_out, plain);
	inflateEnd(&stream);
	assert_non_null(message);
	return message;
}

static const char *text(const Pprof__Profile *message, int64_t string)
{
	assert_in_range(string, 0, message->n_string_table - 1);
	return message->string_table[string];
}

static void test_frames(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	static const size_t n_lines[] = { 1, 0, 2 };
	Pprof__Profile *message;

	synthetic_add(p, "main:3|inlined:5@/bin/a;@/lib/b;x:1@[kernel]", 2, 20, NULL);
	message = write_and_read(p);
	assert_string_equal(message->string_table[0], "");
	assert_int_equal(message->n_sample, 1);
	assert_int_equal(message->sample[0]->n_location_id, 3);
	assert_int_equal(message->sample[0]->n_label, 0);
	for (size_t i = 0; i < 3; i++) {
		uint64_t id = message->sample[0]->location_id[i];
		const Pprof__Location *location = message->location[id - 1];
		const Pprof__Mapping *mapping = message->mapping[location->mapping_id - 1];

		assert_int_equal(location->id, id);
		assert_in_range(location->address, mapping->memory_start,
				mapping->memory_limit - 1);
		assert_int_equal(mapping->has_functions, i != 1);
		assert_int_equal(mapping->has_line_numbers, i != 1);
		assert_int_equal(strlen(text(message, mapping->build_id)), 40);
		/* Innermost first: the kernel, the one without a name, main with what it inlined. */
		assert_int_equal(location->n_line, n_lines[i]);
	}
	pprof__profile__free_unpacked(message, NULL);
}

/* A mapping of which something is not known says so. */
static void test_partly_known(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	Pprof__Profile *message;

	synthetic_add(p, "known:1@all;known@no_line;known:1@no_name;@no_name", 1, 1, NULL);
	message = write_and_read(p);
	for (size_t i = 0; i < message->n_mapping; i++) {
		const Pprof__Mapping *m = message->mapping[i];
		const char *name = text(message, m->filename);

		assert_int_equal(m->has_functions, !streq(name, "no_name"));
		assert_int_equal(m->has_filenames, !streq(name, "no_name"));
		assert_int_equal(m->has_line_numbers, streq(name, "all"));
	}
	assert_int_equal(message->n_mapping, 3);
	pprof__profile__free_unpacked(message, NULL);
}

static void test_labels_and_totals(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	struct profile_labels labels = synthetic_labels(p, "nginx", 42, 0);
	static const char *const keys[] = { "workload.kind", "workload.name", "process.pid",
					    "process.comm",  "thread.id",     "cpu" };
	static const char *const texts[] = { "unit", "nginx.service", "", "nginx", "", "0" };
	static const int numbers[] = { 0, 0, 42, 0, 42, 0 };
	Pprof__Profile *message;

	synthetic_add(p, "main@a", 3, 30, &labels);
	synthetic_lost(p, 4);
	message = write_and_read(p);
	assert_int_equal(message->sample[0]->n_label, ARRAY_SIZE(keys));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const Pprof__Label *label = message->sample[0]->label[i];

		assert_string_equal(text(message, label->key), keys[i]);
		assert_string_equal(text(message, label->str), texts[i]);
		assert_int_equal(label->num, numbers[i]);
	}
	assert_int_equal(message->sample[0]->value[0], 3);
	assert_int_equal(message->sample[0]->value[1], 30);
	assert_string_equal(text(message, message->sample_type[1]->type), "cpu");
	assert_string_equal(text(message, message->sample_type[1]->unit), "nanoseconds");
	assert_int_equal(message->duration_nanos, 60 * NSEC_PER_SEC);
	assert_int_equal(message->n_comment, 1);
	assert_string_equal(text(message, message->comment[0]),
			    "samples 3, lost 4, truncated 0, unsymbolized 0");
	pprof__profile__free_unpacked(message, NULL);
}

static void test_refused(void **state)
{
	_cleanup_profile_ struct profile *p = synthetic_new();
	char buf[8];
	FILE *out = fmemopen(buf, sizeof(buf), "w");

	setvbuf(out, NULL, _IONBF, 0);
	synthetic_add(p, "main@a", 3, 30, NULL);
	assert_int_equal(pprof_write(p, out), -EIO);
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_partly_known),
		cmocka_unit_test(test_labels_and_totals),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
