/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * frame.c: copying a frame out and shrinking it.
 *
 * Shrinking reads at most 4 × 4 points of each cell of a raw frame, so its cost
 * does not depend on the camera's size. An encoded frame is decoded by the
 * engine at the smallest DCT scale, which is where damage shows too.
 */
#include "daemon/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { points_a_side = 4 };

uint64_t frame_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int frame_to_memfd(const struct frame *frame, int *ret_fd)
{
	const uint8_t *p = frame->data;
	size_t left = frame->size;
	int fd, r;

	fd = memfd_create("descry-frame", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	while (left) {
		ssize_t n = write(fd, p, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = n ? -errno : -EIO;
			goto fail;
		}
		p += n;
		left -= (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) {
		r = -errno;
		goto fail;
	}
	lseek(fd, 0, SEEK_SET);
	*ret_fd = fd;
	return 0;
fail:
	close(fd);
	return r;
}

struct layout {
	unsigned width, height;
	size_t stride;
	unsigned pixel_size;
	bool colour;	/* three bytes to be weighed, else the first byte is the grey */
	bool reversed;	/* blue first */
};

static uint8_t luminance(const struct layout *layout, const uint8_t *p)
{
	unsigned red, green, blue;

	if (!layout->colour)
		return p[0];
	red = p[layout->reversed ? 2 : 0];
	green = p[1];
	blue = p[layout->reversed ? 0 : 2];
	return (uint8_t)((77 * red + 150 * green + 29 * blue) >> 8);
}

static void shrink(const struct layout *layout, const uint8_t *pixels, unsigned width,
		   unsigned height, uint8_t *ret_grey)
{
	const unsigned steps_x = width * points_a_side, steps_y = height * points_a_side;

	for (unsigned y = 0; y < height; y++) {
		for (unsigned x = 0; x < width; x++) {
			unsigned sum = 0;

			for (unsigned i = 0; i < points_a_side; i++) {
				size_t row = (size_t)(2 * (y * points_a_side + i) + 1) *
					     layout->height / (2 * steps_y);
				const uint8_t *line = pixels + row * layout->stride;

				for (unsigned j = 0; j < points_a_side; j++) {
					size_t column = (size_t)(2 * (x * points_a_side + j) + 1) *
							layout->width / (2 * steps_x);

					sum += luminance(layout, line + column * layout->pixel_size);
				}
			}
			ret_grey[y * width + x] =
				(uint8_t)(sum / (points_a_side * points_a_side));
		}
	}
}

static int shrink_encoded(const struct frame *frame, unsigned width, unsigned height,
			  uint8_t *ret_grey)
{
	const struct engine_image_options options = { .wanted_width = 1, .wanted_height = 1 };
	struct engine_image *image;
	struct layout layout = { .pixel_size = 3, .colour = true };
	int r;

	r = engine_image_decode(frame->data, frame->size, &options, &image, NULL);
	if (r)
		return r;
	if (engine_image_warning(image)) {
		engine_image_free(image);
		return ENGINE_BAD_IMAGE;
	}
	layout.width = engine_image_width(image);
	layout.height = engine_image_height(image);
	layout.stride = (size_t)layout.width * 3;
	shrink(&layout, engine_image_pixels(image), width, height, ret_grey);
	engine_image_free(image);
	return 0;
}

int frame_shrink(const struct frame *frame, unsigned width, unsigned height, uint8_t *ret_grey)
{
	struct layout layout = {
		.width = frame->width, .height = frame->height, .stride = frame->stride,
	};
	size_t needed;

	if (frame->encoded)
		return shrink_encoded(frame, width, height, ret_grey);
	switch (frame->format) {
	case ENGINE_PIXELS_RGB:
		layout.pixel_size = 3;
		layout.colour = true;
		break;
	case ENGINE_PIXELS_BGRX:
		layout.pixel_size = 4;
		layout.colour = true;
		layout.reversed = true;
		break;
	case ENGINE_PIXELS_YUYV:
		layout.pixel_size = 2;
		break;
	case ENGINE_PIXELS_GREY:
	case ENGINE_PIXELS_NV12:
		layout.pixel_size = 1;
		break;
	default:
		return -EINVAL;
	}
	if (!layout.width || !layout.height ||
	    layout.stride / layout.pixel_size < layout.width ||
	    __builtin_mul_overflow(layout.stride, (size_t)layout.height, &needed) ||
	    needed > frame->size)
		return ENGINE_BAD_IMAGE;
	shrink(&layout, frame->data, width, height, ret_grey);
	return 0;
}

double frame_brightness(const uint8_t *grey, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += grey[i];
	return count ? (double)sum / (double)count : 0;
}
