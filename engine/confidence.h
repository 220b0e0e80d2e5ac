/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * confidence.h: how likely it is that a caption holds: that every content word
 * (noun, verb, colour, number) would be found, or supported, in what people say
 * of the photo. Two logistic models, first for each word, then for the caption,
 * on signals that cost little. One of them is a view of the photo that the
 * decoder does not share: a linear detector that tells from the pooled features
 * which words people use for such photos.
 *
 * What it rests on was fitted by the laboratory (lab/calibrate.h) and stands in
 * the model file; MODEL.md names the keys. A model without them gives captions
 * without confidence.
 */
#ifndef ENGINE_CONFIDENCE_H
#define ENGINE_CONFIDENCE_H

#include "engine/generation.h"
#include "engine/gguf.h"
#include "engine/lexeme.h"
#include "engine/matrix.h"
#include "engine/part.h"
#include "engine/vocabulary.h"

/* The signals of a content word. */
enum confidence_word_signal {
	CONFIDENCE_WORD_LOG_PROBABILITY,	/* from the decoder */
	CONFIDENCE_WORD_AGREEMENT,	/* share of the samples that support it */
	CONFIDENCE_WORD_EVIDENCE,	/* the detector's logit, 0 where it does not know */
	CONFIDENCE_WORD_UNKNOWN,	/* 1 where the detector does not know the word */
	CONFIDENCE_WORD_SCORE,		/* of its caption */
	CONFIDENCE_WORD_BEAM,		/* share of the search's captions that support it */
	CONFIDENCE_WORD_RARITY,		/* −log of the share of photos that it is used for */
	CONFIDENCE_WORD_SIGNALS,
};

/* The signals of a caption. */
enum confidence_signal {
	CONFIDENCE_SUM,			/* Σ log of the words' confidences */
	CONFIDENCE_LEAST,		/* log of the least of them */
	CONFIDENCE_SCORE,		/* length-normalised log-probability */
	CONFIDENCE_MARGIN,		/* score of the best beam − that of the second */
	CONFIDENCE_AGREEMENT,		/* mean over the content words */
	CONFIDENCE_ATTENTION,		/* mean entropy of their maps, 1: even */
	CONFIDENCE_HEAD,		/* entropy of the classifier head, 1: even */
	CONFIDENCE_DISTANCE,		/* of the features from the training photos' */
	CONFIDENCE_QUALITY,		/* the worst score of its quality, tilt aside */
	CONFIDENCE_WORDS,		/* number of content words */
	CONFIDENCE_LIKENESS,		/* to the other candidates */
	CONFIDENCE_SIGNALS,
};

/* Samples that grow beside the search to show what else may be said. */
#define CONFIDENCE_CROWD 5u
#define CONFIDENCE_AXES_MAX 256u
#define CONFIDENCE_DETECTED_MAX 4096u
#define CONFIDENCE_PROBES_MAX 8u

/* Pointers are borrowed for as long as the confidence lives. */
struct confidence_parameters {
	/* the detector: logit_k = weight_k · x + bias_k, x = (pool − mean) / deviation */
	const char *const *stems;	/* of lexemes */
	unsigned stem_count;
	size_t pool_size;
	const float *mean, *deviation;
	struct matrix weight;		/* stem_count × pool_size; sums are filled in here */
	const float *bias;
	/* the training photos' spread: orthonormal axes in the space of x, their
	 * variances, and last the mean variance of what lies across them */
	unsigned axis_count;
	const float *axes, *variances;
	const float *rarity;		/* −log of the share of photos, by vocabulary word */
	/* log-odds = Σ coefficient × signal + last coefficient */
	float word[CONFIDENCE_WORD_SIGNALS + 1], caption[CONFIDENCE_SIGNALS + 1];
	/* Means of the four measures of how usual a picture is, then the inverse of
	 * their covariance, row by row. */
	const float *usual;
	float distance_limit;		/* of clean photos */
	/* Looks for pictures that are no photos: linear in x, 0 for the usual photo, 1
	 * at the bound of clean photos. May be none. */
	unsigned probe_count;
	const float *probes;		/* probe_count × (pool_size + 1), each with its constant */
	float strange;			/* an unfamiliarity that makes a caption unspeakable; 0: none */
	float sure, refused;		/* default bounds of the bands */
	/* Consensus adds to a caption's score, for each content word, this weight times
	 * what the word's confidence exceeds the bound by. */
	float consensus_weight, consensus_bound;
	float consensus_likeness;	/* the weight of its likeness to the others */
	float thing;			/* probability from which a single word is said */
};

struct confidence;

int confidence_open(const struct confidence_parameters *parameters,
		    const struct vocabulary *vocabulary, struct confidence **ret_confidence,
		    struct engine_error *error);
struct confidence *confidence_free(struct confidence *confidence);

/* Writes NULL if the file has none. */
int confidence_read(const struct gguf *file, const struct vocabulary *vocabulary,
		    size_t pool_size, struct confidence **ret_confidence,
		    struct engine_error *error);

const struct confidence_parameters *confidence_parameters(const struct confidence *confidence);
/* What can be said for each word of the vocabulary. */
const part_generals *confidence_generals(const struct confidence *confidence);
/* The commonest word of a detected stem, or NULL if the vocabulary has none. */
const char *confidence_stem_word(const struct confidence *confidence, unsigned stem);

/* One photo's candidates. Belongs to a context. */
struct confidence_view;

int confidence_view_open(const struct confidence *confidence, unsigned cells,
			 struct confidence_view **ret_view, struct engine_error *error);
struct confidence_view *confidence_view_free(struct confidence_view *view);

/* Looks at a photo's features. `quality` may be NULL. */
void confidence_view_photo(struct confidence_view *view, const struct engine_features *features,
			   size_t class_count, const struct engine_quality *quality);

/* Looks at the candidates, those of the search first and best first.
 * They must stay until the next call. */
void confidence_view_candidates(struct confidence_view *view, const struct hypothesis *candidates,
				size_t count);

/* The candidates' numbers, best first, by consensus: the sum of score, likeness and what
 * the words' confidences exceed a bound by. What only samples said comes last. Returns by
 * how much the first is ahead of the second; infinite where only samples said that. */
float confidence_view_rank(struct confidence_view *view, unsigned *ret_order);

/* For each word of a candidate its confidence, or −1 for words that are no
 * content words. */
void confidence_view_words(struct confidence_view *view, size_t candidate, float *ret_confidences);

/* Whether all that this part of the caption says holds. */
float confidence_view_caption(struct confidence_view *view, size_t candidate,
			      const struct part *part);

/* The part of the caption that says most of those that hold with this probability: the
 * longest, of equals that in the narrowest words. False if there is none. */
bool confidence_view_sure_part(struct confidence_view *view, size_t candidate, float least,
			       struct part *ret_part, float *ret_confidence);

/* How much the candidate is like all of them, 0 to 1. */
float confidence_view_likeness(struct confidence_view *view, size_t candidate);

/* What the two are computed from, for the fit. The words' signals are those of
 * content words in order; returns how many. */
size_t confidence_view_word_signals(struct confidence_view *view, size_t candidate,
				    float ret_signals[][CONFIDENCE_WORD_SIGNALS]);
void confidence_view_signals(struct confidence_view *view, size_t candidate,
			     const struct part *part, float ret_signals[CONFIDENCE_SIGNALS]);

/* How usual the features are: logarithms of their distance along the axes, of
 * that across them, of the number of words that the detector expects, and of
 * their length. */
#define CONFIDENCE_MEASURES 4u
#define CONFIDENCE_USUAL (CONFIDENCE_MEASURES * (1 + CONFIDENCE_MEASURES))
const float *confidence_view_measures(const struct confidence_view *view);

/* Mahalanobis' distance of the measures from those of photos. */
float confidence_view_distance(const struct confidence_view *view);

/* The most of the distance and the probes, each by its bound: 95% of clean photos lie
 * within 1. */
float confidence_view_unfamiliarity(const struct confidence_view *view);
/* Whether a part of a caption of that band may be told: of an unfamiliar picture only
 * in words that leave open what it is, of a strange one not at all. */
bool confidence_view_allows_part(const struct confidence_view *view, enum engine_band band);
/* What a probe yields; below `probe_count`. */
float confidence_view_probe(const struct confidence_view *view, unsigned probe);

/* How much each cell of the grid speaks for a word in the detector's eyes: what its
 * logit would be if the whole picture were like that cell, but for a constant. False
 * if the detector does not know the word. The grid must have as many channels as the
 * pool. */
bool confidence_view_map(const struct confidence_view *view, const float *grid, unsigned word,
			 float *ret_map);

/* The nouns that the detector finds at least so likely, likeliest first, without such as
 * others say already. */
#define CONFIDENCE_THINGS 5u
size_t confidence_view_things(const struct confidence_view *view, float least,
			      struct engine_thing ret_things[CONFIDENCE_THINGS]);

#endif
