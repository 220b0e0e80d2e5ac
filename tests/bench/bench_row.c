/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bench_row.c: one row of the bench, run once for each line on standard
 * input, so that bench.py can take turns between it and its peers. Prints
 * "ready" when warm, then the milliseconds of each run.
 *
 * Usage: bench_row MODEL THREADS ROW [FILE]
 *   encoder-int8, encoder-fp32     the encoder, pixels of the right size in
 *   second-look                    the encoder in floats, of 8-bit weights that are
 *                                  packed in the run
 *   decode FILE                    the file decoded as for a caption
 *   resize FILE                    the decoded picture resized for the encoder
 *   greedy, beam FILE              words for a photo that is encoded already
 *   caption FILE                   file to sentence, beam 3
 *   open                           opening and closing the model
 *   step-first                     the decoder's first step with three beams after the
 *                                  encoder has run and the photo was begun: the
 *                                  weights come from memory. Always one thread
 *   step                           the step after that one, as all later ones of a
 *                                  sentence. Always one thread
 *   product                        the matrix products of an LSTM step with hidden
 *                                  512 and 10,000 words, 8 bits, three beams, as
 *                                  one matrix of 9 × 512 × 512 + 10,000 × 512, straight
 *                                  after the same products
 *
 * bench_row --kernels prints the name of the instruction set in use.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/context.h"
#include "engine/kernels/isa.h"
#include "engine/model.h"

struct bench {
	struct engine_model *model;
	struct engine_context *context;
	struct engine_image *image;
	const struct engine_features *features;
	struct decoder_state *state;
	const char *model_path, *path;
	void *file;
	size_t file_size;
	uint8_t *rgb;
	float *logits, *attention;
	struct matrix_q8 matrix;
	struct engine_error error;
};

typedef int row(struct bench *bench);

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int run_encoder(struct bench *b)
{
	const struct engine_features *features;

	return encoder_run_pixels(b->context->encoder, b->rgb, NULL, &features, &b->error);
}

static int run_second_look(struct bench *b)
{
	struct engine_timings timings = {0};
	const struct engine_features *features;

	return encoder_look_again(b->context->encoder, NULL, &features, &timings, &b->error);
}

static int decode(struct bench *b, struct engine_image **ret_image)
{
	const struct engine_model_info *info = engine_model_info(b->model);
	struct engine_image_options options = {
		.wanted_width = info->input_width,
		.wanted_height = info->input_height,
	};

	return engine_image_decode(b->file, b->file_size, &options, ret_image, &b->error);
}

static int run_decode(struct bench *b)
{
	struct engine_image *image;
	int r = decode(b, &image);

	if (r == 0)
		engine_image_free(image);
	return r;
}

static int run_resize(struct bench *b)
{
	const struct engine_model_info *info = engine_model_info(b->model);

	return engine_image_resize(b->image, info->input_width, info->input_height, b->rgb, &b->error);
}

static int generate(struct bench *b, unsigned beam)
{
	struct engine_caption_options options = {.search = ENGINE_SEARCH_BEAM, .beam = beam};
	const struct engine_result *result;

	return engine_generate(b->context, b->features, &options, &result, &b->error);
}

static int run_greedy(struct bench *b)
{
	return generate(b, 1);
}

static int run_beam(struct bench *b)
{
	return generate(b, 3);
}

static int run_caption(struct bench *b)
{
	struct engine_caption_options options = {.search = ENGINE_SEARCH_BEAM, .beam = 3};
	const struct engine_result *result;
	struct engine_image *image;
	int r = decode(b, &image);

	if (r)
		return r;
	r = engine_describe(b->context, image, &options, &result, &b->error);
	engine_image_free(image);
	return r;
}

static int run_open(struct bench *b)
{
	struct engine_model *model;
	int r = engine_model_open(b->model_path, &model, &b->error);

	if (r == 0)
		engine_model_free(model);
	return r;
}

static int run_step(struct bench *b)
{
	static const unsigned words[3] = {5, 6, 7}, parents[3] = {0, 1, 2};

	decoder_state_step(b->state, words, parents, 3, b->logits, b->attention);
	return 0;
}

/* What comes before the first step of every caption, untimed. */
static int photo_before_step(struct bench *b)
{
	int r = run_encoder(b);

	if (r == 0)
		decoder_state_begin(b->state, b->features);
	return r;
}

static int step_before_step(struct bench *b)
{
	int r = photo_before_step(b);

	return r ? r : run_step(b);
}

/* The products alone, at the size for which the peers' figures are known. */
#define PRODUCT_ROWS (9u * 512u + 10000u)
#define PRODUCT_COLUMNS 512u

static int begin_products(struct bench *b)
{
	size_t size = (size_t)PRODUCT_ROWS * PRODUCT_COLUMNS;
	int8_t *weights = malloc(size);
	float *scales = malloc(PRODUCT_ROWS * sizeof(float));
	int32_t *sums = malloc(PRODUCT_ROWS * sizeof(int32_t));

	for (size_t i = 0; i < size; i++)
		weights[i] = (int8_t)((int)(i * 40503u >> 7 & 255) % 127);
	for (size_t r = 0; r < PRODUCT_ROWS; r++)
		scales[r] = 0.01f;
	matvec_q8_sums(weights, PRODUCT_ROWS, PRODUCT_COLUMNS, sums);
	b->matrix = (struct matrix_q8){
		.weights = weights, .scales = scales, .sums = sums,
		.rows = PRODUCT_ROWS, .columns = PRODUCT_COLUMNS,
	};
	b->logits = calloc((size_t)3 * PRODUCT_ROWS, sizeof(float));
	return 0;
}

static int run_product(struct bench *b)
{
	static int8_t x[3 * PRODUCT_COLUMNS + 64];
	static const float x_scales[3] = {0.1f, 0.2f, 0.3f};

	for (size_t i = 0; i < 3 * PRODUCT_COLUMNS; i++)
		x[i] = (int8_t)(i % 127);
	isa_best()->matvec_q8(&b->matrix, 0, PRODUCT_ROWS, x, x_scales, 3, PRODUCT_COLUMNS,
			      b->logits, PRODUCT_ROWS);
	return 0;
}

static int read_file(struct bench *b)
{
	FILE *file = fopen(b->path, "rbe");
	long size;

	if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
		return -1;
	rewind(file);
	b->file_size = (size_t)size;
	b->file = malloc(b->file_size);
	if (!b->file || fread(b->file, 1, b->file_size, file) != b->file_size)
		return -1;
	fclose(file);
	return 0;
}

static int begin_steps(struct bench *b)
{
	static const unsigned words[3] = {1, 1, 1}, parents[3] = {0, 0, 0};
	unsigned vocabulary = decoder_words(b->model->decoder);
	int r = decoder_state_open(b->model->decoder, 3, &b->state, &b->error);

	if (r)
		return r;
	b->logits = calloc((size_t)3 * vocabulary, sizeof(float));
	b->attention = calloc((size_t)3 * decoder_cells(b->model->decoder) + 1, sizeof(float));
	decoder_state_begin(b->state, b->features);
	decoder_state_step(b->state, words, parents, 3, b->logits, b->attention);
	return 0;
}

static int prepare(struct bench *b, unsigned threads, enum engine_path path)
{
	struct engine_context_options options = {.threads = threads, .path = path};
	const struct engine_model_info *info;
	size_t size;
	int r = engine_model_open(b->model_path, &b->model, &b->error);

	if (r == 0)
		r = engine_context_open(b->model, &options, &b->context, &b->error);
	if (r)
		return r;
	info = engine_model_info(b->model);
	size = (size_t)info->input_width * info->input_height * 3;
	b->rgb = malloc(size);
	for (size_t i = 0; i < size; i++)
		b->rgb[i] = (uint8_t)(i * 40503u >> 7);
	if (!b->path)
		return encoder_run_pixels(b->context->encoder, b->rgb, NULL, &b->features, &b->error);
	if (read_file(b) != 0) {
		snprintf(b->error.message, sizeof(b->error.message), "%s cannot be read.", b->path);
		return -1;
	}
	r = decode(b, &b->image);
	return r ? r : engine_encode(b->context, b->image, &b->features, &b->error);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		row *run, *before;	/* `before` is not timed; may be NULL */
	} rows[] = {
		{"encoder-int8", run_encoder, NULL},
		{"encoder-fp32", run_encoder, NULL},
		{"second-look", run_second_look, NULL},
		{"decode", run_decode, NULL},
		{"resize", run_resize, NULL},
		{"greedy", run_greedy, NULL},
		{"beam", run_beam, NULL},
		{"caption", run_caption, NULL},
		{"open", run_open, NULL},
		{"step-first", run_step, photo_before_step},
		{"step", run_step, step_before_step},
		{"product", run_product, run_product},
	};
	struct bench b = {0};
	row *run = NULL, *before = NULL;
	char line[16];

	if (argc == 2 && strcmp(argv[1], "--kernels") == 0) {
		puts(isa_best()->name);
		return 0;
	}
	if (argc < 4)
		return 2;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(argv[3], rows[i].name) == 0) {
			run = rows[i].run;
			before = rows[i].before;
		}
	if (!run)
		return 2;
	b.model_path = argv[1];
	b.path = argc > 4 ? argv[4] : NULL;
	if (prepare(&b, (unsigned)atoi(argv[2]), strcmp(argv[3], "encoder-fp32") == 0
							 ? ENGINE_PATH_FLOAT
							 : ENGINE_PATH_AUTO) ||
	    (run == run_step && begin_steps(&b)) || (run == run_product && begin_products(&b))) {
		fprintf(stderr, "%s\n", b.error.message);
		return 1;
	}
	for (int i = 0; i < 5; i++)
		if (run(&b)) {
			fprintf(stderr, "%s\n", b.error.message);
			return 1;
		}
	printf("ready Descry " DESCRY_VERSION "\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		double start;

		if (before)
			before(&b);
		start = now();
		run(&b);
		printf("%.6f\n", now() - start);
		fflush(stdout);
	}
	decoder_state_free(b.state);
	free(b.logits);
	free((void *)b.matrix.weights);
	free((void *)b.matrix.scales);
	free((void *)b.matrix.sums);
	free(b.attention);
	free(b.file);
	free(b.rgb);
	engine_image_free(b.image);
	engine_context_free(b.context);
	engine_model_free(b.model);
	return 0;
}
