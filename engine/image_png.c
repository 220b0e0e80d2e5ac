/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * image_png.c: PNG through libpng.
 *
 * libpng turns every kind of PNG into 8-bit grey or RGB, with or without alpha;
 * alpha is then laid over white, the paper that icons and drawings are made for.
 * Interlaced files are read pass by pass and each pass is placed where it
 * belongs, so that no second picture is needed for them either.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "engine/error.h"
#include "engine/image.h"
#include "engine/limits.h"

struct reader {
	png_structp png;
	png_infop info;
	const uint8_t *data;
	size_t size, used;
	char message[120];
	unsigned rows_read;	/* complete rows of a file that is not interlaced */
	bool interlaced, out_of_memory;
	struct engine_image *image;
	uint8_t *row, *rgb;
};

static void on_error(png_structp png, png_const_charp message)
{
	struct reader *reader = png_get_error_ptr(png);

	snprintf(reader->message, sizeof(reader->message), "%s", message);
	png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
	(void)png;
	(void)message;
}

static void on_read(png_structp png, png_bytep out, size_t count)
{
	struct reader *reader = png_get_io_ptr(png);

	if (count > reader->size - reader->used)
		png_error(png, "the file ends too early");
	memcpy(out, reader->data + reader->used, count);
	reader->used += count;
}

/* libpng's own limit on chunks is not applied to all of them: an eXIf chunk is
 * allocated at the length it claims. Rows and tables need far less. */
static png_voidp on_malloc(png_structp png, png_alloc_size_t size)
{
	struct reader *reader = png_get_mem_ptr(png);
	void *memory;

	if (size > LIMIT_PNG_CHUNK_BYTES)
		return NULL;
	memory = malloc(size);
	if (!memory)
		reader->out_of_memory = true;
	return memory;
}

static void on_free(png_structp png, png_voidp memory)
{
	(void)png;
	free(memory);
}

static enum image_orientation read_orientation(struct reader *reader)
{
	static const uint8_t signature[6] = "Exif\0";
	enum image_orientation orientation;
	png_uint_32 size;
	png_bytep exif;
	uint8_t *block;

	if (!png_get_eXIf_1(reader->png, reader->info, &size, &exif) || size > 0xffff)
		return IMAGE_UPRIGHT;
	block = malloc(sizeof(signature) + size);
	if (!block)
		return IMAGE_UPRIGHT;
	memcpy(block, signature, sizeof(signature));
	memcpy(block + sizeof(signature), exif, size);
	orientation = image_exif_orientation(block, sizeof(signature) + size);
	free(block);
	return orientation;
}

/* Deflate shrinks by 1,032 at most, so a short file that claims a huge picture
 * is known to be cut short before any memory is spent on it. */
static int check_length(struct reader *reader, unsigned width, unsigned height, int depth,
			int channels, struct engine_error *error)
{
	uint64_t needed = ((uint64_t)width * (unsigned)(depth * channels) + 7) / 8 * height / 1032;

	if (reader->size >= needed / 2)
		return 0;
	return image_fail_part((unsigned)reader->size, (unsigned)needed, error);
}

static uint8_t over_white(uint8_t value, uint8_t alpha)
{
	unsigned mixed = (unsigned)value * alpha + 255u * (255u - alpha) + 128u;

	return (uint8_t)((mixed + (mixed >> 8)) >> 8);
}

/* Grey, grey and alpha, RGB, or RGB and alpha to RGB. */
static void convert_row(const uint8_t *in, unsigned channels, unsigned count, uint8_t *rgb)
{
	unsigned alpha = channels % 2 ? 0 : channels - 1, step = channels > 2 ? 1 : 0;

	for (size_t x = 0; x < count; x++, in += channels, rgb += 3)
		for (unsigned i = 0; i < 3; i++)
			rgb[i] = alpha ? over_white(in[i * step], in[alpha]) : in[i * step];
}

static void read_rows(struct reader *reader, unsigned width, unsigned height, unsigned channels)
{
	for (unsigned y = 0; y < height; y++) {
		png_read_row(reader->png, reader->row, NULL);
		convert_row(reader->row, channels, width, reader->rgb);
		image_put_row(reader->image, y, reader->rgb, 0, 1, width);
		reader->rows_read = y + 1;
	}
}

/* Adam7: where the pixels of each pass begin, and how far they lie apart. */
static const struct {
	unsigned x, y, step_x, step_y;
} passes[] = {
	{ 0, 0, 8, 8 }, { 4, 0, 8, 8 }, { 0, 4, 4, 8 }, { 2, 0, 4, 4 },
	{ 0, 2, 2, 4 }, { 1, 0, 2, 2 }, { 0, 1, 1, 2 },
};

static void read_passes(struct reader *reader, unsigned width, unsigned height, unsigned channels)
{
	for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++) {
		unsigned step = passes[i].step_x, columns;

		if (width <= passes[i].x)
			continue;
		columns = (width - passes[i].x + step - 1) / step;
		for (unsigned y = passes[i].y; y < height; y += passes[i].step_y) {
			png_read_row(reader->png, reader->row, NULL);
			convert_row(reader->row, channels, columns, reader->rgb);
			image_put_row(reader->image, y, reader->rgb, passes[i].x, step, columns);
		}
	}
	reader->rows_read = height;
}

static int decode(struct reader *reader, struct engine_error *error)
{
	/* text and colour profiles can unpack to megabytes and are not needed */
	static const png_byte skipped[] = "tEXt\0zTXt\0iTXt\0iCCP\0sPLT";
	png_structp png = reader->png;
	png_infop info = reader->info;
	unsigned width, height, channels;
	int depth, r;

	png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, skipped, 5);
	png_set_read_fn(png, reader, on_read);
	/* our own limits come with their own sentences, after the header */
	png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
	png_set_chunk_malloc_max(png, LIMIT_PNG_CHUNK_BYTES);
	/* what is read but not yet unpacked when a file ends too early is lost */
	png_set_compression_buffer_size(png, 1024);
	png_set_crc_action(png, PNG_CRC_DEFAULT, PNG_CRC_WARN_DISCARD);
	png_read_info(png, info);
	width = png_get_image_width(png, info);
	height = png_get_image_height(png, info);
	depth = png_get_bit_depth(png, info);
	r = image_check_size(width, height, error);
	if (r)
		return r;
	r = check_length(reader, width, height, depth, png_get_channels(png, info), error);
	if (r)
		return r;
	r = image_new(width, height, read_orientation(reader), &reader->image, error);
	if (r)
		return r;
	png_set_expand(png);	/* palette to RGB, small greys to 8 bits, tRNS to alpha */
	png_set_scale_16(png);
	reader->interlaced = png_get_interlace_type(png, info) != PNG_INTERLACE_NONE;
	png_read_update_info(png, info);
	channels = png_get_channels(png, info);
	reader->row = malloc((size_t)width * channels);
	reader->rgb = malloc((size_t)width * 3);
	if (!reader->row || !reader->rgb)
		return engine_fail_memory(error);
	if (reader->interlaced)
		read_passes(reader, width, height, channels);
	else
		read_rows(reader, width, height, channels);
	return 0;
}

/* libpng gave up: use the rows that stand, if they are enough. */
static int fail_fatal(struct reader *reader, struct engine_error *error)
{
	if (reader->out_of_memory)
		return engine_fail_memory(error);
	if (reader->image && !reader->interlaced && reader->rows_read > 0) {
		unsigned height = image_orientation_swaps(reader->image->orientation) ?
				  reader->image->width : reader->image->height;

		return image_accept_part(reader->image, reader->rows_read, height, error);
	}
	return engine_fail(error, ENGINE_BAD_IMAGE,
			   "The PNG picture is damaged (%s); copy or save it again.",
			   reader->message);
}

int image_png_decode(const uint8_t *data, size_t size, struct engine_image **ret_image,
		     struct engine_error *error)
{
	struct reader *reader;
	int r;

	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return engine_fail_memory(error);
	reader->data = data;
	reader->size = size;
	reader->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, reader, on_error, on_warning,
					       reader, on_malloc, on_free);
	if (reader->png)
		reader->info = png_create_info_struct(reader->png);
	if (!reader->info) {
		r = engine_fail_memory(error);
	} else if (setjmp(png_jmpbuf(reader->png))) {
		r = fail_fatal(reader, error);
	} else {
		r = decode(reader, error);
	}
	if (r == 0) {
		*ret_image = reader->image;
		reader->image = NULL;
	}
	engine_image_free(reader->image);
	free(reader->row);
	free(reader->rgb);
	png_destroy_read_struct(&reader->png, &reader->info, NULL);
	free(reader);
	return r;
}
