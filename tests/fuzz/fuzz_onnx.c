/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as an ONNX network: read, then what `descry model import` does with it
 * (features found, names finished).
 */
#include <stdint.h>
#include <stdlib.h>

#include "engine/lab/blueprint.h"
#include "engine/lab/import_onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct engine_error error = { "" };
	struct blueprint *blueprint;

	if (blueprint_open(&blueprint, &error))
		return 0;
	if (onnx_read(data, size, "fuzzed", blueprint, &error) == 0) {
		if (blueprint_find_features(blueprint, "", "", "", &error) == 0)
			blueprint_finish_names(blueprint, &error);
	} else if (error.message[0] == '\0') {
		abort();
	}
	blueprint_free(blueprint);
	return 0;
}
