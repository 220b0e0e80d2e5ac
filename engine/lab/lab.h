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

#endif
