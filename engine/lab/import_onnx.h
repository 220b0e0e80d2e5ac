/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * import_onnx.h: ONNX files of picture networks, opset 7 to 17.
 */
#ifndef LAB_IMPORT_ONNX_H
#define LAB_IMPORT_ONNX_H

#include "engine/lab/blueprint.h"

/* Adds the file's nodes to an empty blueprint, whose mean and std stay as the
 * caller set them. `name` stands for the path in messages. A file that is no ONNX
 * is ENGINE_BAD_MODEL. */
int onnx_read(const uint8_t *data, size_t size, const char *name, struct blueprint *blueprint,
	      struct engine_error *error);

#endif
