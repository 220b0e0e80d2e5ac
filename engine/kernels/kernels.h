/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * kernels.h: the one dispatch table. A kernel is one way to run one kind of node
 * with one type of value; the table lists them best first, and for each node the
 * first that the path allows, the processor can run and the node's geometry fits
 * is taken. Plain C kernels close the list, so there is always one.
 *
 * A kernel's life: `prepare` once per model (packs weights, shared by all
 * contexts, read-only afterwards), `scratch` once per context (bytes it needs),
 * `run` once per picture. `run` never allocates and never fails.
 */
#ifndef ENGINE_KERNELS_H
#define ENGINE_KERNELS_H

#include "engine/copies.h"
#include "engine/graph.h"

struct threadpool;

enum kernel_type {
	KERNEL_F32,	/* values are float */
	KERNEL_Q8,	/* values are uint8_t with scale and zero point */
};

size_t kernel_type_size(enum kernel_type type);

/* Readable bytes behind the end of every value, so that kernels may load whole
 * vectors; nothing may be written there. */
#define KERNEL_OVERREAD 64u

/* A value in memory. Pixels of a row lie `pixel_stride` elements apart, rows
 * `row_stride`; strides exceed the channels where the value is a slice of a
 * concat. */
struct kernel_view {
	void *data;
	struct graph_shape shape;	/* channels: with their copies */
	size_t pixel_stride, row_stride;
};

/* What is known about a node's work when the model is opened. */
struct kernel_task {
	const struct graph *graph;
	const struct graph_node *node;
	enum kernel_type type;
	/* The limits to clamp to: the node's, and those of the concat it is written
	 * into. */
	float minimum, maximum;
	/* How the values are stored: as the node's own, or, where it is written into a
	 * slice of a concat, as the concat's. A convolution rounds to this alone, other
	 * kernels to the node's own quantisation first. */
	struct graph_quantisation stored;
	/* What each byte of a pixel of the value, and of the first input's, stands for;
	 * NULL: every channel once and in order. */
	const struct channel_layout *layout, *input_layout;
};

struct kernel_call {
	const struct kernel_task *task;
	const void *prepared;		/* what `prepare` made */
	const struct kernel_view *inputs;	/* task->node->input_count */
	struct kernel_view output;
	void *scratch;			/* aligned to 64 */
	struct threadpool *pool;
};

struct kernel {
	const char *name;		/* "conv2d_f32_blas": operator, type, way */
	enum graph_operator operator;
	enum kernel_type type;
	/* Whether this processor can run it; NULL: any. */
	bool (*available)(void);
	/* Whether it fits this node; NULL: any. */
	bool (*fits)(const struct kernel_task *task);
	/* Bytes of packed weights, for which `prepare` is given memory, aligned to 64;
	 * SIZE_MAX when they cannot be had. NULL: none, or kept by the kernel itself. */
	size_t (*packed)(const struct kernel_task *task);
	/* Runs at once for several nodes, each on one thread. NULL: nothing to prepare. */
	int (*prepare)(const struct kernel_task *task, void *packed, void **ret_prepared,
		       struct engine_error *error);
	void (*release)(void *prepared);
	size_t (*scratch)(const struct kernel_task *task, const void *prepared, unsigned threads);
	void (*run)(const struct kernel_call *call);
};

/* Beside the paths that a caller may ask for: in floats, 8-bit weights packed in each
 * run, for a network that seldom runs so. */
#define KERNEL_PATH_ONCE ((enum engine_path)(ENGINE_PATH_FLOAT + 1))

/* The kernel for a task on a path, or NULL where there is none of that type. */
const struct kernel *kernel_find(const struct kernel_task *task, enum engine_path path);

#endif
