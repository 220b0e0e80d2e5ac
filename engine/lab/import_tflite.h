/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * import_tflite.h: TensorFlow Lite files, quantised and float.
 */
#ifndef LAB_IMPORT_TFLITE_H
#define LAB_IMPORT_TFLITE_H

#include "engine/lab/blueprint.h"

bool tflite_recognise(const uint8_t *data, size_t size);

/* Adds the file's nodes to an empty network. A quantised input fixes mean and std;
 * for a float one they stay as the caller set them. `name` stands for the path in
 * messages. The network copies what it keeps. */
int tflite_read(const uint8_t *data, size_t size, const char *name, struct blueprint *blueprint,
		struct engine_error *error);

#endif
