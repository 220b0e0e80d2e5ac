/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * onnx_reader.h: an ONNX file while it is read. Shared by import_onnx.c and the
 * files of operators; private to them.
 */
#ifndef LAB_ONNX_READER_H
#define LAB_ONNX_READER_H

#include "engine/error.h"
#include "engine/lab/import_onnx.h"
#include "engine/lab/onnx.pb-c.h"
#include "engine/limits.h"

#define ONNX_NUMBERS_MAX 16u		/* of a list that shapes are computed with */

enum data_type { DATA_FLOAT = 1, DATA_INT64 = 7 };

struct onnx_value {
	const char *name;
	const Onnx__Tensor *constant;	/* NULL for values that are computed */
	bool is_numbers;
	int64_t numbers[ONNX_NUMBERS_MAX];
	size_t number_count;
	int node;			/* that yields it, or -1 */
	bool flat;			/* [1, channels · height · width] in ONNX's order */
	unsigned padding[4];		/* top, left, bottom, right, zeros put around it by Pad */
};

struct onnx_reader {
	const char *file;
	struct blueprint *blueprint;
	struct engine_error *error;
	int64_t opset;
	struct onnx_value *values;
	size_t value_count, value_capacity;
	const Onnx__Node *node;		/* that is being read */
};

void onnx_set_unsupported(const struct onnx_reader *reader, const char *what);
/* A macro, so that the compiler sees that the status is not 0. */
#define onnx_fail_unsupported(reader, what) (onnx_set_unsupported(reader, what), ENGINE_UNSUPPORTED)
struct onnx_value *onnx_find_value(struct onnx_reader *reader, const char *name);
/* The name is borrowed from the message. Pointers to other values end here. */
int onnx_add_value(struct onnx_reader *reader, const char *name, struct onnx_value **ret_value);
const Onnx__Attribute *onnx_find_attribute(const struct onnx_reader *reader, const char *name);
int64_t onnx_int_attribute(const struct onnx_reader *reader, const char *name, int64_t otherwise);
float onnx_float_attribute(const struct onnx_reader *reader, const char *name, float otherwise);
/* `count` sizes, each within the limits; all `otherwise` if the attribute is
 * absent. */
int onnx_sizes_attribute(const struct onnx_reader *reader, const char *name, size_t count,
			 int64_t minimum, unsigned otherwise, unsigned *ret_sizes);
/* NULL for an input that is absent or empty. */
struct onnx_value *onnx_input(struct onnx_reader *reader, size_t index);
/* The floats of a constant, wherever the message holds them. They may be
 * unaligned, so they are copied. */
int onnx_read_floats(struct onnx_reader *reader, const Onnx__Tensor *tensor, float **ret_floats,
		     size_t *ret_count);
/* The whole numbers of an input: constants and what was computed from shapes. */
int onnx_read_numbers(struct onnx_reader *reader, const struct onnx_value *value, int64_t *ret_numbers,
		      size_t *ret_count);
const char *onnx_output_name(const struct onnx_reader *reader);
const char *onnx_node_name(const struct onnx_reader *reader);
/* The operator's first output is what the newest node of the blueprint yields. */
int onnx_yield_newest(struct onnx_reader *reader);
/* It is the same as another value. */
int onnx_yield_same(struct onnx_reader *reader, const struct onnx_value *other);
int onnx_yield_numbers(struct onnx_reader *reader, const int64_t *numbers, size_t count);
int onnx_add_node(struct onnx_reader *reader, enum graph_operator operator, const unsigned *inputs,
		  unsigned count, struct blueprint_node **ret_node);
/* A picture, not flattened, that a node yields. */
int onnx_picture_input(struct onnx_reader *reader, size_t index, unsigned *ret_node);
bool onnx_padded(const struct onnx_value *value);

int onnx_read_convolution(struct onnx_reader *reader);
int onnx_read_pool(struct onnx_reader *reader, enum graph_operator operator);
int onnx_read_global_pool(struct onnx_reader *reader);
/* ReduceMean over height and width. */
int onnx_read_mean(struct onnx_reader *reader);
/* Gemm, and MatMul with `transposed` false. */
int onnx_read_product(struct onnx_reader *reader, bool transposed, bool with_bias);
int onnx_read_padding(struct onnx_reader *reader);

int onnx_read_clamp(struct onnx_reader *reader, float minimum, float maximum);
/* A scalar from an input (opset 11 on) or an attribute (before). */
int onnx_read_limit(struct onnx_reader *reader, size_t index, const char *attribute, float otherwise,
		    float *ret_limit);
int onnx_read_clip(struct onnx_reader *reader);
int onnx_read_sigmoid(struct onnx_reader *reader);
int onnx_read_arithmetic(struct onnx_reader *reader, char operation);
int onnx_read_normalisation(struct onnx_reader *reader);

int onnx_read_concat(struct onnx_reader *reader);
int onnx_read_flatten(struct onnx_reader *reader);
/* Only what flattens a picture, or makes a flat value one pixel of a picture. */
int onnx_read_reshape(struct onnx_reader *reader);
/* Squeeze: [1, C, 1, 1] becomes [1, C]. */
int onnx_read_squeeze(struct onnx_reader *reader);
/* Identity, Dropout, and Softmax, which the engine applies to the head itself. */
int onnx_read_pass_on(struct onnx_reader *reader);
/* Cast and Unsqueeze among the arithmetic on shapes. */
int onnx_read_numbers_as_they_are(struct onnx_reader *reader);
int onnx_read_constant(struct onnx_reader *reader);
int onnx_read_shape(struct onnx_reader *reader);
int onnx_read_gather(struct onnx_reader *reader);

#endif
