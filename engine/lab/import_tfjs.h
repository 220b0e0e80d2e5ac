/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * import_tfjs.h: networks in TensorFlow.js's layers format: model.json with the
 * Keras layers, and the weights in files beside it.
 */
#ifndef LAB_IMPORT_TFJS_H
#define LAB_IMPORT_TFJS_H

#include "engine/lab/blueprint.h"

bool tfjs_recognise(const uint8_t *data, size_t size);

/* Adds the layers of the file at `path` to an empty blueprint, whose mean and std
 * stay as the caller set them. */
int tfjs_read(const char *path, struct blueprint *blueprint, struct engine_error *error);

#endif
