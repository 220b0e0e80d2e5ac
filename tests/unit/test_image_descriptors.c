/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Pictures come as file descriptors: of files, memory and pipes, which are read as
 * far as they go, and of what holds no picture, which is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/engine.h"
#include "tests/unit/pictures.h"

static int read_path(const char *path, int flags, struct engine_error *error)
{
	struct engine_image_options options = { .timeout_ms = 100 };
	struct engine_image *image = NULL;
	int fd = open(path, flags | O_CLOEXEC), r;

	assert_true(fd >= 0);
	r = engine_image_read(fd, &options, &image, error);
	close(fd);
	engine_image_free(image);
	return r;
}

static void test_directories_and_devices(void **state)
{
	struct engine_error error = { "" };

	(void)state;
	assert_int_equal(read_path("/", O_RDONLY, &error), ENGINE_BAD_IMAGE);
	assert_non_null(strstr(error.message, "directory"));
	assert_int_equal(read_path("/dev/zero", O_RDONLY, &error), ENGINE_BAD_IMAGE);
	assert_non_null(strstr(error.message, "device"));
	assert_int_equal(read_path("/dev/null", O_WRONLY, &error), ENGINE_BAD_IMAGE);
	assert_int_equal(engine_image_read(-1, NULL, NULL, &error), -EBADF);
}

static void test_descriptor_that_cannot_be_read(void **state)
{
	struct engine_error error = { "" };
	struct engine_image *image = NULL;
	char path[] = "/tmp/descry-test-image-XXXXXX";
	int fd = mkstemp(path), write_only;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	write_only = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(engine_image_read(write_only, NULL, &image, &error), -EBADF);
	assert_non_null(strstr(error.message, "cannot be read"));
	close(write_only);
	close(fd);
	unlink(path);
}

/* Written just now: the position is at the end. The name says otherwise, too. */
static void test_memfd_at_its_end(void **state)
{
	struct bytes png = bytes_read("tests/photos/chelsea.png");
	struct engine_image *image = NULL;
	int fd = memfd_create("chelsea.txt", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(write(fd, png.data, png.size), (ssize_t)png.size);
	assert_int_equal(engine_image_read(fd, NULL, &image, NULL), 0);
	assert_int_equal(engine_image_width(image), 451);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), (off_t)png.size);
	engine_image_free(image);
	close(fd);
	bytes_free(&png);
}

static void test_pipe(void **state)
{
	struct engine_image_options options = { .timeout_ms = 30000 };
	struct bytes jpeg = bytes_read("tests/photos/raccoon.jpg");
	struct engine_image *image = NULL;
	int ends[2], status;
	pid_t writer;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	writer = fork();
	if (writer == 0) {
		size_t done = 0;

		close(ends[0]);
		while (done < jpeg.size) {
			size_t part = jpeg.size - done < 50000 ? jpeg.size - done : 50000;
			ssize_t n = write(ends[1], jpeg.data + done, part);

			if (n < 0)
				_exit(1);
			done += (size_t)n;
		}
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(engine_image_read(ends[0], &options, &image, NULL), 0);
	assert_int_equal(engine_image_width(image), 1024);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(status, 0);
	engine_image_free(image);
	close(ends[0]);
	bytes_free(&jpeg);
}

static void test_pipe_that_never_ends(void **state)
{
	struct engine_image_options options = { .timeout_ms = 50 };
	struct engine_error error = { "" };
	struct engine_image *image = NULL;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "\xff\xd8\xff", 3), 3);
	assert_int_equal(engine_image_read(ends[0], &options, &image, &error), -ETIMEDOUT);
	assert_non_null(strstr(error.message, "0.1 s"));
	close(ends[1]);
	/* now it ends */
	assert_int_equal(engine_image_read(ends[0], &options, &image, &error), ENGINE_BAD_IMAGE);
	close(ends[0]);
}

static void test_pipe_over_the_limit(void **state)
{
	struct engine_error error = { "" };
	struct engine_image *image = NULL;
	int ends[2], status;
	pid_t writer;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	writer = fork();
	if (writer == 0) {
		static const uint8_t block[1 << 16];

		close(ends[0]);
		while (write(ends[1], block, sizeof(block)) > 0)
			;
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(engine_image_read(ends[0], NULL, &image, &error), ENGINE_TOO_LARGE);
	assert_non_null(strstr(error.message, "64 MiB"));
	close(ends[0]);
	assert_int_equal(waitpid(writer, &status, 0), writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directories_and_devices),
		cmocka_unit_test(test_descriptor_that_cannot_be_read),
		cmocka_unit_test(test_memfd_at_its_end),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_pipe_that_never_ends),
		cmocka_unit_test(test_pipe_over_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
