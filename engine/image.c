/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * image.c: the life of a picture: recognising its format by content, reading it
 * from a descriptor, placing decoded rows upright, and raw pixels of cameras.
 *
 * Data that comes through a descriptor is copied before it is parsed, since
 * another process may still write to the file or memfd behind it: a parser that
 * checks a length and then reads it again must see the same bytes twice.
 */
#include "engine/image.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/error.h"
#include "engine/limits.h"

#define MEBIBYTE (1u << 20)

/* --- Formats -------------------------------------------------------------- */

enum format { FORMAT_JPEG, FORMAT_PNG, FORMAT_FOREIGN, FORMAT_UNKNOWN };

static bool matches(const uint8_t *data, size_t size, size_t offset, const char *magic,
		    size_t length)
{
	return size >= offset + length && memcmp(data + offset, magic, length) == 0;
}

/* Formats that are recognised only to be named to the user. */
static const struct {
	unsigned offset, length;
	const char *magic, *name;
} foreign[] = {
	{ 0, 4, "GIF8", "a GIF picture" },
	{ 8, 4, "WEBP", "a WebP picture" },
	{ 4, 8, "ftypavif", "an AVIF picture" },
	{ 4, 8, "ftypheic", "a HEIC picture" },
	{ 4, 8, "ftypheix", "a HEIC picture" },
	{ 4, 8, "ftypmif1", "a HEIF picture" },
	{ 4, 4, "ftyp", "a video" },
	{ 0, 4, "II*\0", "a TIFF picture" },
	{ 0, 4, "MM\0*", "a TIFF picture" },
	{ 0, 2, "BM", "a BMP picture" },
	{ 0, 2, "\xff\x0a", "a JPEG XL picture" },
	{ 4, 8, "JXL \r\n\x87\n", "a JPEG XL picture" },
	{ 4, 4, "jP  ", "a JPEG 2000 picture" },
	{ 0, 4, "%PDF", "a PDF document" },
	{ 0, 4, "<svg", "an SVG drawing" },
	{ 0, 5, "<?xml", "an XML document" },
	{ 0, 2, "PK", "a ZIP archive or office document" },
	{ 0, 4, "\x1a\x45\xdf\xa3", "a video" },
	{ 0, 4, "GGUF", "a model file" },
};

static enum format sniff(const uint8_t *data, size_t size, const char **ret_name)
{
	if (matches(data, size, 0, "\xff\xd8\xff", 3))
		return FORMAT_JPEG;
	if (matches(data, size, 0, "\x89PNG\r\n\x1a\n", 8))
		return FORMAT_PNG;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		if (matches(data, size, foreign[i].offset, foreign[i].magic, foreign[i].length)) {
			*ret_name = foreign[i].name;
			return FORMAT_FOREIGN;
		}
	}
	return FORMAT_UNKNOWN;
}

static bool looks_like_text(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size && i < 512; i++)
		if (data[i] < ' ' && !memchr("\t\n\r\f\x1b", data[i], 5))
			return false;
	return true;
}

static int fail_bytes(struct engine_error *error)
{
	return engine_fail(error, ENGINE_TOO_LARGE,
			   "The file is larger than the limit of %u MiB; save the picture at a "
			   "smaller size.", LIMIT_IMAGE_BYTES / MEBIBYTE);
}

int engine_image_decode(const void *data, size_t size,
			const struct engine_image_options *options,
			struct engine_image **ret_image, struct engine_error *error)
{
	static const struct engine_image_options full_size = { 0 };
	const char *name = NULL;

	if (size == 0)
		return engine_fail(error, ENGINE_BAD_IMAGE,
				   "The file is empty; choose a JPEG or PNG picture.");
	if (size > LIMIT_IMAGE_BYTES)
		return fail_bytes(error);
	if (!options)
		options = &full_size;
	switch (sniff(data, size, &name)) {
	case FORMAT_JPEG:
		return image_jpeg_decode(data, size, options, ret_image, error);
	case FORMAT_PNG:
		return image_png_decode(data, size, ret_image, error);
	case FORMAT_FOREIGN:
		return engine_fail(error, ENGINE_BAD_IMAGE,
				   "This is %s; only JPEG and PNG pictures can be read, so convert "
				   "it first.", name);
	case FORMAT_UNKNOWN:
		break;
	}
	return engine_fail(error, ENGINE_BAD_IMAGE,
			   "This is %s, not a picture; choose a JPEG or PNG file.",
			   looks_like_text(data, size) ? "text" : "data of an unknown kind");
}

/* --- Descriptors ------------------------------------------------------------ */

static int fail_errno(const char *what, struct engine_error *error)
{
	int code = errno;

	if (code == ENOMEM)
		return engine_fail_memory(error);
	return engine_fail(error, -code, "%s: %s.", what, strerror(code));
}

/* A regular file's size is known, but the file may shrink or grow while it is
 * read: what was there is decoded, and nothing beyond the limit is read. */
static int read_file(int fd, uint64_t file_size, uint8_t **ret_data, size_t *ret_size,
		     struct engine_error *error)
{
	uint8_t *data;
	size_t size = 0, wanted;

	if (file_size > LIMIT_IMAGE_BYTES)
		return fail_bytes(error);
	wanted = (size_t)file_size;
	data = malloc(wanted ? wanted : 1);
	if (!data)
		return engine_fail_memory(error);
	while (size < wanted) {
		ssize_t n = pread(fd, data + size, wanted - size, (off_t)size);

		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int r = fail_errno("The file cannot be read", error);

			free(data);
			return r;
		}
		size += (size_t)n;
	}
	*ret_data = data;
	*ret_size = size;
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits for data until `deadline`, in milliseconds of now_ms; 0 waits for ever. */
static int wait_readable(int fd, int64_t deadline, unsigned timeout_ms,
			 struct engine_error *error)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		int64_t left = deadline ? deadline - now_ms() : -1;
		int n;

		if (deadline && left <= 0)
			return engine_fail(error, -ETIMEDOUT,
					   "The picture did not arrive in %.1f s; check the program "
					   "that sends it.", timeout_ms / 1000.0);
		n = poll(&p, 1, (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return fail_errno("The picture cannot be waited for", error);
	}
}

static int read_stream(int fd, unsigned timeout_ms, uint8_t **ret_data, size_t *ret_size,
		       struct engine_error *error)
{
	int64_t deadline = timeout_ms ? now_ms() + timeout_ms : 0;
	size_t size = 0, capacity = 0;
	uint8_t *data = NULL;
	int r;

	for (;;) {
		ssize_t n;

		if (size == capacity) {
			size_t grown = capacity ? capacity * 2 : 64 * 1024;
			uint8_t *moved;

			/* one byte more than allowed tells "at the limit" from "over it" */
			if (grown > LIMIT_IMAGE_BYTES + 1)
				grown = LIMIT_IMAGE_BYTES + 1;
			if (grown == capacity) {
				r = fail_bytes(error);
				goto fail;
			}
			moved = realloc(data, grown);
			if (!moved) {
				r = engine_fail_memory(error);
				goto fail;
			}
			data = moved;
			capacity = grown;
		}
		r = wait_readable(fd, deadline, timeout_ms, error);
		if (r)
			goto fail;
		n = read(fd, data + size, capacity - size);
		if (n == 0)
			break;
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0) {
			r = fail_errno("The picture cannot be read", error);
			goto fail;
		}
		size += (size_t)n;
	}
	*ret_data = data;
	*ret_size = size;
	return 0;
fail:
	free(data);
	return r;
}

int engine_image_read(int fd, const struct engine_image_options *options,
		      struct engine_image **ret_image, struct engine_error *error)
{
	uint8_t *data = NULL;
	size_t size = 0;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return fail_errno("The picture cannot be opened", error);
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		r = read_file(fd, (uint64_t)st.st_size, &data, &size, error);
		break;
	case S_IFIFO:
	case S_IFSOCK:
		r = read_stream(fd, options ? options->timeout_ms : 0, &data, &size, error);
		break;
	case S_IFDIR:
		return engine_fail(error, ENGINE_BAD_IMAGE,
				   "This is a directory; choose one picture in it.");
	default:
		return engine_fail(error, ENGINE_BAD_IMAGE,
				   "This is a device, not a picture; choose a JPEG or PNG file.");
	}
	if (r)
		return r;
	r = engine_image_decode(data, size, options, ret_image, error);
	free(data);
	return r;
}

/* --- Images ------------------------------------------------------------------ */

int image_check_size(uint64_t width, uint64_t height, struct engine_error *error)
{
	if (width == 0 || height == 0)
		return engine_fail(error, ENGINE_BAD_IMAGE,
				   "The picture is %llu by %llu pixels: it has no content.",
				   (unsigned long long)width, (unsigned long long)height);
	if (width > LIMIT_IMAGE_SIDE || height > LIMIT_IMAGE_SIDE)
		return engine_fail(error, ENGINE_TOO_LARGE,
				   "The picture is %llu by %llu pixels; the limit is %u a side, so "
				   "save it at a smaller size.", (unsigned long long)width,
				   (unsigned long long)height, LIMIT_IMAGE_SIDE);
	if (width * height > LIMIT_IMAGE_PIXELS)
		return engine_fail(error, ENGINE_TOO_LARGE,
				   "The picture is %llu by %llu pixels; the limit is %u megapixels, "
				   "so save it at a smaller size.", (unsigned long long)width,
				   (unsigned long long)height, LIMIT_IMAGE_PIXELS / 1000000);
	return 0;
}

int image_new(unsigned width, unsigned height, enum image_orientation orientation,
	      struct engine_image **ret_image, struct engine_error *error)
{
	bool swap = image_orientation_swaps(orientation);
	struct engine_image *image;
	int r;

	r = image_check_size(width, height, error);
	if (r)
		return r;
	image = malloc(sizeof(*image));
	if (!image)
		return engine_fail_memory(error);
	*image = (struct engine_image){
		.width = swap ? height : width,
		.height = swap ? width : height,
		.orientation = orientation,
	};
	image->pixels = malloc((size_t)width * height * 3 + IMAGE_OVERREAD);
	if (!image->pixels) {
		free(image);
		return engine_fail_memory(error);
	}
	memset(image->pixels + (size_t)width * height * 3, 0, IMAGE_OVERREAD);
	*ret_image = image;
	return 0;
}

struct engine_image *engine_image_free(struct engine_image *image)
{
	if (image) {
		free(image->pixels);
		free(image);
	}
	return NULL;
}

unsigned engine_image_width(const struct engine_image *image)
{
	return image->width;
}

unsigned engine_image_height(const struct engine_image *image)
{
	return image->height;
}

const uint8_t *engine_image_pixels(const struct engine_image *image)
{
	return image->pixels;
}

const char *engine_image_warning(const struct engine_image *image)
{
	return image->warning[0] ? image->warning : NULL;
}

void image_put_row(struct engine_image *image, unsigned y, const uint8_t *rgb, unsigned first,
		   unsigned step, unsigned count)
{
	unsigned right = image->width - 1, bottom = image->height - 1;
	ptrdiff_t across = 3, down = (ptrdiff_t)image->width * 3, along;
	uint8_t *out;
	unsigned x0, y0;	/* where the file's (0, y) is seen */

	switch (image->orientation) {
	case IMAGE_MIRRORED:
		x0 = right, y0 = y, along = -across;
		break;
	case IMAGE_ROTATED_180:
		x0 = right, y0 = bottom - y, along = -across;
		break;
	case IMAGE_FLIPPED:
		x0 = 0, y0 = bottom - y, along = across;
		break;
	case IMAGE_TRANSPOSED:
		x0 = y, y0 = 0, along = down;
		break;
	case IMAGE_ROTATED_90:
		x0 = right - y, y0 = 0, along = down;
		break;
	case IMAGE_TRANSVERSED:
		x0 = right - y, y0 = bottom, along = -down;
		break;
	case IMAGE_ROTATED_270:
		x0 = y, y0 = bottom, along = -down;
		break;
	default:
		x0 = 0, y0 = y, along = across;
		break;
	}
	out = image->pixels + y0 * down + x0 * across + (ptrdiff_t)first * along;
	along *= step;
	if (along == across) {
		memcpy(out, rgb, (size_t)count * 3);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		uint8_t *pixel = out + (ptrdiff_t)i * along;

		pixel[0] = rgb[3 * i];
		pixel[1] = rgb[3 * i + 1];
		pixel[2] = rgb[3 * i + 2];
	}
}

void image_keep_rows(struct engine_image *image, unsigned rows)
{
	size_t old_stride = (size_t)image->width * 3, stride = old_stride;
	uint8_t *from = image->pixels;

	switch (image->orientation) {
	case IMAGE_TRANSPOSED:		/* the file's rows are columns, from the left */
	case IMAGE_ROTATED_270:
		stride = (size_t)rows * 3;
		break;
	case IMAGE_ROTATED_90:		/* columns, from the right */
	case IMAGE_TRANSVERSED:
		stride = (size_t)rows * 3;
		from += old_stride - stride;
		break;
	case IMAGE_ROTATED_180:		/* rows, from the bottom */
	case IMAGE_FLIPPED:
		from += (image->height - rows) * old_stride;
		image->height = rows;
		break;
	default:
		image->height = rows;
		return;
	}
	image->width = (unsigned)(stride / 3);
	for (unsigned y = 0; y < image->height; y++)
		memmove(image->pixels + y * stride, from + y * old_stride, stride);
}

static unsigned percentage(unsigned rows, unsigned total)
{
	return (unsigned)((uint64_t)rows * 100 / total);
}

int image_fail_part(unsigned rows, unsigned total, struct engine_error *error)
{
	return engine_fail(error, ENGINE_BAD_IMAGE,
			   "The file is damaged or cut short: only %u%% of the picture could be "
			   "read. Copy or save it again.", percentage(rows, total));
}

int image_accept_part(struct engine_image *image, unsigned rows, unsigned total,
		      struct engine_error *error)
{
	if (rows == 0 || rows < total - rows)
		return image_fail_part(rows, total, error);
	if (rows == total)
		return 0;
	image_keep_rows(image, rows);
	snprintf(image->warning, sizeof(image->warning),
		 "The file is damaged or cut short: only the first %u%% of the picture could be "
		 "read.", percentage(rows, total));
	return 0;
}

/* --- Raw pixels ---------------------------------------------------------------- */

static uint8_t clamp_8(int value)
{
	return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* BT.601 with video range (16 to 235), the default of cameras that deliver
 * YUYV or NV12; 8 bits of fraction. */
static void put_yuv(uint8_t *rgb, int y, int u, int v)
{
	int luma = 298 * (y - 16) + 128;

	u -= 128;
	v -= 128;
	rgb[0] = clamp_8((luma + 409 * v) >> 8);
	rgb[1] = clamp_8((luma - 100 * u - 208 * v) >> 8);
	rgb[2] = clamp_8((luma + 516 * u) >> 8);
}

static void convert_row(enum engine_pixel_format format, unsigned width, const uint8_t *row,
			const uint8_t *chroma, uint8_t *rgb)
{
	switch (format) {
	case ENGINE_PIXELS_RGB:
		memcpy(rgb, row, (size_t)width * 3);
		break;
	case ENGINE_PIXELS_BGRX:
		for (size_t x = 0; x < width; x++) {
			rgb[3 * x] = row[4 * x + 2];
			rgb[3 * x + 1] = row[4 * x + 1];
			rgb[3 * x + 2] = row[4 * x];
		}
		break;
	case ENGINE_PIXELS_GREY:
		for (size_t x = 0; x < width; x++)
			memset(rgb + 3 * x, row[x], 3);
		break;
	case ENGINE_PIXELS_YUYV:
		for (size_t x = 0; x < width; x++) {
			const uint8_t *pair = row + x / 2 * 4;

			put_yuv(rgb + 3 * x, row[2 * x], pair[1], pair[3]);
		}
		break;
	case ENGINE_PIXELS_NV12:
		for (size_t x = 0; x < width; x++) {
			const uint8_t *pair = chroma + x / 2 * 2;

			put_yuv(rgb + 3 * x, row[x], pair[0], pair[1]);
		}
		break;
	}
}

int engine_image_from_pixels(enum engine_pixel_format format, unsigned width,
			     unsigned height, size_t stride, const void *data,
			     size_t size, struct engine_image **ret_image,
			     struct engine_error *error)
{
	const uint8_t *bytes = data;
	struct engine_image *image;
	size_t row_size, rows, needed;
	int r;

	r = image_check_size(width, height, error);
	if (r)
		return r;
	rows = height;
	switch (format) {
	case ENGINE_PIXELS_RGB:
		row_size = (size_t)width * 3;
		break;
	case ENGINE_PIXELS_BGRX:
		row_size = (size_t)width * 4;
		break;
	case ENGINE_PIXELS_GREY:
		row_size = width;
		break;
	case ENGINE_PIXELS_YUYV:
		row_size = ((size_t)width + 1) / 2 * 4;
		break;
	case ENGINE_PIXELS_NV12:
		row_size = ((size_t)width + 1) / 2 * 2;
		rows += ((size_t)height + 1) / 2;
		break;
	default:
		return engine_fail(error, ENGINE_BAD_OPTION, "Pixel format %d is unknown.",
				   (int)format);
	}
	/* the last row may end without the padding of the others */
	if (stride < row_size || __builtin_mul_overflow(rows - 1, stride, &needed) ||
	    __builtin_add_overflow(needed, row_size, &needed) || size < needed)
		return engine_fail(error, ENGINE_BAD_IMAGE,
				   "The camera or screen delivered %zu bytes in rows of %zu; a "
				   "picture of %u by %u pixels needs %zu rows of at least %zu.",
				   size, stride, width, height, rows, row_size);
	r = image_new(width, height, IMAGE_UPRIGHT, &image, error);
	if (r)
		return r;
	for (size_t y = 0; y < height; y++)
		convert_row(format, width, bytes + y * stride, bytes + (height + y / 2) * stride,
			    image->pixels + y * width * 3);
	*ret_image = image;
	return 0;
}
