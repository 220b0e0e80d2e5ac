/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * calibrate_report.c: a calibration as a page of Markdown, every curve also as
 * figures, and the curves as SVG with a title and a description.
 */
#include "engine/lab/lab.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/error.h"

#define WIDTH 480.0
#define HEIGHT 320.0
#define MARGIN 40.0

static void write_bins(FILE *file, const struct lab_calibration *calibration)
{
	fprintf(file, "| Said confidence | Captions | Mean said | Right |\n|---|---|---|---|\n");
	for (size_t b = 0; b < LAB_EVAL_BINS; b++) {
		const struct lab_eval_bin *bin = &calibration->bins[b];

		if (bin->count > 0)
			fprintf(file, "| %.1f to %.1f | %zu | %.3f | %.3f |\n", (double)b / 10.0,
				(double)(b + 1) / 10.0, bin->count, bin->confidence, bin->right);
	}
	fprintf(file, "\nRight in all: %.3f. Expected calibration error: %.3f (%.3f would be expected "
		"by chance of perfect confidences). Area under the risk–coverage curve: %.3f. Error of "
		"the surer half: %.3f, %.2f of that of all.\n\n",
		calibration->right, calibration->ece, calibration->chance, calibration->risk_area,
		calibration->error_half, calibration->right < 1.0 ?
		calibration->error_half / (1.0 - calibration->right) : 0.0);
}

static double share(size_t part, size_t whole)
{
	return whole > 0 ? (double)part / (double)whole : 0.0;
}

static void write_source(FILE *file, const struct lab_calibration_source *source)
{
	static const char *const bands[] = { "sure", "unsure", "refused" };

	fprintf(file, "## %s\n\n%zu photos.\n\n### Before: the words' mean probability\n\n",
		source->source[0] ? source->source : "all", source->consensus.captions);
	write_bins(file, &source->before);
	fprintf(file, "### After: the search's own captions\n\n");
	write_bins(file, &source->search);
	fprintf(file, "### After: captions chosen by consensus\n\n");
	write_bins(file, &source->consensus);
	if (source->isotonic.captions > 0)
		fprintf(file, "Isotonic regression on top of that, fitted on the same photos: expected "
			"calibration error %.3f, area under the risk–coverage curve %.3f.\n\n",
			source->isotonic.ece, source->isotonic.risk_area);
	fprintf(file, "### After: what is spoken\n\nOf %.3f of the captions a sure part is said, %.1f "
		"words on average; in %.3f of all it says a noun more generally. Said without a doubt "
		"before it: %zu captions or parts, %.3f of them right. Of %zu photos only single words "
		"are said: %zu, %.3f of them right.\n\n", source->parts, source->part_words,
		source->general_parts, source->statements,
		share(source->statements_right, source->statements), source->named, source->things,
		share(source->things_right, source->things));
	write_bins(file, &source->spoken);
	fprintf(file, "### Consensus\n\nContent words right: %.3f by the search, %.3f by consensus. "
		"CIDEr-D: %.4f and %.4f.\n\n### Bands\n\n| Band | Captions | Right |\n|---|---|---|\n",
		source->plain_precision, source->precision, source->plain_cider, source->cider);
	for (size_t b = 0; b < 3; b++)
		fprintf(file, "| %s | %zu | %.3f |\n", bands[b], source->bands[b],
			source->band_right[b]);
	fprintf(file, "\nNot taken for something else than a photo: %.3f.\n\n### Risk by "
		"coverage\n\n| Coverage | Error before | Error after | Error of what is spoken |\n"
		"|---|---|---|---|\n",
		source->accepted);
	for (size_t i = 1; i <= 20; i++)
		fprintf(file, "| %.2f | %.3f | %.3f | %.3f |\n", (double)i / 20.0,
			source->before.risk[i], source->consensus.risk[i], source->spoken.risk[i]);
	fprintf(file, "\n![Risk by coverage, %s](risk-%s.svg)\n\n",
		source->source, source->source[0] ? source->source : "all");
}

static void write_kinds(FILE *file, const struct lab_calibration_report *report)
{
	struct lab_calibration_kind all = { .kind = "all" };

	if (report->kind_count == 0)
		return;
	fprintf(file, "## Not a photo\n\nPictures of other sources than those that the probes were "
		"fitted on. Told by pixels: the picture's quality says that it is no photo, uniform or "
		"covered. Told by features: unfamiliarity above 1. Refused: no caption is spoken. Named: "
		"if the caption is refused, single words are said.\n\n"
		"| Kind | Pictures | By pixels | By features | By either | Refused | Named |\n"
		"|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i <= report->kind_count; i++) {
		const struct lab_calibration_kind *kind = i < report->kind_count ?
			&report->kinds[i] : &all;
		double count = (double)(kind->pictures > 0 ? kind->pictures : 1);

		fprintf(file, "| %s | %zu | %.3f | %.3f | %.3f | %.3f | %.3f |\n", kind->kind,
			kind->pictures, (double)kind->by_pixels / count,
			(double)kind->by_features / count, (double)kind->doubted / count,
			(double)kind->refused / count, (double)kind->named / count);
		all.pictures += kind->pictures;
		all.by_pixels += kind->by_pixels;
		all.by_features += kind->by_features;
		all.doubted += kind->doubted;
		all.refused += kind->refused;
		all.named += kind->named;
	}
	fprintf(file, "\n");
}

static void write_worst(FILE *file, const struct lab_calibration_report *report)
{
	static const char *const bands[] = { "sure", "unsure", "refused" };

	fprintf(file, "## The surest wrong captions\n\nSure: said as it is. Unsure: the sure part, if "
		"there is one, then the caption as one that may be wrong.\n\n"
		"| Photo | Caption | Confidence | Band | Sure part |\n|---|---|---|---|---|\n");
	for (size_t i = 0; i < report->worst_count; i++) {
		const struct lab_calibration_caption *worst = &report->worst[i];

		fprintf(file, "| %s | %s | %.3f | %s | %s |\n", worst->file_name, worst->sentence,
			worst->confidence, bands[worst->band], worst->part[0] ? worst->part : "none");
	}
}

static void write_curve(FILE *file, const double *risk, const char *dash)
{
	fprintf(file, "<polyline fill=\"none\" stroke=\"#000\" stroke-width=\"2\"%s points=\"", dash);
	for (size_t i = 1; i <= 20; i++)
		fprintf(file, "%.1f,%.1f ", MARGIN + (double)i / 20.0 * WIDTH,
			MARGIN + (1.0 - risk[i]) * HEIGHT);
	fprintf(file, "\"/>\n");
}

static int write_svg(const struct lab_calibration_source *source, const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file)
		return -errno;
	fprintf(file, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 %.0f %.0f\" "
		"font-family=\"sans-serif\" font-size=\"12\">\n<title>Risk by coverage, %s</title>\n"
		"<desc>Share of wrong captions among the surest, from 5%% to all of them. Dashed: by "
		"the words' mean probability, from %.2f to %.2f. Solid: by calibrated confidence, "
		"from %.2f to %.2f. Dotted: of what is spoken, from %.2f to %.2f.</desc>\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
		"<path d=\"M%.0f %.0fV%.0fH%.0f\" fill=\"none\" stroke=\"#000\"/>\n",
		WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN, source->source, source->before.risk[1],
		source->before.risk[20], source->consensus.risk[1], source->consensus.risk[20],
		source->spoken.risk[1], source->spoken.risk[20],
		MARGIN, MARGIN, MARGIN + HEIGHT, MARGIN + WIDTH);
	for (unsigned i = 0; i <= 4; i++) {
		double share = (double)i / 4.0;

		fprintf(file, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">%.2f</text>\n"
			"<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">%.2f</text>\n",
			MARGIN + share * WIDTH, MARGIN + HEIGHT + 16, share, MARGIN - 6,
			MARGIN + (1.0 - share) * HEIGHT + 4, share);
	}
	fprintf(file, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">coverage</text>\n"
		"<text x=\"%.0f\" y=\"%.0f\">error</text>\n", MARGIN + WIDTH / 2,
		MARGIN + HEIGHT + 32, MARGIN, MARGIN - 12);
	write_curve(file, source->before.risk, " stroke-dasharray=\"6 4\"");
	write_curve(file, source->consensus.risk, "");
	write_curve(file, source->spoken.risk, " stroke-dasharray=\"2 3\"");
	fprintf(file, "</svg>\n");
	return fclose(file) == 0 ? 0 : -errno;
}

int lab_calibration_write(const struct lab_calibration_report *report, const char *folder,
			  struct engine_error *error)
{
	char path[4096];
	FILE *file;
	int r = 0;

	if (mkdir(folder, 0777) != 0 && errno != EEXIST)
		return engine_fail(error, -errno, "The folder %s cannot be made.", folder);
	snprintf(path, sizeof(path), "%s/calibration.md", folder);
	file = fopen(path, "we");
	if (!file)
		return engine_fail(error, -errno, "The file %s cannot be written.", path);
	fprintf(file, "# How sure captions are, and how right\n\nA caption is right when every "
		"content word of it (noun, verb, colour, number) is supported by one of the photo's "
		"human captions. Fitted on every second photo, judged on the others, sources counting "
		"the same in the fit. Sure from %.2f: the lowest "
		"bound from which nine of ten statements, captions or sure parts of them, are right on "
		"the fitted half. Refused below %.2f: the highest bound below which captions would say "
		"more wrong content words than right ones there. Single words are said from a "
		"probability of %.2f on: the lowest from which nine of ten are right there, of photos "
		"that are refused. Consensus: score, plus %.2f for each content word's confidence less "
		"%.2f, plus %.2f times the likeness to all candidates. The detector knows %zu words. Mean time of a caption from features: %.1f ms without confidence "
		"and consensus, %.1f ms with them.\n\n", report->sure, report->refused,
		report->thing, report->consensus[0], report->consensus[1], report->consensus[2],
		report->stems,
		report->plain_ms, report->trust_ms);
	for (size_t s = 0; s < report->source_count; s++)
		write_source(file, &report->sources[s]);
	write_kinds(file, report);
	write_worst(file, report);
	if (fclose(file) != 0)
		r = -errno;
	for (size_t s = 0; r == 0 && s < report->source_count; s++) {
		const char *name = report->sources[s].source;

		snprintf(path, sizeof(path), "%s/risk-%s.svg", folder,
			 name[0] && !strchr(name, '/') ? name : "all");
		r = write_svg(&report->sources[s], path);
	}
	if (r)
		return engine_fail(error, r, "The report in %s cannot be written.", folder);
	return 0;
}
