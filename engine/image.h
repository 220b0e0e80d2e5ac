/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * image.h: what the decoders of the picture formats share. Private to the
 * engine.
 *
 * A decoder reads rows in the order of the file and hands each one to
 * image_put_row, which writes it where the EXIF orientation wants it. So an
 * upright picture costs no second buffer, whatever the orientation.
 */
#ifndef ENGINE_IMAGE_H
#define ENGINE_IMAGE_H

#include "engine/engine.h"

/* EXIF's numbers: where the file's first row and first column are seen. */
enum image_orientation {
	IMAGE_UPRIGHT = 1,
	IMAGE_MIRRORED = 2,
	IMAGE_ROTATED_180 = 3,
	IMAGE_FLIPPED = 4,
	IMAGE_TRANSPOSED = 5,
	IMAGE_ROTATED_90 = 6,	/* to be turned clockwise by 90 degrees */
	IMAGE_TRANSVERSED = 7,
	IMAGE_ROTATED_270 = 8,
};

/* Bytes behind the pixels that may be read with them; they are zero. */
#define IMAGE_OVERREAD 64u

struct engine_image {
	unsigned width, height;		/* upright */
	enum image_orientation orientation;	/* of the rows that are put */
	uint8_t *pixels;		/* height rows of width × 3 bytes, and IMAGE_OVERREAD */
	char warning[160];		/* "" when there is none */
};

/* Checks the size of a picture as its header states it. */
int image_check_size(uint64_t width, uint64_t height, struct engine_error *error);

/* An image for `height` rows of `width` pixels as they lie in the file. Its
 * pixels are not initialised. */
int image_new(unsigned width, unsigned height, enum image_orientation orientation,
	      struct engine_image **ret_image, struct engine_error *error);

/* Writes row `y` of the file, `count` RGB pixels that stand in the columns
 * first, first + step, … */
void image_put_row(struct engine_image *image, unsigned y, const uint8_t *rgb, unsigned first,
		   unsigned step, unsigned count);

/* Keeps only the first `rows` rows of the file, at least one. */
void image_keep_rows(struct engine_image *image, unsigned rows);

/* For a picture of which only the first `rows` of `total` rows could be read:
 * keeps them with a warning if they are at least half, otherwise fails. */
int image_accept_part(struct engine_image *image, unsigned rows, unsigned total,
		      struct engine_error *error);

/* The sentence of image_accept_part for `rows` of `total`; ENGINE_BAD_IMAGE. */
int image_fail_part(unsigned rows, unsigned total, struct engine_error *error);

/* The orientation that a block of EXIF data, beginning with "Exif", two zero
 * bytes and a TIFF header, states; IMAGE_UPRIGHT when it states none. */
enum image_orientation image_exif_orientation(const uint8_t *data, size_t size);

static inline bool image_orientation_swaps(enum image_orientation orientation)
{
	return orientation >= IMAGE_TRANSPOSED;
}

/* The decoders; `data` begins with the format's signature. */
int image_jpeg_decode(const uint8_t *data, size_t size,
		      const struct engine_image_options *options,
		      struct engine_image **ret_image, struct engine_error *error);
int image_png_decode(const uint8_t *data, size_t size, struct engine_image **ret_image,
		     struct engine_error *error);

#endif
