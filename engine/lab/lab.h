/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lab.h: the laboratory's only public header: import, train, evaluate,
 * quantise. It is an archive of its own (liblab.a) on top of the engine, linked
 * by the command-line client and never by the daemon. Conventions are those of
 * engine.h.
 */
#ifndef LAB_H
#define LAB_H

#include "engine/engine.h"

/* --- Import ------------------------------------------------------------- */

struct lab_import_options {
	const char *network;	/* TFLite, ONNX or TensorFlow.js; recognised by content */
	/* JSON object of keys to write as they are: name, licence, provenance,
	 * encoder kind, scores (see engine/MODEL.md). May be NULL. */
	const char *metadata;
	const char *labels;	/* one class a line; NULL: classes have numbers only */
	/* A model file whose decoder is taken over, or safetensors, then with
	 * `vocabulary`, a JSON array of words. NULL: the model will only encode. */
	const char *decoder, *vocabulary;
	/* Layers to use for the features; NULL: found by their place before the head. */
	const char *pool, *grid, *classes;
	/* (byte − mean) / std, for red, green, blue; a quantised network knows its own.
	 * A std of 0 counts as 1. */
	float mean[3], std[3];
	bool bgr;		/* the network was trained on blue, green, red */
};

/* Writes a model file; the output is replaced only by one that opens. */
int lab_import(const struct lab_import_options *options, const char *output,
	       struct engine_error *error);

/* --- Training ------------------------------------------------------------- */

enum lab_phase {
	LAB_PHASE_FEATURES,	/* photos through the encoder, once */
	LAB_PHASE_LANGUAGE,	/* captions without photos */
	LAB_PHASE_CAPTIONS,	/* cross-entropy on captioned photos */
	LAB_PHASE_REWARD,	/* self-critical training on CIDEr-D */
	LAB_PHASE_COUNT,
};
/* "features", "language", "captions", "reward" */
const char *lab_phase_name(enum lab_phase phase);

struct lab_train_progress {
	enum lab_phase phase;
	size_t step, steps;		/* of the phase; photos in LAB_PHASE_FEATURES */
	double epoch;			/* of the phase, fractional */
	double loss, reward;		/* means since the last report */
	double learning_rate;
	double captions_per_second;
	double seconds, seconds_left;	/* since the start of the phase, and to its end */
	bool validated;			/* `score` is new */
	double score, best_score;	/* CIDEr-D on the validation photos, greedy */
	const char *note;		/* a sentence to pass on, or NULL */
};

enum lab_decoder { LAB_DECODER_ATTENTION, LAB_DECODER_LSTM, LAB_DECODER_GRU };

/* lab_train_defaults fills it; 0 epochs skip a phase. */
struct lab_train_options {
	const char *captions, *images;		/* caption file and photo folder */
	const char *val_captions, *val_images;	/* NULL: every twentieth photo is held out;
						 * val_images NULL: the same folder */
	const char *model;			/* a model whose encoder is used */
	const char *output;			/* model file to write */
	const char *cache;			/* folder of features */
	const char *const *texts;		/* files of captions without photos */
	size_t text_count;
	bool init;				/* start from the model's own decoder */
	bool freeze_words;			/* with init: take no new words */

	enum lab_decoder decoder;
	unsigned hidden, layers;
	unsigned minimum_count;			/* of a word, to enter the vocabulary */
	bool class_scores;			/* the head's classes as further input */
	bool mirrored;				/* photos also left-right exchanged */

	double language_epochs, caption_epochs, reward_epochs;
	double language_rate, caption_rate, reward_rate;	/* peak learning rates */
	double final_rate;			/* share of it at the end of a phase */
	unsigned warm_up;			/* steps */
	unsigned batch;				/* photos of a step */
	unsigned text_batch;			/* captions of a step */
	unsigned samples;			/* captions drawn for each photo's reward */
	double sharpness;			/* power of the probabilities they are drawn by; above 1
						 * makes up for label smoothing */
	double repetition_penalty;		/* off the reward for each noun said again */
	double reward_captions;			/* weight of cross-entropy beside the reward */
	double smoothing, dropout, feature_noise;
	double weight_decay, clip;
	double average;				/* share that the running mean of the parameters keeps
						 * in a step; it is measured and saved. 0: none */
	uint64_t seed;
	unsigned threads;			/* 0: as the engine chooses */

	double validations;			/* an epoch */
	unsigned patience;			/* validations without progress; 0: no end */
	double problem_share;			/* unusable entries that are tolerated */
	const char *checkpoint;			/* file, or NULL */
	double checkpoint_seconds;
	bool resume;				/* from `checkpoint` */
	const char *report;			/* HTML file, or NULL */
	double progress_seconds;

	const atomic_bool *stop;		/* may be NULL; polled every step */
	void (*progress)(void *user, const struct lab_train_progress *progress);
	void *user;
};

void lab_train_defaults(struct lab_train_options *ret_options);
/* "original": the decoder of the project that Descry grew from, 4 layers of 256
 * cells trained by plain cross-entropy. ENGINE_BAD_OPTION for other names. */
int lab_train_preset(const char *name, struct lab_train_options *options,
		     struct engine_error *error);

/* Trains a decoder and writes the model at each best validation. When stopped, a
 * checkpoint is written (if one is wanted) and ENGINE_CANCELLED returned; with
 * `resume` the run goes on exactly as if it had not been stopped. */
int lab_train(const struct lab_train_options *options, struct engine_error *error);

/* --- What a model is made of ----------------------------------------------- */

struct lab_layer {
	const char *name, *operation;	/* "Conv2d_1a_3x3", "conv2d" */
	const char *kernel;		/* how it is computed here, "" for the input */
	unsigned height, width, channels;	/* of what it yields */
	uint64_t operation_count;	/* multiply-accumulates */
	uint64_t weight_count, weight_bytes;
};

struct lab_inspection {
	const struct engine_model_info *info;
	const struct lab_layer *layers;
	size_t layer_count;
	uint64_t weight_count, weight_bytes;	/* of the encoder */
	uint64_t decoder_count, decoder_bytes;
	uint64_t arena_bytes;	/* that the values between the layers take, in one context */
	bool quantised;		/* the encoder runs in 8 bits */
};

/* Opens a model and looks at each of its layers. */
int lab_inspect(const char *path, struct lab_inspection **ret_inspection,
		struct engine_error *error);
struct lab_inspection *lab_inspection_free(struct lab_inspection *inspection);

/* Makes a COCO caption file of Flickr8k's token file or of a table (CSV, or with
 * tabs) with the columns "image" and "caption". `source` may be NULL. */
int lab_convert(const char *input, const char *source, const char *output, size_t *ret_photos,
		size_t *ret_captions, struct engine_error *error);

/* --- Measuring -------------------------------------------------------------- */

struct lab_eval_options {
	const char *captions, *images;
	const char *model;		/* NULL with `results` */
	/* JSON as COCO's evaluation takes it, [{"image_id": …, "caption": "…"}]:
	 * scores these captions instead of running a model. */
	const char *results;
	const char *cache;		/* folder of features, or NULL: none are kept */
	enum engine_path path;		/* AUTO with `cache` */
	enum engine_search search;
	unsigned beam;			/* 0: the model's default */
	bool plain;			/* the search's own order, without consensus */
	float temperature;		/* as in engine_caption_options */
	uint64_t seed;
	unsigned threads;
	const atomic_bool *stop;	/* may be NULL */
	/* Called by one thread at a time; may be NULL. */
	void (*progress)(void *user, size_t done, size_t count);
	void *user;
};

#define LAB_EVAL_BINS 10u

struct lab_eval_bin {
	size_t count;
	double confidence, right;	/* means: said, and true */
};

struct lab_eval_scores {
	char source[64];	/* of the photos; "all" for the whole */
	size_t photos;
	double bleu[4], rouge, cider;
	double distinct[2];	/* different words, word pairs per word, pair said */
	double length;		/* words of a caption */
	size_t vocabulary;	/* different words said */
	double noun_twice;	/* share of captions that say a noun twice */
	double common_openings;	/* share that begin with one of the ten commonest
				 * openings, five words, of all captions */
	/* Photos whose likeliest class has at least LAB_EVAL_SURE; of these, the share
	 * of captions that name it, and the share of photos that people name it for. */
	size_t sure_photos;
	double sure_named, sure_named_by_people;
	/* Confidence is the model's own, or the mean probability of a word in models
	 * without; a caption is right when its CIDEr-D is at least the median. */
	double calibration_error;
	struct lab_eval_bin bins[LAB_EVAL_BINS];
};

#define LAB_EVAL_SURE 0.5
#define LAB_EVAL_SOURCES_MAX 8u

struct lab_eval_caption {
	int64_t image_id;
	const char *file_name, *caption;
	double confidence;	/* 0 with `results` */
	double cider;
};

struct lab_eval_report {
	struct lab_eval_scores all, sources[LAB_EVAL_SOURCES_MAX];
	size_t source_count;
	struct lab_eval_caption *captions;
	size_t caption_count;
	size_t skipped;		/* photos without a caption to score */
	double seconds;
	void *memory;		/* what the strings stand in */
};

int lab_eval(const struct lab_eval_options *options, struct lab_eval_report **ret_report,
	     struct engine_error *error);
struct lab_eval_report *lab_eval_free(struct lab_eval_report *report);

#define LAB_AVERAGE_MAX 16u

/* Writes the first model with the mean of all models' decoders, each counted by its
 * share. They must have one vocabulary and parameters of equal sizes. */
int lab_average(const char *const *models, const double *shares, size_t count, const char *output,
		struct engine_error *error);

/* How the model's sentences are to be searched for; NANs keep what the model says
 * (see descry.decoder.sharpness and .length_power in engine/MODEL.md). */
struct lab_search {
	double sharpness, length_power;
	bool nouns_once;	/* forbids every noun that was said, in any form */
};

/* Writes the model with the decoder's matrices in 8 bits, one scale a row.
 * `ret_error` gets the largest relative error of a matrix. */
int lab_quantise_decoder(const char *input, const char *output,
			 const struct lab_search *search, double *ret_error,
			 size_t *ret_matrices, struct engine_error *error);

/* --- Confidence --------------------------------------------------------- */

struct lab_calibrate_options {
	const char *model;			/* with a decoder */
	/* COCO captions for the detector; without them nothing is fitted, and the model's
	 * own confidence is judged. */
	const char *train, *train_images;
	const char *captions, *images;		/* the same, never trained on */
	const char *cache;			/* folder of features */
	/* Pictures that are no photos. A folder of folders, a kind each, to be told from
	 * photos; and a folder of others, KIND-NUMBER.png, to judge that by. Either may be
	 * NULL. */
	const char *non_photos, *judged_non_photos;
	unsigned threads;
	uint64_t seed;
	void (*progress)(void *user, const char *step, size_t done, size_t count);
	void *user;
};

/* How well stated confidences agree with what is right. */
struct lab_calibration {
	size_t captions;
	double right;			/* share whose every content word is supported */
	double error_half;		/* error of the surer half */
	double ece;			/* expected calibration error, ten bins */
	double chance;			/* what that would be by chance for perfect confidences */
	double risk_area;		/* under the risk–coverage curve */
	struct lab_eval_bin bins[LAB_EVAL_BINS];
	double risk[21];		/* error at coverage 0.05, 0.10 … 1 from [1] on */
};

struct lab_calibration_caption {
	const char *file_name;
	char sentence[512];
	double confidence;
	enum engine_band band;
	char part[512];				/* its sure part, said before it, or "" */
};

/* Non-photos of a kind: how many, and which were told by what. */
struct lab_calibration_kind {
	char kind[32];
	size_t pictures, by_pixels, by_features, doubted, refused;
	size_t named;		/* of which single words would be said */
};

#define LAB_CALIBRATION_KINDS 32u

#define LAB_OVERCONFIDENT 10u

struct lab_calibration_source {
	char source[64];
	/* The search's own captions with their words' mean probability, the same with
	 * calibrated confidence, and consensus captions with it. */
	struct lab_calibration before, search, consensus;
	/* The same captions with the confidence that isotonic regression makes of the
	 * logistic one; no captions where nothing was fitted. */
	struct lab_calibration isotonic;
	/* What is spoken: the sure part where the whole consensus caption is not sure
	 * and has one. */
	struct lab_calibration spoken;
	double parts, part_words;	/* share of such, and their mean words */
	double general_parts;		/* share of those that say a noun more generally */
	size_t statements, statements_right;	/* what is said without a doubt before it */
	/* Photos of which only single words are said, and these words. */
	size_t named, things, things_right;
	double plain_precision, precision;	/* of content words */
	double plain_cider, cider;
	size_t bands[3];			/* consensus captions sure, unsure, refused */
	double band_right[3];
	double accepted;			/* share not taken for non-photos */
};

struct lab_calibration_report {
	struct lab_calibration_source sources[LAB_EVAL_SOURCES_MAX];	/* judged half */
	size_t source_count;
	size_t stems;				/* of the detector */
	struct lab_calibration_caption worst[LAB_OVERCONFIDENT];
	size_t worst_count;
	double sure, refused;			/* bounds of the bands */
	double thing;				/* probability from which single words are said */
	double consensus[3];			/* weight and bound of words, weight of likeness */
	struct lab_calibration_kind kinds[LAB_CALIBRATION_KINDS];
	size_t kind_count;
	double plain_ms, trust_ms;		/* mean time of a caption without and with */
	void *memory;
};

/* Trains the detector, fits both models of confidence on every second photo, chooses
 * the bands' bounds and judges all that on the other photos. Writes the model with the result to `output`,
 * unless NULL. */
int lab_calibrate(const struct lab_calibrate_options *options, const char *output,
		  struct lab_calibration_report **ret_report, struct engine_error *error);
struct lab_calibration_report *lab_calibration_free(struct lab_calibration_report *report);

/* The report as Markdown with its curves as SVG files beside it. */
int lab_calibration_write(const struct lab_calibration_report *report, const char *folder,
			  struct engine_error *error);

/* --- An encoder in 8 bits --------------------------------------------------- */

struct lab_quantised_layer {
	const char *name, *operation;
	float scale;			/* of the values it yields */
	unsigned zero_point;
	double error;	/* of its values against the float network's, relative, all layers before included */
};

struct lab_quantisation {
	const struct lab_quantised_layer *layers;
	size_t layer_count, photo_count;
	double pool_error;		/* of the pooled features, relative */
	bool eight_bits;		/* every layer has an 8-bit kernel on this processor */
};

/* Writes a model whose float encoder is in 8 bits: weights with one scale a channel,
 * values with the range that the photos (calibration, 20 to 200 of the kind to be
 * described) call for. An encoder that is in 8 bits already only gets better ranges
 * for its values, which are also written to the file `ranges` unless that is NULL. */
int lab_quantise_encoder(const char *input, const char *const *photos, size_t photo_count,
			 const char *output, const char *ranges,
			 struct lab_quantisation **ret_quantisation, struct engine_error *error);
/* Gives an encoder in 8 bits the ranges of such a file. */
int lab_set_ranges(const char *input, const char *ranges, const char *output,
		   struct engine_error *error);
struct lab_quantisation *lab_quantisation_free(struct lab_quantisation *quantisation);

#endif
