/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * caption.c: checks the options, runs the search and clothes what it found in
 * words and sentences. All memory has its final size when a writer is opened.
 */
#include "engine/caption.h"

#include "engine/error.h"
#include "engine/generation.h"
#include "engine/limits.h"
#include "engine/place.h"
#include "engine/sentence.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct caption_writer {
	struct caption_writer_config config;
	unsigned cells;
	struct generation *generation;
	struct confidence_view *view;	/* NULL without confidence */
	float unfamiliarity;
	float *map;			/* of one word, as large as the grid */
	struct engine_result result;
	struct engine_caption captions[LIMIT_ALTERNATIVES];
	struct engine_word words[LIMIT_ALTERNATIVES][LIMIT_WORDS];
	char sentences[LIMIT_ALTERNATIVES][SENTENCE_BYTES];
	char parts[LIMIT_ALTERNATIVES][SENTENCE_BYTES];
	bool close;			/* see caption_was_close */
	struct engine_thing things[CONFIDENCE_THINGS];
	enum engine_reason reasons[ENGINE_REASONS];
};

static_assert((int)ENGINE_WORD_NOUN == (int)LEXEME_NOUN &&
	      (int)ENGINE_WORD_COLOUR == (int)LEXEME_COLOUR, "the kinds are the same");

int caption_writer_open(const struct caption_writer_config *config,
			struct caption_writer **ret_writer, struct engine_error *error)
{
	struct caption_writer *writer;
	int status;

	if (vocabulary_size(config->vocabulary) != decoder_words(config->decoder))
		return engine_fail(error, ENGINE_BAD_MODEL,
			"The vocabulary holds %u words, but the decoder chooses from %u.",
			vocabulary_size(config->vocabulary), decoder_words(config->decoder));
	if (config->beam < 1 || config->beam > LIMIT_BEAM)
		return engine_fail(error, ENGINE_BAD_MODEL,
			"The model's beam is %u wide; 1 to %u can be used.", config->beam,
			LIMIT_BEAM);
	writer = calloc(1, sizeof(*writer));
	if (!writer)
		return engine_fail_memory(error);
	writer->config = *config;
	writer->cells = decoder_cells(config->decoder);
	status = generation_open(config->decoder, &writer->generation, error);
	if (status == 0)
		generation_share(writer->generation, config->threads);
	if (status == 0 && config->grid_width > 0) {
		writer->map = calloc((size_t)config->grid_width * config->grid_height,
				     sizeof(float));
		if (!writer->map)
			status = engine_fail_memory(error);
	}
	if (status == 0 && config->confidence)
		status = confidence_view_open(config->confidence, writer->cells, &writer->view,
					      error);
	if (status != 0) {
		caption_writer_free(writer);
		return status;
	}
	*ret_writer = writer;
	return 0;
}

struct caption_writer *caption_writer_free(struct caption_writer *writer)
{
	if (!writer)
		return NULL;
	generation_free(writer->generation);
	confidence_view_free(writer->view);
	free(writer->map);
	free(writer);
	return NULL;
}

static int check_options(const struct engine_caption_options *options,
			 struct engine_error *error)
{
	if ((unsigned)options->search > ENGINE_SEARCH_SAMPLE)
		return engine_fail(error, ENGINE_BAD_OPTION,
			"The search %d is unknown; beam, greedy and sample are possible.",
			(int)options->search);
	if (options->beam > LIMIT_BEAM)
		return engine_fail(error, ENGINE_BAD_OPTION,
			"A beam of %u was asked for; 1 to %u are possible.", options->beam,
			LIMIT_BEAM);
	if (options->alternatives > LIMIT_ALTERNATIVES)
		return engine_fail(error, ENGINE_BAD_OPTION,
			"%u captions were asked for; 1 to %u are possible.",
			options->alternatives, LIMIT_ALTERNATIVES);
	if (!isfinite(options->temperature) || options->temperature < 0.0f)
		return engine_fail(error, ENGINE_BAD_OPTION,
			"The power of the probabilities must not be negative.");
	if (!(options->sure >= 0.0f && options->sure <= 1.0f) ||
	    !(options->refused >= 0.0f && options->refused <= 1.0f))
		return engine_fail(error, ENGINE_BAD_OPTION,
			"The bounds of the confidence's bands lie between 0 and 1.");
	return 0;
}

static double now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static float sure_bound(const struct caption_writer *writer,
			const struct engine_caption_options *options)
{
	return options->sure > 0.0f ? options->sure :
		confidence_parameters(writer->config.confidence)->sure;
}

static enum engine_band band_of(const struct caption_writer *writer,
				const struct engine_caption_options *options, float confidence)
{
	const struct confidence_parameters *parameters =
		confidence_parameters(writer->config.confidence);
	float refused = options->refused > 0.0f ? options->refused : parameters->refused;

	/* confidence was learnt from photos; of other pictures it says little */
	if (confidence < refused ||
	    (parameters->strange > 0.0f && writer->unfamiliarity > parameters->strange))
		return ENGINE_BAND_REFUSED;
	return confidence < sure_bound(writer, options) || writer->unfamiliarity > 1.0f ?
		ENGINE_BAND_UNSURE : ENGINE_BAND_SURE;
}

/* Whether the first caption was chosen by so little that features in 8 bits and in
 * floats may well disagree about it. Of 1,488 validation photos 24% are as close as this
 * when candidates are ranked by consensus, 27% when they are not, and among them are
 * half of the captions, or a little more, that differ between the two. */
static bool is_close(const struct hypothesis *first, float ahead, bool ranked)
{
	return first->lead < 0.15f || ahead < (ranked ? 0.0007f : 0.0002f);
}

/* Finds the sure part of a caption that is not sure, and writes its sentence. */
static void write_part(struct caption_writer *writer, size_t number, size_t candidate,
		       const struct hypothesis *hypothesis,
		       const struct engine_caption_options *options)
{
	struct engine_caption *caption = &writer->captions[number];
	const char *texts[LIMIT_WORDS];
	struct part part;

	if (!confidence_view_sure_part(writer->view, candidate, sure_bound(writer, options), &part,
				       &caption->sure_part_confidence))
		return;
	sentence_write(texts, part_texts(writer->config.vocabulary,
					 confidence_generals(writer->config.confidence),
					 hypothesis, &part, texts), true, writer->parts[number]);
	caption->sure_part = writer->parts[number];
}

/* `candidate` is the hypothesis' number in the view. */
static void write_caption(struct caption_writer *writer, size_t number, size_t candidate,
			  const struct hypothesis *hypothesis,
			  const struct engine_caption_options *options)
{
	struct engine_word *words = writer->words[number];
	struct engine_caption *caption = &writer->captions[number];
	const char *texts[LIMIT_WORDS];
	float confidences[LIMIT_WORDS];

	if (writer->view)
		confidence_view_words(writer->view, candidate, confidences);
	for (unsigned i = 0; i < hypothesis->count; i++) {
		const struct lexeme *lexeme = vocabulary_lexeme(writer->config.vocabulary,
								hypothesis->words[i]);

		texts[i] = vocabulary_word(writer->config.vocabulary, hypothesis->words[i]);
		words[i] = (struct engine_word){
			.text = texts[i],
			.log_probability = hypothesis->log_probabilities[i],
			.confidence = writer->view ? confidences[i] : -1.0f,
			.kind = (enum engine_word_kind)lexeme->kind,
			.stem = lexeme->stem,
			.attention = hypothesis->attention ?
				hypothesis->attention + (size_t)i * writer->cells : NULL,
		};
	}
	sentence_write(texts, hypothesis->count, hypothesis->ended, writer->sentences[number]);
	*caption = (struct engine_caption){
		.words = words,
		.word_count = hypothesis->count,
		.log_probability = hypothesis->log_probability,
		.score = hypothesis->score,
		.sentence = writer->sentences[number],
		.confidence = -1.0f,
		.band = ENGINE_BAND_UNSURE,
	};
	if (writer->view) {
		caption->confidence = confidence_view_caption(writer->view, candidate,
							      &PART_WHOLE);
		caption->band = band_of(writer, options, caption->confidence);
		if (caption->band != ENGINE_BAND_SURE &&
		    confidence_view_allows_part(writer->view, caption->band))
			write_part(writer, number, candidate, hypothesis, options);
	}
}

/* Whether two captions have the same content words. */
static bool same_content(const struct caption_writer *writer, const struct hypothesis *a,
			 const struct hypothesis *b)
{
	for (unsigned turn = 0; turn < 2; turn++) {
		for (unsigned i = 0; i < a->count; i++) {
			const struct lexeme *lexeme =
				vocabulary_lexeme(writer->config.vocabulary, a->words[i]);
			bool found = !lexeme_is_content(lexeme);

			for (unsigned k = 0; !found && k < b->count; k++)
				found = strcmp(vocabulary_lexeme(writer->config.vocabulary,
								 b->words[k])->stem,
					       lexeme->stem) == 0;
			if (!found)
				return false;
		}
		const struct hypothesis *swap = a;

		a = b;
		b = swap;
	}
	return true;
}

/* Takes `wanted` of the ranked candidates: first those that say something new,
 * then what else there is. */
static size_t choose(const struct caption_writer *writer, const struct hypothesis *hypotheses,
		     const unsigned *order, size_t count, size_t wanted, unsigned *ret_chosen)
{
	bool taken[GENERATION_POOL] = {0};
	size_t chosen = 0;

	for (unsigned turn = 0; turn < 2; turn++) {
		for (size_t i = 0; i < count && chosen < wanted; i++) {
			bool new = !taken[i];

			for (size_t k = 0; turn == 0 && new && k < chosen; k++)
				new = !same_content(writer, &hypotheses[order[i]],
						    &hypotheses[ret_chosen[k]]);
			if (!new)
				continue;
			taken[i] = true;
			ret_chosen[chosen++] = order[i];
		}
	}
	return chosen;
}

/* Where the first caption's nouns are. The detector's maps tell that far better than
 * the decoder's attention does: of things named in collages of two photos attention
 * finds the side of 56%, the detector of 85%. */
static void find_places(struct caption_writer *writer, const struct hypothesis *hypothesis,
			const float *grid)
{
	unsigned width = writer->config.grid_width, height = writer->config.grid_height;

	if (!writer->map || !grid || width * height != writer->cells)
		return;
	for (unsigned i = 0; i < hypothesis->count; i++) {
		struct engine_word *word = &writer->words[0][i];

		if (word->kind == ENGINE_WORD_NOUN &&
		    confidence_view_map(writer->view, grid, hypothesis->words[i], writer->map))
			word->place = place_of(writer->map, width, height);
	}
}

/* The first caption's doubts, gravest first. */
static size_t find_reasons(struct caption_writer *writer, size_t candidate)
{
	float signals[CONFIDENCE_SIGNALS];
	size_t count = 0;

	if (writer->captions[0].band == ENGINE_BAND_SURE)
		return 0;
	confidence_view_signals(writer->view, candidate, &PART_WHOLE, signals);
	if (signals[CONFIDENCE_QUALITY] >= 0.5f)
		writer->reasons[count++] = ENGINE_REASON_QUALITY;
	if (writer->unfamiliarity > 1.0f)
		writer->reasons[count++] = ENGINE_REASON_UNFAMILIAR;
	if (signals[CONFIDENCE_AGREEMENT] < 0.5f)
		writer->reasons[count++] = ENGINE_REASON_DISAGREEMENT;
	if (signals[CONFIDENCE_LEAST] < logf(0.5f) || count == 0)
		writer->reasons[count++] = ENGINE_REASON_WORDS;
	return count;
}

int caption_write(struct caption_writer *writer, const struct engine_features *features,
		  const struct engine_caption_options *options,
		  struct engine_result **ret_result, struct engine_error *error)
{
	struct engine_caption_options chosen = options ? *options :
		(struct engine_caption_options){0};
	unsigned order[GENERATION_POOL], picks[LIMIT_ALTERNATIVES];
	const struct hypothesis *hypotheses;
	double started = now_ms();
	bool search = chosen.search != ENGINE_SEARCH_SAMPLE, ranked = false;
	float ahead = INFINITY;
	size_t count;
	int status;

	if (chosen.beam == 0)
		chosen.beam = writer->config.beam;
	if (chosen.alternatives == 0)
		chosen.alternatives = 1;
	status = check_options(&chosen, error);
	if (status != 0)
		return status;
	status = generation_run(writer->generation, features, &chosen,
				writer->view && search ? CONFIDENCE_CROWD : 0, &hypotheses, &count,
				error);
	if (status != 0)
		return status;
	for (unsigned i = 0; i < count; i++)
		order[i] = i;
	if (count > 1 && !hypotheses[1].sampled)
		ahead = hypotheses[0].score - hypotheses[1].score;
	if (writer->view) {
		confidence_view_photo(writer->view, features, writer->config.class_count,
				      chosen.quality);
		writer->unfamiliarity = confidence_view_unfamiliarity(writer->view);
		confidence_view_candidates(writer->view, hypotheses, count);
		ranked = chosen.search == ENGINE_SEARCH_BEAM && !chosen.plain;
		if (ranked)
			ahead = confidence_view_rank(writer->view, order);
	}
	writer->close = search && is_close(&hypotheses[order[0]], ahead, ranked);
	if (writer->view && !chosen.plain) {
		count = choose(writer, hypotheses, order, count, chosen.alternatives, picks);
	} else {
		count = count < chosen.alternatives ? count : chosen.alternatives;
		memcpy(picks, order, count * sizeof(*picks));
	}
	for (size_t i = 0; i < count; i++)
		write_caption(writer, i, picks[i], &hypotheses[picks[i]], &chosen);
	writer->result = (struct engine_result){
		.captions = writer->captions,
		.caption_count = count,
		.things = writer->things,
		.reasons = writer->reasons,
	};
	if (writer->view) {
		writer->result.unfamiliarity = writer->unfamiliarity;
		find_places(writer, &hypotheses[picks[0]], features->grid);
		/* of what is unfamiliar the detector knows nothing, and a wrong word is worse
		 * than none */
		if (writer->unfamiliarity <= 1.0f)
			writer->result.thing_count = confidence_view_things(writer->view,
				confidence_parameters(writer->config.confidence)->thing,
				writer->things);
		writer->result.reason_count = find_reasons(writer, picks[0]);
	}
	writer->result.timings.generate_ms = now_ms() - started;
	*ret_result = &writer->result;
	return 0;
}

bool caption_was_close(const struct caption_writer *writer)
{
	return writer->close;
}
