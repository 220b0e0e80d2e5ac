/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * image_jpeg.c: JPEG through libjpeg-turbo.
 *
 * The libjpeg interface rather than TurboJPEG's, because three things are
 * needed that the latter hides: rows one at a time (so that orientation costs no
 * second picture), how far a truncated file could be read, and a bound on what a
 * progressive file may cost before its first row appears.
 *
 * The decoder scales by n/8 in the DCT domain. Only 1/8, 1/4, 1/2 and 1/1 have
 * vector code in libjpeg-turbo and are exact box averages of the full picture, so
 * those are used: the smallest at which both sides reach the wanted size one and a
 * half times. Nearer to it, little would be left to the resize, whose triangle
 * blurs more than a box does, and the network would see a sharper picture than
 * from a full decode: enough to change words of a caption.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "engine/error.h"
#include "engine/image.h"
#include "engine/limits.h"

#define MEBIBYTE (1u << 20)
#define EXIF_MARKER (JPEG_APP0 + 1)

struct reader {
	struct jpeg_decompress_struct jpeg;
	struct jpeg_error_mgr handler;
	struct jpeg_source_mgr source;
	jmp_buf escape;
	char message[JMSG_LENGTH_MAX];
	int fatal;		/* libjpeg's code of the error that ended decoding */
	bool created;		/* `jpeg` is to be destroyed */
	bool damaged;		/* something in the data was wrong, and decoding went on */
	bool ended;		/* a scan had too few data to be complete */
	unsigned rows_read;	/* of total_iMCU_rows, in that scan */
	enum image_orientation orientation;
	struct engine_image *image;
	uint8_t *row;
};

/* --- Errors, as libjpeg wants them ------------------------------------------- */

static struct reader *reader_of(j_common_ptr jpeg)
{
	return jpeg->client_data;
}

static void on_fatal(j_common_ptr jpeg)
{
	struct reader *reader = reader_of(jpeg);

	reader->fatal = jpeg->err->msg_code;
	jpeg->err->format_message(jpeg, reader->message);
	longjmp(reader->escape, 1);
}

static void on_message(j_common_ptr jpeg, int level)
{
	struct reader *reader = reader_of(jpeg);

	if (level >= 0)
		return;
	reader->damaged = true;
	/* the entropy decoder met the end mark inside the picture and fills the rest
	 * with grey; any other mark may be a restart from which it recovers */
	if (jpeg->err->msg_code == JWRN_HIT_MARKER && reader->jpeg.unread_marker == JPEG_EOI &&
	    !reader->ended) {
		reader->ended = true;
		reader->rows_read = reader->jpeg.input_iMCU_row;
	}
}

static void on_output(j_common_ptr jpeg)
{
	(void)jpeg;
}

/* --- The source: one block of memory ------------------------------------------- */

static void source_nothing(j_decompress_ptr jpeg)
{
	(void)jpeg;
}

/* Out of data: an end mark stands in for what is missing. That alone is no
 * damage, for some cameras leave the mark out. */
static boolean source_fill(j_decompress_ptr jpeg)
{
	static const JOCTET end[] = { 0xff, JPEG_EOI };

	jpeg->src->next_input_byte = end;
	jpeg->src->bytes_in_buffer = sizeof(end);
	return TRUE;
}

static void source_skip(j_decompress_ptr jpeg, long count)
{
	if (count <= 0)
		return;
	if ((size_t)count > jpeg->src->bytes_in_buffer) {
		source_fill(jpeg);
		return;
	}
	jpeg->src->next_input_byte += count;
	jpeg->src->bytes_in_buffer -= (size_t)count;
}

/* --- Reading ---------------------------------------------------------------------- */

static enum image_orientation read_orientation(const struct jpeg_decompress_struct *jpeg)
{
	for (jpeg_saved_marker_ptr m = jpeg->marker_list; m; m = m->next)
		if (m->marker == EXIF_MARKER && m->data_length > 6 &&
		    memcmp(m->data, "Exif\0", 6) == 0)
			return image_exif_orientation(m->data, m->data_length);
	return IMAGE_UPRIGHT;
}

static void choose_scale(struct jpeg_decompress_struct *jpeg,
			 const struct engine_image_options *options,
			 enum image_orientation orientation)
{
	unsigned width = options->wanted_width, height = options->wanted_height;

	if (image_orientation_swaps(orientation)) {
		width = options->wanted_height;
		height = options->wanted_width;
	}
	jpeg->scale_num = 8;
	jpeg->scale_denom = 8;
	if (width == 0 && height == 0)
		return;
	for (unsigned n = 4; n >= 1; n /= 2) {
		/* n / 8 of the picture against 3 / 2 of what is wanted */
		if ((uint64_t)jpeg->image_width * n < (uint64_t)width * 12 ||
		    (uint64_t)jpeg->image_height * n < (uint64_t)height * 12)
			return;
		jpeg->scale_num = n;
	}
}

/* A block of 8 × 8 pixels costs at least one bit in the first scan that holds it
 * (two in a baseline file). So a short file that claims a huge picture is known
 * to be cut short before any memory is spent on it. Arithmetic coding has no such
 * bound, but the memory limit holds for it too. */
static int check_length(const struct jpeg_decompress_struct *jpeg, size_t size,
			struct engine_error *error)
{
	uint64_t blocks = (uint64_t)((jpeg->image_width + 7) / 8) * ((jpeg->image_height + 7) / 8);
	uint64_t readable = (uint64_t)size * 8;

	/* one component may be subsampled by 4 in both directions at most */
	blocks /= (uint64_t)(jpeg->max_h_samp_factor * jpeg->max_v_samp_factor);
	if (jpeg->arith_code || readable >= blocks / 2)
		return 0;
	return image_fail_part((unsigned)readable, (unsigned)blocks, error);
}

/* Reads every scan of a file whose rows are complete only after the last one. A
 * file that is cut short after the first scan of each component gives a coarse
 * picture; before that, rows_read says how far the coarse version reaches. */
static int read_scans(struct reader *reader, struct engine_error *error)
{
	struct jpeg_decompress_struct *jpeg = &reader->jpeg;
	bool begun[MAX_COMPONENTS] = { false }, complete[MAX_COMPONENTS] = { false };
	bool all_begun = true, all_complete = true;
	int status = JPEG_ROW_COMPLETED;

	while (status != JPEG_REACHED_EOI) {
		bool first = jpeg->Ss == 0 && jpeg->Ah == 0;

		status = jpeg_consume_input(jpeg);
		if (jpeg->input_scan_number > (int)LIMIT_IMAGE_SCANS)
			return engine_fail(error, ENGINE_TOO_LARGE,
					   "The JPEG picture has over %u scans; save it as a baseline "
					   "JPEG.", LIMIT_IMAGE_SCANS);
		if (!first || (status != JPEG_ROW_COMPLETED && status != JPEG_SCAN_COMPLETED))
			continue;
		for (int i = 0; i < jpeg->comps_in_scan; i++) {
			int component = jpeg->cur_comp_info[i]->component_index;

			begun[component] = true;
			if (status == JPEG_SCAN_COMPLETED && !reader->ended)
				complete[component] = true;
		}
	}
	for (int i = 0; i < jpeg->num_components; i++) {
		all_begun &= begun[i];
		all_complete &= complete[i];
	}
	if (!all_begun)
		return image_fail_part(0, 1, error);
	if (all_complete)
		reader->rows_read = jpeg->total_iMCU_rows;
	return 0;
}

static uint8_t multiply_8(uint8_t a, uint8_t b)
{
	unsigned product = a * b + 128u;

	return (uint8_t)((product + (product >> 8)) >> 8);
}

/* Adobe stores CMYK inverted: 255 is no ink. Others store ink as it is. */
static void convert_cmyk(uint8_t *row, unsigned width, bool inverted)
{
	for (size_t x = 0; x < width; x++) {
		const uint8_t *in = row + 4 * x;
		uint8_t cmyk[4];

		for (int i = 0; i < 4; i++)
			cmyk[i] = inverted ? in[i] : (uint8_t)(255 - in[i]);
		for (int i = 0; i < 3; i++)
			row[3 * x + (size_t)i] = multiply_8(cmyk[i], cmyk[3]);
	}
}

/* Reads the header and decides how to decode. */
static int begin(struct reader *reader, size_t size, const struct engine_image_options *options,
		 struct engine_error *error)
{
	struct jpeg_decompress_struct *jpeg = &reader->jpeg;
	int r;

	jpeg_save_markers(jpeg, EXIF_MARKER, 0xffff);
	if (jpeg_read_header(jpeg, FALSE) != JPEG_HEADER_OK)
		return image_fail_part(0, 1, error);
	r = image_check_size(jpeg->image_width, jpeg->image_height, error);
	if (r)
		return r;
	r = check_length(jpeg, size, error);
	if (r)
		return r;
	reader->orientation = read_orientation(jpeg);
	choose_scale(jpeg, options, reader->orientation);
	switch (jpeg->jpeg_color_space) {
	case JCS_CMYK:
	case JCS_YCCK:
		jpeg->out_color_space = JCS_CMYK;
		break;
	case JCS_GRAYSCALE:
	case JCS_RGB:
	case JCS_YCbCr:
		jpeg->out_color_space = JCS_RGB;
		break;
	default:
		return engine_fail(error, ENGINE_UNSUPPORTED,
				   "The JPEG picture has %d colour channels of an unknown kind; save "
				   "it in RGB or grey.", jpeg->num_components);
	}
	return 0;
}

static int decode(struct reader *reader, size_t size, const struct engine_image_options *options,
		  struct engine_error *error)
{
	struct jpeg_decompress_struct *jpeg = &reader->jpeg;
	unsigned rows, total;
	bool in_place;
	int r;

	r = begin(reader, size, options, error);
	if (r)
		return r;
	/* the whole file passes through coefficient memory when it has several scans */
	jpeg->mem->max_memory_to_use = (long)LIMIT_IMAGE_MEMORY;
	jpeg->buffered_image = jpeg_has_multiple_scans(jpeg);
	jpeg_start_decompress(jpeg);
	if (jpeg->buffered_image) {
		r = read_scans(reader, error);
		if (r)
			return r;
		jpeg_start_output(jpeg, jpeg->input_scan_number);
	}
	r = image_new(jpeg->output_width, jpeg->output_height, reader->orientation,
		      &reader->image, error);
	if (r)
		return r;
	reader->row = malloc((size_t)jpeg->output_width * (size_t)jpeg->output_components);
	if (!reader->row)
		return engine_fail_memory(error);
	in_place = reader->orientation == IMAGE_UPRIGHT && jpeg->out_color_space == JCS_RGB;
	while (jpeg->output_scanline < jpeg->output_height) {
		unsigned y = jpeg->output_scanline;

		if (in_place) {
			uint8_t *row = reader->image->pixels + (size_t)y * jpeg->output_width * 3;

			jpeg_read_scanlines(jpeg, &row, 1);
			continue;
		}
		jpeg_read_scanlines(jpeg, &reader->row, 1);
		if (jpeg->out_color_space == JCS_CMYK)
			convert_cmyk(reader->row, jpeg->output_width, jpeg->saw_Adobe_marker);
		image_put_row(reader->image, y, reader->row, 0, 1, jpeg->output_width);
	}
	total = jpeg->total_iMCU_rows;
	rows = reader->ended && reader->rows_read < total ?
	       (unsigned)((uint64_t)jpeg->output_height * reader->rows_read / total) :
	       jpeg->output_height;
	r = image_accept_part(reader->image, rows, jpeg->output_height, error);
	if (r)
		return r;
	if (reader->damaged && !reader->image->warning[0])
		snprintf(reader->image->warning, sizeof(reader->image->warning),
			 "The file is damaged; parts of the picture may be wrong.");
	return 0;
}

static int fail_fatal(const struct reader *reader, struct engine_error *error)
{
	switch (reader->fatal) {
	case JERR_OUT_OF_MEMORY:
		return engine_fail_memory(error);
	case JERR_NO_BACKING_STORE:
		return engine_fail(error, ENGINE_TOO_LARGE,
				   "Decoding this JPEG picture needs more than the limit of %u MiB; "
				   "save it as a baseline JPEG or at a smaller size.",
				   LIMIT_IMAGE_MEMORY / MEBIBYTE);
	case JERR_IMAGE_TOO_BIG:
		return engine_fail(error, ENGINE_TOO_LARGE,
				   "The JPEG picture is larger than the limit of %u pixels a side; "
				   "save it at a smaller size.", LIMIT_IMAGE_SIDE);
	case JERR_BAD_PRECISION:
	case JERR_SOF_UNSUPPORTED:
	case JERR_ARITH_NOTIMPL:
	case JERR_CONVERSION_NOTIMPL:
	case JERR_CCIR601_NOTIMPL:
	case JERR_NOTIMPL:
		return engine_fail(error, ENGINE_UNSUPPORTED,
				   "The JPEG picture is of a rare kind that cannot be read (%s); save "
				   "it as a baseline JPEG.", reader->message);
	default:
		return engine_fail(error, ENGINE_BAD_IMAGE,
				   "The JPEG picture is damaged (%s); copy or save it again.",
				   reader->message);
	}
}

int image_jpeg_decode(const uint8_t *data, size_t size,
		      const struct engine_image_options *options,
		      struct engine_image **ret_image, struct engine_error *error)
{
	struct reader *reader;
	int r;

	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return engine_fail_memory(error);
	reader->jpeg.err = jpeg_std_error(&reader->handler);
	reader->jpeg.client_data = reader;
	reader->handler.error_exit = on_fatal;
	reader->handler.emit_message = on_message;
	reader->handler.output_message = on_output;
	reader->source = (struct jpeg_source_mgr){
		.next_input_byte = data,
		.bytes_in_buffer = size,
		.init_source = source_nothing,
		.fill_input_buffer = source_fill,
		.skip_input_data = source_skip,
		.resync_to_restart = jpeg_resync_to_restart,
		.term_source = source_nothing,
	};
	if (setjmp(reader->escape)) {
		r = fail_fatal(reader, error);
	} else {
		reader->created = true;
		jpeg_create_decompress(&reader->jpeg);
		reader->jpeg.src = &reader->source;
		r = decode(reader, size, options, error);
	}
	if (r == 0) {
		*ret_image = reader->image;
		reader->image = NULL;
	}
	engine_image_free(reader->image);
	free(reader->row);
	if (reader->created)
		jpeg_destroy_decompress(&reader->jpeg);
	free(reader);
	return r;
}
