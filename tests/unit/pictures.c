/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pictures.c: encoders of test pictures. Anything unexpected aborts, since a
 * test cannot go on without its picture.
 */
#include "tests/unit/pictures.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

struct bytes bytes_read(const char *path)
{
	FILE *file = fopen(path, "rbe");
	struct bytes bytes = { 0 };
	long size;

	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0) {
		fprintf(stderr, "%s cannot be read\n", path);
		abort();
	}
	rewind(file);
	bytes.size = (size_t)size;
	bytes.data = must(malloc(bytes.size + 1));
	if (fread(bytes.data, 1, bytes.size, file) != bytes.size)
		abort();
	fclose(file);
	return bytes;
}

void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){ 0 };
}

uint8_t *picture_map(unsigned width, unsigned height)
{
	uint8_t *rgb = must(malloc((size_t)width * height * 3));

	for (unsigned y = 0; y < height; y++) {
		for (unsigned x = 0; x < width; x++) {
			uint8_t *pixel = rgb + ((size_t)y * width + x) * 3;

			pixel[0] = (uint8_t)(255 * x / (width > 1 ? width - 1 : 1));
			pixel[1] = (uint8_t)(255 * y / (height > 1 ? height - 1 : 1));
			pixel[2] = x < width / 2 && y < height / 2 ? 200 : 40;
		}
	}
	return rgb;
}

void exif_block(uint8_t block[EXIF_BLOCK_SIZE], unsigned orientation)
{
	/* big-endian TIFF, one directory with one entry: tag 0x112, SHORT, 1 */
	static const uint8_t head[EXIF_BLOCK_SIZE] = {
		'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8,
		0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0,
	};

	memcpy(block, head, sizeof(head));
	block[24] = (uint8_t)(orientation >> 8);
	block[25] = (uint8_t)orientation;
}

/* --- JPEG --------------------------------------------------------------------- */

static void write_row(struct jpeg_compress_struct *jpeg, const uint8_t *rgb, unsigned width,
		      const struct jpeg_options *options)
{
	bool cmyk = options->kind == JPEG_CMYK || options->kind == JPEG_YCCK;
	unsigned channels = cmyk ? 4 : 3;
	uint8_t *row = must(malloc((size_t)width * channels));
	JSAMPROW rows[] = { row };

	for (size_t x = 0; x < width; x++) {
		uint8_t *out = row + x * channels;

		memcpy(out, rgb + 3 * x, 3);
		if (!cmyk)
			continue;
		/* black ink takes what is common, so that all four channels matter */
		uint8_t most = out[0] > out[1] ? out[0] : out[1];

		if (out[2] > most)
			most = out[2];
		for (int i = 0; i < 3; i++)
			out[i] = (uint8_t)(most ? out[i] * 255 / most : 255);
		out[3] = most;
		for (int i = 0; i < 4; i++)
			out[i] = options->no_adobe ? (uint8_t)(255 - out[i]) : out[i];
	}
	jpeg_write_scanlines(jpeg, rows, 1);
	free(row);
}

struct bytes picture_jpeg(const uint8_t *rgb, unsigned width, unsigned height,
			  const struct jpeg_options *options)
{
	static const J_COLOR_SPACE in[] = { JCS_RGB, JCS_RGB, JCS_CMYK, JCS_CMYK };
	static const J_COLOR_SPACE out[] = { JCS_YCbCr, JCS_GRAYSCALE, JCS_CMYK, JCS_YCCK };
	struct jpeg_compress_struct jpeg;
	struct jpeg_error_mgr handler;
	unsigned char *data = NULL;
	unsigned long size = 0;

	jpeg.err = jpeg_std_error(&handler);
	jpeg_create_compress(&jpeg);
	jpeg_mem_dest(&jpeg, &data, &size);
	jpeg.image_width = width;
	jpeg.image_height = height;
	jpeg.in_color_space = in[options->kind];
	jpeg.input_components = jpeg.in_color_space == JCS_CMYK ? 4 : 3;
	jpeg_set_defaults(&jpeg);
	jpeg_set_colorspace(&jpeg, out[options->kind]);
	jpeg_set_quality(&jpeg, 95, TRUE);
	if (!options->subsampled)
		for (int i = 0; i < jpeg.num_components; i++)
			jpeg.comp_info[i].h_samp_factor = jpeg.comp_info[i].v_samp_factor = 1;
	if (options->no_adobe)
		jpeg.write_Adobe_marker = FALSE;
	jpeg.arith_code = options->arithmetic;
	jpeg.restart_in_rows = (int)options->restart_rows;
	if (options->progressive)
		jpeg_simple_progression(&jpeg);
	jpeg_start_compress(&jpeg, TRUE);
	if (options->orientation) {
		uint8_t block[EXIF_BLOCK_SIZE];

		exif_block(block, options->orientation);
		jpeg_write_marker(&jpeg, JPEG_APP0 + 1, block, sizeof(block));
	}
	for (unsigned y = 0; y < height; y++)
		write_row(&jpeg, rgb + (size_t)y * width * 3, width, options);
	jpeg_finish_compress(&jpeg);
	jpeg_destroy_compress(&jpeg);
	return (struct bytes){ .data = data, .size = size };
}

/* --- PNG ---------------------------------------------------------------------- */

static void append(png_structp png, png_bytep data, size_t size)
{
	struct bytes *bytes = png_get_io_ptr(png);

	bytes->data = must(realloc(bytes->data, bytes->size + size));
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
}

static void flush(png_structp png)
{
	(void)png;
}

static void write_palette(png_structp png, png_infop info, const struct png_options *options)
{
	png_color colours[256];
	uint8_t alpha[256];
	int count = 1 << options->depth;

	/* colour i is (i, last − i, 128) */
	for (int i = 0; i < count; i++) {
		colours[i] = (png_color){
			.red = (uint8_t)(255 * i / (count - 1)),
			.green = (uint8_t)(255 - 255 * i / (count - 1)),
			.blue = 128,
		};
		alpha[i] = (uint8_t)(255 * i / (count - 1));
	}
	png_set_PLTE(png, info, colours, count);
	if (options->transparent)
		png_set_tRNS(png, info, alpha, count, NULL);
}

struct bytes picture_png(const uint8_t *samples, unsigned width, unsigned height,
			 const struct png_options *options)
{
	static const int types[] = {
		PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA, PNG_COLOR_TYPE_GRAY,
		PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_PALETTE,
	};
	static const unsigned channels[] = { 3, 4, 1, 2, 1 };
	size_t stride = ((size_t)width * channels[options->kind] * (size_t)options->depth + 7) / 8;
	png_structp png = must(png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL));
	png_infop info = must(png_create_info_struct(png));
	png_bytepp rows = must(malloc(height * sizeof(*rows)));
	struct bytes bytes = { 0 };

	if (setjmp(png_jmpbuf(png)))
		abort();
	for (size_t y = 0; y < height; y++)
		rows[y] = (png_bytep)(uintptr_t)(samples + y * stride);
	png_set_write_fn(png, &bytes, append, flush);
	png_set_IHDR(png, info, width, height, options->depth, types[options->kind],
		     options->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
		     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	if (options->kind == PNG_KIND_PALETTE)
		write_palette(png, info, options);
	if (options->orientation) {
		uint8_t block[EXIF_BLOCK_SIZE];

		exif_block(block, options->orientation);
		png_set_eXIf_1(png, info, sizeof(block) - 6, block + 6);
	}
	png_set_rows(png, info, rows);
	png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
	png_destroy_write_struct(&png, &info);
	free(rows);
	return bytes;
}

uint32_t crc_32(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}
