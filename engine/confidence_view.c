/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * confidence_view.c: one photo and its candidates: the signals, the two logistic models
 * and the consensus.
 *
 * The choice among the search's captions takes the one with the greatest sum of its score,
 * its likeness to all candidates (Kumar and Byrne's least Bayes risk, by CIDEr-D) and,
 * over its content words, of confidence less a bound: a word below the bound is better
 * left out, so sure words win over doubtful detail.
 */
#include "engine/confidence_parts.h"
#include "engine/familiarity.h"
#include "engine/likeness.h"

#include "engine/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CANDIDATES GENERATION_POOL
#define LEVELS (1 + LEXEME_GENERALS)	/* a word, and what can be said for it */

#define LIKENESS_SHARPNESS 6.0f		/* of the candidates' weights by their words' mean */
#define BEAM_SHARPNESS 3.0f		/* of the search's captions, by score */

/* A content word of a candidate, as it stands or said more generally. */
struct evidence {
	float signals[CONFIDENCE_WORD_SIGNALS];
	float confidence, logarithm;
};

struct candidate {
	struct likeness_text text;
	unsigned content[LIMIT_WORDS];	/* places of the content words */
	unsigned content_count;
	/* of the content words, once they are asked for */
	bool weighed, generals_weighed, spread_known;
	struct evidence evidence[LIMIT_WORDS][LEVELS];
	float likeness;			/* to the others; −1: not known yet */
	float spreads[LIMIT_WORDS];	/* entropies of their attention maps */
};

struct confidence_view {
	const struct confidence *confidence;
	unsigned cells;
	struct vectors features;
	float *logits;
	float *row;		/* of the detector, as large as the pool */
	float measures[CONFIDENCE_MEASURES], probes[CONFIDENCE_PROBES_MAX];
	float distance, head, quality;
	const struct hypothesis *hypotheses;
	size_t count;
	float votes;
	struct candidate candidates[CANDIDATES];
	float weights[CANDIDATES];	/* of the candidates where they are compared */
	float shares[CANDIDATES];	/* of the search's captions among each other */
};

/* --- A photo ------------------------------------------------------------------ */

int confidence_view_open(const struct confidence *confidence, unsigned cells,
			 struct confidence_view **ret_view, struct engine_error *error)
{
	const struct confidence_parameters *parameters = &confidence->parameters;
	struct confidence_view *view = calloc(1, sizeof(*view));

	if (!view)
		return engine_fail_memory(error);
	view->confidence = confidence;
	view->cells = cells;
	view->features = (struct vectors){
		.values = calloc(parameters->pool_size, sizeof(float)),
		.codes = calloc(parameters->pool_size + VECTORS_OVERREAD, 1),
		.scales = calloc(1, sizeof(float)),
		.length = parameters->pool_size, .capacity = 1,
	};
	view->logits = calloc(parameters->stem_count, sizeof(float));
	view->row = calloc(parameters->pool_size, sizeof(float));
	if (!view->features.values || !view->features.codes || !view->features.scales ||
	    !view->logits || !view->row) {
		confidence_view_free(view);
		return engine_fail_memory(error);
	}
	*ret_view = view;
	return 0;
}

struct confidence_view *confidence_view_free(struct confidence_view *view)
{
	if (!view)
		return NULL;
	free(view->features.values);
	free(view->features.codes);
	free(view->features.scales);
	free(view->logits);
	free(view->row);
	free(view);
	return NULL;
}

static float sigmoid(float x)
{
	return 1.0f / (1.0f + expf(-x));
}

const float *confidence_view_measures(const struct confidence_view *view)
{
	return view->measures;
}

static float entropy(const float *probabilities, size_t count)
{
	double sum = 0.0;

	if (count < 2)
		return 0.0f;
	for (size_t i = 0; i < count; i++) {
		if (probabilities[i] > 0.0f)
			sum -= (double)probabilities[i] * log((double)probabilities[i]);
	}
	return (float)(sum / log((double)count));
}

/* How many words the detector expects. */
static double expected_words(const struct confidence_view *view)
{
	double sum = 0.0;

	for (unsigned k = 0; k < view->confidence->parameters.stem_count; k++)
		sum += (double)sigmoid(view->logits[k]);
	return sum;
}

void confidence_view_photo(struct confidence_view *view, const struct engine_features *features,
			   size_t class_count, const struct engine_quality *quality)
{
	const struct confidence_parameters *parameters = &view->confidence->parameters;

	for (size_t i = 0; i < parameters->pool_size; i++)
		view->features.values[i] = (features->pool[i] - parameters->mean[i]) /
			parameters->deviation[i];
	vectors_changed(&view->features);
	memcpy(view->logits, parameters->bias, parameters->stem_count * sizeof(float));
	matrix_multiply(&parameters->weight, &view->features, 1, 1.0f, true, view->logits,
			parameters->stem_count);
	familiarity_measure(parameters, view->features.values, features->pool,
			    expected_words(view), view->measures);
	view->distance = familiarity_distance(parameters, view->measures);
	for (unsigned i = 0; i < parameters->probe_count; i++) {
		const float *probe = parameters->probes + i * (parameters->pool_size + 1);

		view->probes[i] = familiarity_dot(probe, view->features.values, parameters->pool_size) +
			probe[parameters->pool_size];
	}
	view->head = features->classes ? entropy(features->classes, class_count) : 0.0f;
	view->quality = 0.0f;
	/* a camera held askew sees as well as another */
	for (size_t i = 0; quality && i < ENGINE_QUALITY_KINDS; i++) {
		if (i != ENGINE_QUALITY_TILTED)
			view->quality = fmaxf(view->quality, quality->score[i]);
	}
}

float confidence_view_distance(const struct confidence_view *view)
{
	return view->distance;
}

bool confidence_view_map(const struct confidence_view *view, const float *grid, unsigned word,
			 float *ret_map)
{
	const struct confidence_parameters *parameters = &view->confidence->parameters;
	uint32_t stem = view->confidence->detected[word];
	size_t size = parameters->pool_size;
	const int8_t *codes = parameters->weight.data;

	if (stem == CONFIDENCE_NOT_DETECTED)
		return false;
	for (size_t i = 0; i < size; i++)
		view->row[i] = (float)codes[stem * size + i] * parameters->weight.scales[stem] /
			parameters->deviation[i];
	for (size_t cell = 0; cell < view->cells; cell++)
		ret_map[cell] = familiarity_dot(view->row, grid + cell * size, size);
	return true;
}

float confidence_view_probe(const struct confidence_view *view, unsigned probe)
{
	return view->probes[probe];
}

float confidence_view_unfamiliarity(const struct confidence_view *view)
{
	const struct confidence_parameters *parameters = &view->confidence->parameters;
	float most = view->distance / parameters->distance_limit;

	for (unsigned i = 0; i < parameters->probe_count; i++)
		most = fmaxf(most, view->probes[i]);
	return most;
}

bool confidence_view_allows_part(const struct confidence_view *view, enum engine_band band)
{
	const struct confidence_parameters *parameters = &view->confidence->parameters;
	float limit = band == ENGINE_BAND_REFUSED ? fmaxf(parameters->strange, 1.0f) : 1.0f;

	return confidence_view_unfamiliarity(view) <= limit;
}

/* The detector's stems that it finds likeliest, best first. */
static size_t find_likeliest(const struct confidence_view *view, unsigned *ret_stems,
			     float *ret_probabilities, size_t count)
{
	size_t found = 0;

	for (unsigned k = 0; k < view->confidence->parameters.stem_count; k++) {
		float probability = sigmoid(view->logits[k]);
		size_t at;

		if (found == count && !(probability > ret_probabilities[count - 1]))
			continue;
		if (found < count)
			found++;
		for (at = found - 1; at > 0 && probability > ret_probabilities[at - 1]; at--) {
			ret_stems[at] = ret_stems[at - 1];
			ret_probabilities[at] = ret_probabilities[at - 1];
		}
		ret_stems[at] = k;
		ret_probabilities[at] = probability;
	}
	return found;
}

/* Whether one of the things named says this word, too. */
static bool is_named(const struct engine_thing *things, size_t count,
		     const struct lexeme *lexeme)
{
	for (size_t i = 0; i < count; i++) {
		struct lexeme named = lexeme_of(things[i].text);

		if (lexeme_supports(&named, lexeme))
			return true;
	}
	return false;
}

size_t confidence_view_things(const struct confidence_view *view, float least,
			      struct engine_thing ret_things[CONFIDENCE_THINGS])
{
	unsigned stems[4 * CONFIDENCE_THINGS];
	float probabilities[4 * CONFIDENCE_THINGS];
	size_t found = find_likeliest(view, stems, probabilities, 4 * CONFIDENCE_THINGS);
	size_t count = 0;

	for (size_t i = 0; i < found && count < CONFIDENCE_THINGS && probabilities[i] >= least;
	     i++) {
		const char *word = confidence_stem_word(view->confidence, stems[i]);
		struct lexeme lexeme;

		if (!word)
			continue;
		lexeme = lexeme_of(word);
		if (lexeme.kind == LEXEME_NOUN && !is_named(ret_things, count, &lexeme))
			ret_things[count++] = (struct engine_thing){ word, probabilities[i] };
	}
	return count;
}

/* --- Candidates ----------------------------------------------------------------- */

static void see_candidate(const struct confidence *confidence,
			  const struct hypothesis *hypothesis, struct candidate *candidate)
{
	likeness_read(hypothesis, confidence->parameters.rarity, &candidate->text);
	candidate->content_count = 0;
	candidate->weighed = candidate->generals_weighed = candidate->spread_known = false;
	candidate->likeness = -1.0f;
	for (unsigned i = 0; i < hypothesis->count; i++) {
		if (lexeme_is_content(vocabulary_lexeme(confidence->vocabulary,
							hypothesis->words[i])))
			candidate->content[candidate->content_count++] = i;
	}
}

static float word_mean(const struct hypothesis *hypothesis)
{
	return hypothesis->log_probability / (float)(hypothesis->count + 1);
}

/* Those of the search come first, the best of them before the others. */
static void share_beam(struct confidence_view *view)
{
	float total = 0.0f;

	for (size_t i = 0; i < view->count; i++) {
		view->shares[i] = view->hypotheses[i].sampled ? 0.0f :
			expf(BEAM_SHARPNESS * (view->hypotheses[i].score - view->hypotheses[0].score));
		total += view->shares[i];
	}
	for (size_t i = 0; i < view->count && total > 0.0f; i++)
		view->shares[i] /= total;
}

void confidence_view_candidates(struct confidence_view *view, const struct hypothesis *candidates,
				size_t count)
{
	float *weights = view->weights, best = -INFINITY, total = 0.0f;

	view->hypotheses = candidates;
	view->count = count < CANDIDATES ? count : CANDIDATES;
	view->votes = 0.0f;
	for (size_t i = 0; i < view->count; i++) {
		see_candidate(view->confidence, &candidates[i], &view->candidates[i]);
		view->votes += (float)candidates[i].votes;
		best = fmaxf(best, word_mean(&candidates[i]));
	}
	/* half by the decoder's probabilities, half by the samples */
	for (size_t i = 0; i < view->count; i++) {
		weights[i] = expf(LIKENESS_SHARPNESS * (word_mean(&candidates[i]) - best));
		total += weights[i];
	}
	for (size_t i = 0; i < view->count; i++) {
		weights[i] /= total;
		if (view->votes > 0.0f)
			weights[i] = 0.5f * weights[i] +
				0.5f * (float)candidates[i].votes / view->votes;
	}
	share_beam(view);
}

/* To all candidates. */
static float likeness_of(const struct confidence_view *view, size_t candidate)
{
	float sum = 0.0f;

	for (size_t k = 0; k < view->count; k++)
		sum += view->weights[k] * likeness(&view->candidates[candidate].text,
						   &view->candidates[k].text);
	return sum;
}

/* Whether a caption says the word or a kind of it. */
static bool says(const struct confidence_view *view, size_t candidate, unsigned word)
{
	const struct confidence *confidence = view->confidence;
	const struct candidate *other = &view->candidates[candidate];

	for (unsigned i = 0; i < other->content_count; i++) {
		unsigned said = view->hypotheses[candidate].words[other->content[i]];

		if (confidence->stems[said] == confidence->stems[word] ||
		    (confidence->general[word] &&
		     lexeme_supports(vocabulary_lexeme(confidence->vocabulary, said),
				     vocabulary_lexeme(confidence->vocabulary, word))))
			return true;
	}
	return false;
}

static float agreement(const struct confidence_view *view, unsigned word)
{
	float votes = 0.0f;

	if (!(view->votes > 0.0f))
		return 0.0f;
	for (size_t i = 0; i < view->count; i++) {
		if (view->hypotheses[i].votes > 0 && says(view, i, word))
			votes += (float)view->hypotheses[i].votes;
	}
	return votes / view->votes;
}

static float logistic(const float *coefficients, const float *signals, size_t count)
{
	float odds = coefficients[count];

	for (size_t i = 0; i < count; i++)
		odds += coefficients[i] * signals[i];
	return sigmoid(odds);
}

/* Share of the search that says the word. */
static float beam_agreement(const struct confidence_view *view, unsigned word)
{
	float sum = 0.0f;

	for (size_t i = 0; i < view->count; i++) {
		if (view->shares[i] > 0.0f && says(view, i, word))
			sum += view->shares[i];
	}
	return sum;
}

/* Of a word that stands at this place of the caption, or is said for it. */
static struct evidence weigh_word(const struct confidence_view *view,
				  const struct hypothesis *hypothesis, unsigned place,
				  unsigned word)
{
	const struct confidence_parameters *parameters = &view->confidence->parameters;
	uint32_t detected = view->confidence->detected[word];
	bool known = detected != CONFIDENCE_NOT_DETECTED;
	struct evidence evidence = { .signals = {
		[CONFIDENCE_WORD_LOG_PROBABILITY] = hypothesis->log_probabilities[place],
		[CONFIDENCE_WORD_AGREEMENT] = agreement(view, word),
		[CONFIDENCE_WORD_EVIDENCE] = known ? view->logits[detected] : 0.0f,
		[CONFIDENCE_WORD_UNKNOWN] = known ? 0.0f : 1.0f,
		[CONFIDENCE_WORD_SCORE] = hypothesis->score,
		[CONFIDENCE_WORD_BEAM] = beam_agreement(view, word),
		[CONFIDENCE_WORD_RARITY] = parameters->rarity[word],
	} };

	evidence.confidence = logistic(parameters->word, evidence.signals,
				       CONFIDENCE_WORD_SIGNALS);
	evidence.logarithm = logf(fmaxf(evidence.confidence, 1e-6f));
	return evidence;
}

/* The signals and confidences of a candidate's content words, computed once. */
static const struct candidate *weigh(struct confidence_view *view, size_t number)
{
	const struct hypothesis *hypothesis = &view->hypotheses[number];
	struct candidate *candidate = &view->candidates[number];

	for (unsigned i = 0; !candidate->weighed && i < candidate->content_count; i++) {
		unsigned place = candidate->content[i];

		candidate->evidence[i][0] = weigh_word(view, hypothesis, place,
						       hypothesis->words[place]);
	}
	candidate->weighed = true;
	return candidate;
}

/* The same for what can be said for them. */
static void weigh_generals(struct confidence_view *view, size_t number)
{
	const struct hypothesis *hypothesis = &view->hypotheses[number];
	struct candidate *candidate = &view->candidates[number];

	for (unsigned i = 0; !candidate->generals_weighed && i < candidate->content_count; i++) {
		unsigned place = candidate->content[i];
		const uint32_t *generals =
			view->confidence->generals[hypothesis->words[place]];

		for (unsigned k = 0; k < LEXEME_GENERALS && generals[k] != 0; k++)
			candidate->evidence[i][1 + k] = weigh_word(view, hypothesis, place,
								   generals[k]);
	}
	candidate->generals_weighed = true;
}

static float candidate_likeness(struct confidence_view *view, size_t number)
{
	struct candidate *candidate = &view->candidates[number];

	if (candidate->likeness < 0.0f)
		candidate->likeness = likeness_of(view, number);
	return candidate->likeness;
}

static const float *spreads_of(struct confidence_view *view, size_t number)
{
	const struct hypothesis *hypothesis = &view->hypotheses[number];
	struct candidate *candidate = &view->candidates[number];

	for (unsigned i = 0; !candidate->spread_known && i < candidate->content_count; i++)
		candidate->spreads[i] = hypothesis->attention ? entropy(hypothesis->attention +
			(size_t)candidate->content[i] * view->cells, view->cells) : 0.0f;
	candidate->spread_known = true;
	return candidate->spreads;
}

size_t confidence_view_word_signals(struct confidence_view *view, size_t candidate,
				    float ret_signals[][CONFIDENCE_WORD_SIGNALS])
{
	const struct candidate *weighed = weigh(view, candidate);

	for (unsigned i = 0; i < weighed->content_count; i++)
		memcpy(ret_signals[i], weighed->evidence[i][0].signals, sizeof(*ret_signals));
	return weighed->content_count;
}

void confidence_view_words(struct confidence_view *view, size_t candidate, float *ret_confidences)
{
	const struct candidate *weighed = weigh(view, candidate);

	for (unsigned i = 0; i < view->hypotheses[candidate].count; i++)
		ret_confidences[i] = -1.0f;
	for (unsigned i = 0; i < weighed->content_count; i++)
		ret_confidences[weighed->content[i]] = weighed->evidence[i][0].confidence;
}

float confidence_view_likeness(struct confidence_view *view, size_t candidate)
{
	return candidate_likeness(view, candidate);
}

static float utility_of(struct confidence_view *view, size_t number)
{
	const struct confidence_parameters *parameters = &view->confidence->parameters;
	const struct candidate *weighed = weigh(view, number);
	float utility = view->hypotheses[number].score;

	for (unsigned k = 0; k < weighed->content_count; k++)
		utility += parameters->consensus_weight *
			(weighed->evidence[k][0].confidence - parameters->consensus_bound);
	if (parameters->consensus_likeness > 0.0f)
		utility += parameters->consensus_likeness * candidate_likeness(view, number);
	return utility;
}

float confidence_view_rank(struct confidence_view *view, unsigned *ret_order)
{
	float utilities[CANDIDATES];

	for (unsigned i = 0; i < view->count; i++) {
		const struct hypothesis *hypothesis = &view->hypotheses[i];
		/* samples are only the alternatives when the search has no more */
		float utility = utility_of(view, i);
		unsigned at = i;

		for (; at > 0; at--) {
			bool sampled = view->hypotheses[ret_order[at - 1]].sampled;

			if (sampled < hypothesis->sampled ||
			    (sampled == hypothesis->sampled && utility <= utilities[at - 1]))
				break;
			utilities[at] = utilities[at - 1];
			ret_order[at] = ret_order[at - 1];
		}
		utilities[at] = utility;
		ret_order[at] = i;
	}
	return view->count > 1 && !view->hypotheses[ret_order[1]].sampled ?
		utilities[0] - utilities[1] : INFINITY;
}

void confidence_view_signals(struct confidence_view *view, size_t candidate,
			     const struct part *part, float ret_signals[CONFIDENCE_SIGNALS])
{
	const struct hypothesis *hypothesis = &view->hypotheses[candidate];
	const struct candidate *weighed = weigh(view, candidate);
	const float *spreads = spreads_of(view, candidate);
	size_t count = 0;
	float sum = 0.0f, least = 0.0f, agreed = 0.0f, attention = 0.0f;

	if (part_vagueness(part) > 0)
		weigh_generals(view, candidate);
	for (unsigned i = 0; i < weighed->content_count; i++) {
		unsigned place = weighed->content[i];
		const struct evidence *evidence = &weighed->evidence[i][part_level(part, place)];

		if (!(part->words >> place & 1))
			continue;
		count++;
		sum += evidence->logarithm;
		least = fminf(least, evidence->logarithm);
		agreed += evidence->signals[CONFIDENCE_WORD_AGREEMENT];
		attention += spreads[i];
	}
	ret_signals[CONFIDENCE_SUM] = sum;
	ret_signals[CONFIDENCE_LEAST] = least;
	ret_signals[CONFIDENCE_SCORE] = hypothesis->score;
	ret_signals[CONFIDENCE_MARGIN] = view->count > 1 ?
		view->hypotheses[0].score - view->hypotheses[1].score : 0.0f;
	ret_signals[CONFIDENCE_AGREEMENT] = count > 0 ? agreed / (float)count : 0.0f;
	ret_signals[CONFIDENCE_ATTENTION] = count > 0 ? attention / (float)count : 0.0f;
	ret_signals[CONFIDENCE_HEAD] = view->head;
	ret_signals[CONFIDENCE_DISTANCE] = view->distance;
	ret_signals[CONFIDENCE_QUALITY] = view->quality;
	ret_signals[CONFIDENCE_WORDS] = (float)count;
	ret_signals[CONFIDENCE_LIKENESS] = candidate_likeness(view, candidate);
}

float confidence_view_caption(struct confidence_view *view, size_t candidate,
			      const struct part *part)
{
	float signals[CONFIDENCE_SIGNALS];

	confidence_view_signals(view, candidate, part, signals);
	return logistic(view->confidence->parameters.caption, signals, CONFIDENCE_SIGNALS);
}

/* The longer part says more; of equals the one in the narrower words, then the likelier. */
static bool says_more(const struct part *part, float confidence, const struct part *best,
		      float best_confidence)
{
	int longer = __builtin_popcount(part->words) - __builtin_popcount(best->words);

	if (longer != 0)
		return longer > 0;
	if (part_vagueness(part) != part_vagueness(best))
		return part_vagueness(part) < part_vagueness(best);
	return confidence > best_confidence;
}

bool confidence_view_sure_part(struct confidence_view *view, size_t candidate, float least,
			       struct part *ret_part, float *ret_confidence)
{
	struct part parts[PARTS_MAX], best = {0};
	size_t count = part_find(view->confidence->vocabulary,
		(const part_generals *)view->confidence->generals, &view->hypotheses[candidate],
		parts);
	float best_confidence = 0.0f;

	for (size_t i = 0; i < count; i++) {
		float confidence = confidence_view_caption(view, candidate, &parts[i]);

		if (confidence < least ||
		    (best.words && !says_more(&parts[i], confidence, &best, best_confidence)))
			continue;
		best = parts[i];
		best_confidence = confidence;
	}
	if (!best.words)
		return false;
	*ret_part = best;
	*ret_confidence = best_confidence;
	return true;
}
