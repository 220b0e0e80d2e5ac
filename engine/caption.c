/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * caption.c: checks the options, runs the search and clothes what it found in
 * words and sentences. All memory has its final size when a writer is opened.
 */
#include "engine/caption.h"

#include "engine/error.h"
#include "engine/generation.h"
#include "engine/limits.h"
#include "engine/sentence.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

struct caption_writer {
	const struct vocabulary *vocabulary;
	unsigned beam, cells;
	struct generation *generation;
	struct engine_result result;
	struct engine_caption captions[LIMIT_ALTERNATIVES];
	struct engine_word words[LIMIT_ALTERNATIVES][LIMIT_WORDS];
	char sentences[LIMIT_ALTERNATIVES][SENTENCE_BYTES];
};

int caption_writer_open(const struct decoder *decoder, const struct vocabulary *vocabulary,
			unsigned beam, struct caption_writer **ret_writer,
			struct engine_error *error)
{
	struct caption_writer *writer;
	int status;

	if (vocabulary_size(vocabulary) != decoder_words(decoder))
		return engine_fail(error, ENGINE_BAD_MODEL,
			"The vocabulary holds %u words, but the decoder chooses from %u.",
			vocabulary_size(vocabulary), decoder_words(decoder));
	if (beam < 1 || beam > LIMIT_BEAM)
		return engine_fail(error, ENGINE_BAD_MODEL,
			"The model's beam is %u wide; 1 to %u can be used.", beam, LIMIT_BEAM);
	writer = calloc(1, sizeof(*writer));
	if (!writer)
		return engine_fail_memory(error);
	writer->vocabulary = vocabulary;
	writer->beam = beam;
	writer->cells = decoder_cells(decoder);
	status = generation_open(decoder, &writer->generation, error);
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
	return 0;
}

static double now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void write_caption(struct caption_writer *writer, size_t number,
			  const struct hypothesis *hypothesis)
{
	struct engine_word *words = writer->words[number];
	const char *texts[LIMIT_WORDS];

	for (unsigned i = 0; i < hypothesis->count; i++) {
		texts[i] = vocabulary_word(writer->vocabulary, hypothesis->words[i]);
		words[i] = (struct engine_word){
			.text = texts[i],
			.log_probability = hypothesis->log_probabilities[i],
			.attention = hypothesis->attention ?
				hypothesis->attention + (size_t)i * writer->cells : NULL,
		};
	}
	sentence_write(texts, hypothesis->count, hypothesis->ended, writer->sentences[number]);
	writer->captions[number] = (struct engine_caption){
		.words = words,
		.word_count = hypothesis->count,
		.log_probability = hypothesis->log_probability,
		.score = hypothesis->score,
		.sentence = writer->sentences[number],
	};
}

int caption_write(struct caption_writer *writer, const struct engine_features *features,
		  const struct engine_caption_options *options,
		  struct engine_result **ret_result, struct engine_error *error)
{
	struct engine_caption_options chosen = options ? *options :
		(struct engine_caption_options){0};
	const struct hypothesis *hypotheses;
	double started = now_ms();
	size_t count;
	int status;

	if (chosen.beam == 0)
		chosen.beam = writer->beam;
	if (chosen.alternatives == 0)
		chosen.alternatives = 1;
	status = check_options(&chosen, error);
	if (status != 0)
		return status;
	status = generation_run(writer->generation, features, &chosen, 0, &hypotheses, &count, error);
	if (status != 0)
		return status;
	if (count > chosen.alternatives)
		count = chosen.alternatives;
	for (size_t i = 0; i < count; i++)
		write_caption(writer, i, &hypotheses[i]);
	writer->result = (struct engine_result){
		.captions = writer->captions,
		.caption_count = count,
		.timings = { .generate_ms = now_ms() - started },
	};
	*ret_result = &writer->result;
	return 0;
}
