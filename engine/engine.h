/*
 * engine.h: the captioning engine's only public header.
 *
 * A photo goes in, a caption comes out: decode, resize, encode with a
 * convolutional network, generate words with a recurrent decoder. Everything
 * the network is made of (graph, weights, vocabulary, normalisation) stands in
 * one GGUF file; see MODEL.md.
 *
 * Conventions, valid for every function here:
 *  - Returns 0, or a negative errno that the caller forwards (-ENOMEM, -EIO),
 *    or one of the positive codes of enum engine_status, which the caller can
 *    act on. `error`, which may be NULL, then holds one plain sentence that
 *    names the thing at fault and the remedy.
 *  - `ret_` parameters are written on success only.
 *  - Nothing here prints, exits, aborts or keeps a picture.
 *  - A model is immutable and may be shared by any number of threads. An image,
 *    a context and what they return belong to one thread at a time.
 *  - Destructors take NULL and return NULL: `x = engine_x_free(x)`.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum engine_status {
	ENGINE_OK = 0,
	ENGINE_BAD_IMAGE = 1,	/* not a picture that can be decoded */
	ENGINE_TOO_LARGE = 2,	/* a limit of limits.h is exceeded; the message names it */
	ENGINE_BAD_MODEL = 3,	/* the model file is damaged or of an unknown version */
	ENGINE_UNSUPPORTED = 4,	/* well formed, but this engine cannot do it */
	ENGINE_CANCELLED = 5,	/* the caller's cancel flag was set */
	ENGINE_BAD_OPTION = 6,	/* an option is out of its range */
};

struct engine_error {
	char message[512];
};

/* --- Images ------------------------------------------------------------- */

/* An upright picture in 8-bit RGB. */
struct engine_image;

struct engine_image_options {
	/* The picture will be resized to this size, so a JPEG may be decoded at a
	 * DCT scale that leaves one and a half times as much. 0 decodes at full size. */
	unsigned wanted_width, wanted_height;
	/* engine_image_read only: how long a pipe or socket may take in all to
	 * deliver the picture (-ETIMEDOUT); 0 waits for ever. */
	unsigned timeout_ms;
};

/* Decodes a JPEG or PNG, recognised by content. Borrows `data` for the call.
 * `options` may be NULL. A file that is cut short gives the rows that could be
 * read, with a warning, if they are at least half. */
int engine_image_decode(const void *data, size_t size,
			const struct engine_image_options *options,
			struct engine_image **ret_image, struct engine_error *error);

/* The same from a file descriptor: regular files and memfds are copied before
 * they are parsed (another process may still write to them), from their
 * beginning whatever the file position; pipes and sockets are read to the end
 * within the size limit. Directories and devices are refused. Does not close
 * `fd`. */
int engine_image_read(int fd, const struct engine_image_options *options,
		      struct engine_image **ret_image, struct engine_error *error);

enum engine_pixel_format {
	ENGINE_PIXELS_RGB,	/* 3 bytes a pixel */
	ENGINE_PIXELS_BGRX,	/* 4 bytes a pixel, the last ignored (X11, portals) */
	ENGINE_PIXELS_GREY,	/* 1 byte a pixel */
	ENGINE_PIXELS_YUYV,	/* 4:2:2 packed, even width */
	ENGINE_PIXELS_NV12,	/* 4:2:0, a plane of Y, then a plane of UV */
};

/* Copies raw pixels, as cameras and screens deliver them. `stride` is the
 * length of a row of the first plane in bytes; `size` is that of `data`. */
int engine_image_from_pixels(enum engine_pixel_format format, unsigned width,
			     unsigned height, size_t stride, const void *data,
			     size_t size, struct engine_image **ret_image,
			     struct engine_error *error);

struct engine_image *engine_image_free(struct engine_image *image);

unsigned engine_image_width(const struct engine_image *image);
unsigned engine_image_height(const struct engine_image *image);
/* height rows of width × 3 bytes without padding, owned by the image */
const uint8_t *engine_image_pixels(const struct engine_image *image);
/* A sentence to pass on to the user ("Only 61% of the picture could be read."),
 * or NULL. */
const char *engine_image_warning(const struct engine_image *image);

/* Resizes the whole picture, aspect not kept, with an antialiased triangle
 * filter (support scales with the reduction), rounding to 8 bits as Pillow's
 * BILINEAR resize does. `ret_rgb` holds width × height × 3 bytes. */
int engine_image_resize(const struct engine_image *image, unsigned width,
			unsigned height, uint8_t *ret_rgb, struct engine_error *error);

/* --- Picture quality ---------------------------------------------------- */

/* What can be wrong with a picture before anything is recognised in it. */
enum engine_quality_kind {
	ENGINE_QUALITY_DARK,
	ENGINE_QUALITY_BRIGHT,
	ENGINE_QUALITY_COVERED,		/* a finger or cloth before most of the lens */
	ENGINE_QUALITY_BLURRED,		/* by motion or focus */
	ENGINE_QUALITY_TILTED,		/* by over 15 degrees */
	ENGINE_QUALITY_UNIFORM,		/* a wall, a blank page, a gradient */
	ENGINE_QUALITY_NOT_PHOTO,	/* a screenshot, text page, icon, diagram, noise */
	ENGINE_QUALITY_KINDS,
};
/* "dark", "bright", "covered", "blurred", "tilted", "uniform", "not-photo" */
const char *engine_quality_name(enum engine_quality_kind kind);

/* From these scores on, the picture is described with a doubt, or refused. A
 * limit over 1 switches the verdict off. */
struct engine_quality_limits {
	float doubt[ENGINE_QUALITY_KINDS], refuse[ENGINE_QUALITY_KINDS];
};
/* Calibrated on photos, degraded photos and non-photos; see the README. */
extern const struct engine_quality_limits engine_quality_defaults;

enum engine_quality_verdict {
	ENGINE_QUALITY_FINE,
	ENGINE_QUALITY_DOUBT,
	ENGINE_QUALITY_REFUSE,
};

struct engine_quality {
	float score[ENGINE_QUALITY_KINDS];	/* 0 (none of it) to 1 (surely) */
	enum engine_quality_verdict verdict;	/* the gravest of all kinds */
	enum engine_quality_kind kind;		/* the one to name when not fine */
	bool motion;		/* the blur has a direction, as from a moving camera */
	float tilt;		/* degrees clockwise that the camera seems turned by, or 0 */
};

/* Measures a picture in a millisecond or two. `limits` NULL: the defaults. */
int engine_quality_measure(const struct engine_image *image,
			   const struct engine_quality_limits *limits,
			   struct engine_quality *ret_quality, struct engine_error *error);

/* --- Models ------------------------------------------------------------- */

struct engine_model;

/* Maps the file read-only and validates all of it before anything is used. */
int engine_model_open(const char *path, struct engine_model **ret_model,
		      struct engine_error *error);
struct engine_model *engine_model_free(struct engine_model *model);

/* Strings live as long as the model; absent metadata are "". */
struct engine_model_info {
	const char *name, *version, *licence, *provenance, *training_data;
	const char *language;		/* BCP 47, "en" */
	const char *encoder_kind;	/* "inception-v3" */
	const char *decoder_kind;	/* "lstm-attention", "lstm", "gru" or "" */
	unsigned input_width, input_height;
	unsigned pool_size;		/* channels of the pooled features */
	unsigned grid_width, grid_height, grid_channels;
	unsigned class_count;		/* 0: no classifier head */
	unsigned vocabulary_size, hidden_size, layer_count;
	bool judges_tilt;		/* engine_describe completes the quality's word on it */
	uint64_t file_size, operation_count;	/* multiply-accumulates an encoder run */
};
const struct engine_model_info *engine_model_info(const struct engine_model *model);

/* --- Contexts ----------------------------------------------------------- */

/* What one thread needs to run a model: the planned arena, decoder state and
 * the thread pool. After the first caption no call allocates but for a second look. */
struct engine_context;

enum engine_path {
	ENGINE_PATH_AUTO,	/* the fastest that fits the model and the processor */
	ENGINE_PATH_REFERENCE,	/* plain C, for tests */
	ENGINE_PATH_BLAS,	/* 32-bit, im2col + OpenBLAS */
	ENGINE_PATH_FLOAT,	/* the fastest in 32 bits, whatever the model */
};

struct engine_context_options {
	/* 1 to 16; 0: as many of the physical cores, at most 4, as turn out fastest on
	 * the first pictures */
	unsigned threads;
	enum engine_path path;
	/* A model in 8 bits, on a processor that is quick in floats, looks a second time,
	 * in floats, where the caption was chosen by a hair's breadth; not if this is set. */
	bool single_look;
};

/* Borrows the model until the context is freed. */
int engine_context_open(const struct engine_model *model,
			const struct engine_context_options *options,
			struct engine_context **ret_context, struct engine_error *error);
struct engine_context *engine_context_free(struct engine_context *context);

/* Owned by the context, valid until its next call. */
struct engine_features {
	const float *pool;	/* pool_size */
	const float *grid;	/* grid_height × grid_width × grid_channels */
	const float *classes;	/* class_count probabilities, or NULL */
};
int engine_encode(struct engine_context *context, const struct engine_image *image,
		  const struct engine_features **ret_features, struct engine_error *error);

/* The `count` likeliest classes of the head, best first. */
struct engine_class {
	const char *label;
	unsigned index;
	float probability;
};
int engine_classify(struct engine_context *context, const struct engine_image *image,
		    struct engine_class *ret_classes, size_t count,
		    struct engine_error *error);

enum engine_search { ENGINE_SEARCH_BEAM, ENGINE_SEARCH_GREEDY, ENGINE_SEARCH_SAMPLE };

struct engine_caption_options {
	enum engine_search search;
	unsigned beam;		/* 1 to 10; 0: the model's default */
	unsigned alternatives;	/* different captions wanted, 0 counts as 1, at most 10 */
	float temperature;	/* SAMPLE: probabilities are raised to this power; 0: 5 */
	uint64_t seed;		/* SAMPLE: the same seed gives the same captions */
	/* BEAM: the search's own order, without the consensus that a model with
	 * confidence makes among the candidates */
	bool plain;
	/* What engine_quality_measure said of the picture, or NULL; it bears on the
	 * confidence. */
	struct engine_quality *quality;
	/* Where given, what the features say of a tilt is added to `quality`, and a
	 * picture that is refused then is not captioned. NULL: left as it is. */
	const struct engine_quality_limits *quality_limits;
	/* Captions of this confidence and above are sure, of less than the other
	 * refused; 0: as the model has it. */
	float sure, refused;
	const atomic_bool *cancel;	/* polled at every layer and word; may be NULL */
};

enum engine_word_kind {
	ENGINE_WORD_FUNCTION,		/* grammar and place: "the", "front" */
	ENGINE_WORD_DESCRIPTION,	/* other adjectives and adverbs */
	/* content: what can be right or wrong about a photo */
	ENGINE_WORD_COLOUR,
	ENGINE_WORD_NUMBER,
	ENGINE_WORD_VERB,
	ENGINE_WORD_NOUN,
};

/* Left, centre, right; or top, middle, bottom. */
enum engine_side {
	ENGINE_SIDE_UNKNOWN,		/* not at one place, or nobody knows */
	ENGINE_SIDE_FIRST,
	ENGINE_SIDE_MIDDLE,
	ENGINE_SIDE_LAST,
};

/* Where in the picture a thing is. */
struct engine_place {
	enum engine_side across, down;
	float spread;	/* standard deviation of what speaks for it, in shares of the picture */
};

struct engine_word {
	const char *text;
	float log_probability;
	/* The calibrated probability that the word is right; −1 for words that are no
	 * content and for models without confidence. */
	float confidence;
	enum engine_word_kind kind;
	const char *stem;	/* the same for all forms of a word: "rid" for "riding" */
	const float *attention;	/* grid_height × grid_width, sums to 1; NULL without attention */
	struct engine_place place;	/* of the first caption's nouns; unknown without confidence */
};

enum engine_band { ENGINE_BAND_SURE, ENGINE_BAND_UNSURE, ENGINE_BAND_REFUSED };

struct engine_caption {
	const struct engine_word *words;
	size_t word_count;
	float log_probability;	/* sum over words and the end mark */
	/* log_probability / (word_count + 1)^length power, 0.7 unless the model says else */
	float score;
	const char *sentence;	/* cased and punctuated for speech */
	/* The calibrated probability that all its content words are right, and the
	 * band it falls in; −1 and UNSURE for models without confidence. */
	float confidence;
	enum engine_band band;
	/* Of a caption that is not sure: the longest part of it that is, as a sentence, its
	 * nouns said more generally where they are doubtful ("A person is standing." of "A
	 * young girl is standing on a rock."), and its confidence; NULL if there is none. */
	const char *sure_part;
	float sure_part_confidence;
};

/* Turns a caption's sentence, or a part's, into the rest of one, in place: "A cat."
 * becomes "a cat."; a word that has a capital wherever it stands keeps it. */
void engine_continue_sentence(char *sentence);

/* A thing that the photo is likely to show, whatever the captions say. */
struct engine_thing {
	const char *text;
	float probability;
};

/* Why a caption is not sure. */
enum engine_reason {
	ENGINE_REASON_WORDS,		/* a word of the caption is doubtful */
	ENGINE_REASON_DISAGREEMENT,	/* other captions would say something else */
	ENGINE_REASON_UNFAMILIAR,	/* the picture is unlike the training photos */
	ENGINE_REASON_QUALITY,		/* the picture is bad */
	ENGINE_REASONS,
};
/* "words", "disagreement", "unfamiliar", "quality" */
const char *engine_reason_name(enum engine_reason reason);

struct engine_timings {
	double preprocess_ms, encode_ms, generate_ms;	/* of both looks, where there were two */
};

/* Owned by the context, valid until its next call. */
struct engine_result {
	const struct engine_caption *captions;	/* best first */
	size_t caption_count;
	/* Nouns that are likely, likeliest first; none without confidence. */
	const struct engine_thing *things;
	size_t thing_count;
	/* Why the first caption is not sure; none if it is. */
	const enum engine_reason *reasons;
	size_t reason_count;
	/* How far the picture is from the training photos: above 1 it lies farther
	 * than 95% of clean photos do. 0 without confidence. */
	float unfamiliarity;
	struct engine_timings timings;
};

/* The result is the context's, until its next call; NULL where the picture was
 * refused by `quality_limits`. */
int engine_describe(struct engine_context *context, const struct engine_image *image,
		    const struct engine_caption_options *options,
		    const struct engine_result **ret_result, struct engine_error *error);

/* Captions features that were computed before (caches, training, tests): `pool`
 * and `grid` of the model's sizes, `classes` or NULL. */
int engine_generate(struct engine_context *context, const struct engine_features *features,
		    const struct engine_caption_options *options,
		    const struct engine_result **ret_result, struct engine_error *error);

#endif
