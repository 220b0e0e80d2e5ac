/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pictures.h: pictures that tests make with the libraries' encoders, so that
 * every odd kind of file can be tried without storing any.
 */
#ifndef TESTS_PICTURES_H
#define TESTS_PICTURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	uint8_t *data;
	size_t size;
};

/* The whole file; fails the test if it cannot be read. */
struct bytes bytes_read(const char *path);
void bytes_free(struct bytes *bytes);

/* A picture of which every pixel tells where it stands: red grows from left to
 * right, green from top to bottom, blue is high in the left upper quarter. */
uint8_t *picture_map(unsigned width, unsigned height);

enum jpeg_kind { JPEG_COLOUR, JPEG_GREY, JPEG_CMYK, JPEG_YCCK };

struct jpeg_options {
	enum jpeg_kind kind;
	bool progressive, arithmetic, subsampled;
	bool no_adobe;		/* CMYK without Adobe's marker: ink is not inverted */
	unsigned restart_rows;	/* a restart mark after so many rows of blocks */
	unsigned orientation;	/* 1 to 8 writes EXIF */
};
/* Encodes RGB pixels at quality 95. */
struct bytes picture_jpeg(const uint8_t *rgb, unsigned width, unsigned height,
			  const struct jpeg_options *options);

enum png_kind {
	PNG_KIND_RGB, PNG_KIND_RGBA, PNG_KIND_GREY, PNG_KIND_GREY_ALPHA, PNG_KIND_PALETTE,
};
struct png_options {
	enum png_kind kind;
	int depth;		/* 1 to 16, what the kind allows */
	bool interlaced;
	bool transparent;	/* palette: entry i is i / last opaque */
	unsigned orientation;
};
/* Encodes samples as libpng takes them: 16-bit ones big-endian, smaller ones
 * packed, rows without padding. */
struct bytes picture_png(const uint8_t *samples, unsigned width, unsigned height,
			 const struct png_options *options);

/* A block of EXIF data that states an orientation, "Exif" and zeros first. */
#define EXIF_BLOCK_SIZE 32
void exif_block(uint8_t block[EXIF_BLOCK_SIZE], unsigned orientation);

uint32_t crc_32(const void *data, size_t size);

#endif
