/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What xz(1) wrote, its limits, damage; what gzip(1) reads; and the check value of CRC-32. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/compress.h"

#define SIZE 300000

/* What a command wrote. */
static size_t output_of(const char *command, uint8_t *buf, size_t size)
{
	FILE *f = popen(command, "re");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, size, f);
	assert_int_equal(pclose(f), 0);
	assert_true(n > 0 && n < size);
	return n;
}

static void test_xz(void **state)
{
	static uint8_t packed[SIZE], expected[SIZE];
	size_t n = output_of("seq 1 50000 | xz -c", packed, sizeof(packed));
	size_t n_expected = output_of("seq 1 50000", expected, sizeof(expected)), size = 0;
	_cleanup_free_ uint8_t *out = NULL;
	uint8_t *none = NULL;

	assert_int_equal(xz_decompress(packed, n, n_expected, &out, &size), 0);
	assert_int_equal(size, n_expected);
	assert_memory_equal(out, expected, size);

	assert_int_equal(xz_decompress(packed, n, n_expected - 1, &none, &size), -E2BIG);
	for (size_t cut = 0; cut < n; cut += 97)
		assert_int_equal(xz_decompress(packed, cut, SIZE, &none, &size), -EBADMSG);
	packed[n / 2] ^= 1;
	assert_int_equal(xz_decompress(packed, n, SIZE, &none, &size), -EBADMSG);
	assert_null(none);
}

/* 64 MiB of zeros in 10 kB; and a dictionary of 1 GiB. */
static void test_bombs(void **state)
{
	static uint8_t packed[SIZE];
	size_t n = output_of("head -c 64M /dev/zero | xz -c", packed, sizeof(packed)), size;
	uint8_t *none = NULL;

	assert_int_equal(xz_decompress(packed, n, 1 << 20, &none, &size), -E2BIG);
	/* The largest dictionary that fits in memory here costs the encoder ten times as much. */
	n = output_of("echo | xz -c --lzma2=preset=0,dict=128MiB", packed, sizeof(packed));
	assert_int_equal(xz_decompress(packed, n, 1 << 20, &none, &size), -E2BIG);
	assert_null(none);
}

/* The check value that catalogues of CRCs give. */
/* gzip(1) reads it: what is written in pieces, more of it than a buffer, and what does not compress. */
static void test_gzip(void **state)
{
	static uint8_t plain[SIZE], back[SIZE + 1];
	char path[] = "/tmp/test-compress.XXXXXX", command[64];
	_cleanup_close_ int fd = mkstemp(path);
	_cleanup_(gzip_free_p) struct gzip *gzip = NULL;
	FILE *out;

	assert_true(fd >= 0);
	srand(1);
	for (size_t i = 0; i < SIZE; i++)
		plain[i] = i < SIZE / 2 ? (uint8_t)rand() : 'x';
	snprintf(command, sizeof(command), "gzip -dc > %s", path);
	out = popen(command, "we");
	assert_non_null(out);
	assert_int_equal(gzip_new(out, &gzip), 0);
	assert_int_equal(gzip_write(gzip, plain, 10), 0);
	assert_int_equal(gzip_write(gzip, plain + 10, SIZE - 10), 0);
	assert_int_equal(gzip_finish(gzip), 0);
	assert_int_equal(pclose(out), 0);
	assert_int_equal(read(fd, back, sizeof(back)), SIZE);
	assert_memory_equal(back, plain, SIZE);
	unlink(path);
}

static void test_crc32(void **state)
{
	assert_int_equal(crc32_add(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32_add(crc32_add(0, "1234", 4), "56789", 5), 0xcbf43926);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xz),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_crc32),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
