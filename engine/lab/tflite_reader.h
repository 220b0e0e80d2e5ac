/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tflite_reader.h: a TensorFlow Lite file while it is read: its tensors and the
 * operator at hand. Shared by import_tflite.c and tflite_weights.c; private to
 * them.
 */
#ifndef LAB_TFLITE_READER_H
#define LAB_TFLITE_READER_H

#include "engine/error.h"
#include "engine/lab/blueprint.h"
#include "engine/lab/flatbuffer.h"
#include "engine/limits.h"

enum tflite_type {
	TFLITE_FLOAT32 = 0,
	TFLITE_FLOAT16 = 1,
	TFLITE_INT32 = 2,
	TFLITE_UINT8 = 3,
	TFLITE_INT8 = 9,
};

enum builtin_operator {
	TFLITE_ADD = 0,
	TFLITE_AVERAGE_POOL_2D = 1,
	TFLITE_CONCATENATION = 2,
	TFLITE_CONV_2D = 3,
	TFLITE_DEPTHWISE_CONV_2D = 4,
	TFLITE_DEQUANTIZE = 6,
	TFLITE_FULLY_CONNECTED = 9,
	TFLITE_LOGISTIC = 14,
	TFLITE_MAX_POOL_2D = 17,
	TFLITE_MUL = 18,
	TFLITE_RELU = 19,
	TFLITE_RELU_N1_TO_1 = 20,
	TFLITE_RELU6 = 21,
	TFLITE_RESHAPE = 22,
	TFLITE_SOFTMAX = 25,
	TFLITE_PAD = 34,
	TFLITE_MEAN = 40,
	TFLITE_SQUEEZE = 43,
};

#define TFLITE_RANK_MAX 5u

struct tflite_tensor {
	flatbuffer_table table;
	char name[LIMIT_MODEL_NAME];
	enum tflite_type type;
	unsigned rank;
	unsigned shape[TFLITE_RANK_MAX];
	struct flatbuffer_vector data;	/* empty for values that are computed */
	struct flatbuffer_vector scales, zero_points;
	int node;			/* that yields it, or -1 */
	unsigned padding[4];		/* top, left, bottom, right, put around it by PAD */
};

struct tflite_reader {
	struct flatbuffer buffer;
	const char *file;
	struct blueprint *blueprint;
	struct engine_error *error;
	struct flatbuffer_vector buffers;
	struct tflite_tensor *tensors;
	size_t tensor_count;
	/* of the operator that is being read */
	flatbuffer_table options;
	struct flatbuffer_vector inputs, outputs;
	size_t operator_index;
	int code;
};

int tflite_fail_damaged(const struct tflite_reader *reader);
void tflite_set_unsupported(const struct tflite_reader *reader, const char *what);
/* A macro, so that the compiler sees that the status is not 0. */
#define tflite_fail_unsupported(reader, what) \
	(tflite_set_unsupported(reader, what), ENGINE_UNSUPPORTED)
size_t tflite_element_count(const struct tflite_tensor *tensor);
struct graph_shape tflite_image_shape(const struct tflite_tensor *tensor);
int tflite_read_tensor(struct tflite_reader *reader, flatbuffer_table table,
		       struct tflite_tensor *tensor);
/* The tensor of an operator's input or output; NULL if there is none. */
struct tflite_tensor *tflite_operand(struct tflite_reader *reader, struct flatbuffer_vector list,
				     size_t index);
/* In the engine's 0 … 255, whichever 8-bit type the file uses. */
int tflite_read_quantisation(struct tflite_reader *reader, const struct tflite_tensor *tensor,
			     struct graph_quantisation *ret_quantisation);
/* A constant vector of integers, such as axes and paddings. */
int tflite_read_constants(struct tflite_reader *reader, const struct tflite_tensor *tensor,
			  size_t wanted, int32_t *ret_values);

/* Weights, their scales and the bias: inputs 1 and 2 of the operator at hand, which
 * `node` stands for. */
int tflite_read_weights(struct tflite_reader *reader, struct blueprint_node *node, bool depthwise);

#endif
