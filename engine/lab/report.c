/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * report.c: HTML without script or foreign resources. Curves are SVG polylines
 * drawn on a fixed canvas; a phase's points share one horizontal scale.
 */
#include "engine/lab/report.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/error.h"

enum { WIDTH = 720, HEIGHT = 260, LEFT = 60, BOTTOM = 40, SAMPLES = 20, WORDS = 100 };

static void escape(FILE *file, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", file);
			break;
		case '<':
			fputs("&lt;", file);
			break;
		case '>':
			fputs("&gt;", file);
			break;
		case '"':
			fputs("&quot;", file);
			break;
		default:
			putc(*text, file);
		}
	}
}

enum curve { CURVE_LOSS, CURVE_REWARD, CURVE_SCORE };

static double value_of(const struct history_point *point, enum curve curve)
{
	return curve == CURVE_LOSS ? point->loss : curve == CURVE_REWARD ? point->reward : point->score;
}

/* One curve of one phase: drawing and table. Nothing when it has no points. */
static void write_curve(FILE *file, const struct report *report, enum lab_phase phase,
			enum curve curve)
{
	static const char *const titles[] = { "Loss", "Reward (CIDEr-D of drawn captions)",
					      "CIDEr-D on the validation photos" };
	double low = INFINITY, high = -INFINITY, last = 0;
	size_t count = 0, seen = 0, stride;

	for (size_t i = 0; i < report->history_count; i++) {
		double value = value_of(&report->history[i], curve);

		if (report->history[i].phase != phase || !isfinite(value))
			continue;
		low = fmin(low, value);
		high = fmax(high, value);
		last = report->history[i].epoch;
		count++;
	}
	if (count < 2)
		return;
	if (high - low < 1e-9)
		high = low + 1e-9;
	fprintf(file, "<h3>%s</h3>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s over %.2f epochs, from %.4f to %.4f; the table below has the figures\">\n",
		titles[curve], WIDTH, HEIGHT, titles[curve], last, low, high);
	fprintf(file, "<path d=\"M%d 10V%dH%d\" fill=\"none\" stroke=\"currentColor\"/>\n", LEFT,
		HEIGHT - BOTTOM, WIDTH - 10);
	fprintf(file, "<text x=\"4\" y=\"20\" font-size=\"12\" fill=\"currentColor\">%.4f</text>\n<text x=\"4\" y=\"%d\" font-size=\"12\" fill=\"currentColor\">%.4f</text>\n",
		high, HEIGHT - BOTTOM, low);
	fprintf(file, "<text x=\"%d\" y=\"%d\" font-size=\"12\" text-anchor=\"end\" fill=\"currentColor\">epoch %.2f</text>\n<polyline fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\" points=\"",
		WIDTH - 10, HEIGHT - 12, last);
	for (size_t i = 0; i < report->history_count; i++) {
		const struct history_point *point = &report->history[i];
		double value = value_of(point, curve);

		if (point->phase == phase && isfinite(value))
			fprintf(file, "%.1f,%.1f ",
				LEFT + (WIDTH - LEFT - 10) * (last > 0 ? point->epoch / last : 0),
				10 + (HEIGHT - BOTTOM - 10) * (high - value) / (high - low));
	}
	fputs("\"/>\n</svg>\n<table><tr><th scope=\"col\">Epoch</th><th scope=\"col\">Value</th></tr>\n", file);
	stride = (count + 19) / 20;
	for (size_t i = 0; i < report->history_count; i++) {
		const struct history_point *point = &report->history[i];
		double value = value_of(point, curve);

		if (point->phase != phase || !isfinite(value))
			continue;
		if (seen++ % stride == 0 || seen == count)
			fprintf(file, "<tr><td>%.2f</td><td>%.4f</td></tr>\n", point->epoch, value);
	}
	fputs("</table>\n", file);
}

static void write_samples(FILE *file, const struct report *report)
{
	const struct dataset *validation = report->validation;
	size_t stride = validation->photo_count > SAMPLES ? validation->photo_count / SAMPLES : 1;

	fputs("<h2>Sample captions</h2>\n<table><tr><th scope=\"col\">Photo</th><th scope=\"col\">The model says</th><th scope=\"col\">A person says</th><th scope=\"col\">CIDEr-D</th></tr>\n", file);
	for (size_t i = 0; i < validation->photo_count && i / stride < SAMPLES; i += stride) {
		fputs("<tr><td>", file);
		escape(file, validation->set->photos[i].file_name);
		fputs("</td><td>", file);
		for (size_t k = 0; k < report->captions[i].count; k++) {
			fputs(k > 0 ? " " : "", file);
			escape(file, lexicon_word(report->weights->vocabulary, report->captions[i].words[k]));
		}
		fputs("</td><td>", file);
		escape(file, validation->set->photos[i].captions[0]);
		fprintf(file, "</td><td>%.2f</td></tr>\n",
			dataset_score(validation, i, &report->captions[i]));
	}
	fputs("</table>\n", file);
}

struct word_row {
	uint32_t word;
	size_t wanted, said, right;	/* photos whose people say it; captions; both */
};

static int by_wanted(const void *left, const void *right)
{
	const struct word_row *a = left, *b = right;

	if (a->wanted != b->wanted)
		return a->wanted < b->wanted ? 1 : -1;
	return a->word < b->word ? -1 : a->word > b->word;
}

/* For each word: in how many photos people use it, in how many the model. */
static int write_words(FILE *file, const struct report *report)
{
	const struct dataset *validation = report->validation;
	size_t size = lexicon_size(report->weights->vocabulary);
	struct word_row *rows = calloc(size, sizeof(*rows));
	size_t *person = calloc(size, sizeof(*person)), *model = calloc(size, sizeof(*model));
	int r = -ENOMEM;

	if (rows == NULL || person == NULL || model == NULL)
		goto out;
	for (uint32_t i = 0; i < size; i++)
		rows[i].word = i;
	for (size_t i = 0; i < validation->photo_count; i++) {
		const struct dataset_photo *photo = &validation->photos[i];

		for (size_t k = photo->first; k < photo->first + photo->count; k++) {
			const struct dataset_caption *caption = &validation->captions[k];

			for (size_t n = 0; n < caption->count; n++) {
				uint32_t word = caption->words[n];

				rows[word].wanted += person[word] != i + 1;
				person[word] = i + 1;
			}
		}
		for (size_t n = 0; n < report->captions[i].count; n++) {
			uint32_t word = report->captions[i].words[n];

			if (model[word] == i + 1)
				continue;
			model[word] = i + 1;
			rows[word].said++;
			rows[word].right += person[word] == i + 1;
		}
	}
	qsort(rows, size, sizeof(*rows), by_wanted);
	fprintf(file, "<h2>Words</h2>\n<p>The %d words that people use for most of the %zu validation photos. Said: captions of the model with the word. Right: those whose photo people describe with it too.</p>\n<table><tr><th scope=\"col\">Word</th><th scope=\"col\">Photos</th><th scope=\"col\">Said</th><th scope=\"col\">Right</th></tr>\n",
		WORDS, validation->photo_count);
	for (size_t i = 0, shown = 0; i < size && shown < WORDS && rows[i].wanted > 0; i++) {
		if (rows[i].word < WORD_FIRST)
			continue;
		fputs("<tr><td>", file);
		escape(file, lexicon_word(report->weights->vocabulary, rows[i].word));
		fprintf(file, "</td><td>%zu</td><td>%zu</td><td>%zu</td></tr>\n", rows[i].wanted,
			rows[i].said, rows[i].right);
		shown++;
	}
	fputs("</table>\n", file);
	r = 0;
out:
	free(rows);
	free(person);
	free(model);
	return r;
}

int report_write(const struct report *report, const char *path, struct engine_error *error)
{
	const struct network_shape *shape = &report->weights->network.shape;
	FILE *file = fopen(path, "we");
	int r = 0;

	if (file == NULL)
		return engine_fail(error, -errno, "The report %s cannot be written: %s.", path,
				   strerror(errno));
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Descry training report</title>\n<style>body{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:left}svg{width:100%;height:auto}</style></head><body>\n<h1>Training report</h1>\n", file);
	fprintf(file, "<p>Decoder %s, %zu layers of %zu cells, %zu words, %zu parameters. Seed %llu.",
		network_kind_name(shape->kind), shape->layers, shape->hidden, shape->words,
		report->weights->network.value_count, (unsigned long long)report->options->seed);
	if (report->validation != NULL)
		fprintf(file, " Best CIDEr-D on the validation photos: %.4f (greedy).", report->best_score);
	fputs("</p>\n<table><tr><th scope=\"col\">Phase</th><th scope=\"col\">Minutes</th></tr>\n", file);
	for (enum lab_phase phase = LAB_PHASE_FEATURES; phase < LAB_PHASE_COUNT; phase++)
		fprintf(file, "<tr><td>%s</td><td>%.1f</td></tr>\n", lab_phase_name(phase),
			report->seconds[phase] / 60);
	fputs("</table>\n", file);
	for (enum lab_phase phase = LAB_PHASE_LANGUAGE; phase < LAB_PHASE_COUNT; phase++) {
		fprintf(file, "<h2>Phase: %s</h2>\n", lab_phase_name(phase));
		for (enum curve curve = CURVE_LOSS; curve <= CURVE_SCORE; curve++)
			write_curve(file, report, phase, curve);
	}
	if (report->validation != NULL) {
		write_samples(file, report);
		r = write_words(file, report);
	}
	fputs("</body></html>\n", file);
	if (ferror(file) != 0)
		r = -EIO;
	if (fclose(file) != 0 && r == 0)
		r = -errno;
	return r == 0 ? 0 : engine_fail(error, r, "The report %s cannot be written: %s.", path,
					strerror(-r));
}
