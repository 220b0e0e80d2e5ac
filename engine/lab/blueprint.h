/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * blueprint.h: a network on its way from another format into a model file. The
 * importers add nodes and weights in the order of their file; what is common to
 * all of them (finding the features, finishing names, writing keys) is here.
 */
#ifndef LAB_BLUEPRINT_H
#define LAB_BLUEPRINT_H

#include "engine/gguf_writer.h"
#include "engine/graph.h"

struct blueprint_node {
	char *name;
	enum graph_operator operator;
	unsigned *inputs;
	unsigned input_count;
	struct graph_shape shape;
	struct graph_window window;
	unsigned groups;
	bool count_padding;
	float minimum, maximum;
	struct graph_quantisation quantisation;	/* scale 0: not quantised */

	/* [channels, kernel_height, kernel_width, input channels / groups], or
	 * [channels, inputs]; either floats or codes. Owned. */
	size_t weight_shape[4];
	unsigned weight_rank;
	float *weights;
	int8_t *codes;			/* weight = scale · (code − zero point) */
	float *scales;			/* scale_count: 1 or one a channel */
	int8_t *zero_points;		/* scale_count, or NULL for 0 */
	size_t scale_count;
	float *bias;			/* one a channel, or NULL */
	bool affine;			/* a product and a sum per channel; see blueprint_affine */
	int32_t *integer_bias;		/* likewise, in units of input scale × weight scale */
};

struct blueprint {
	struct blueprint_node *nodes;
	unsigned count, capacity;
	unsigned width, height;
	float mean[3], std[3];		/* (byte − mean) / std, of red, green and blue */
	int pool, grid, classes;	/* nodes, or -1; importers set classes to the output */
};

int blueprint_open(struct blueprint **ret_blueprint, struct engine_error *error);
struct blueprint *blueprint_free(struct blueprint *blueprint);

/* Adds a node with a window of 1, no padding and no clamp; its index follows
 * those before. The pointer holds until the next node is added. */
int blueprint_add(struct blueprint *blueprint, enum graph_operator operator, const char *name,
		const unsigned *inputs, unsigned input_count, struct blueprint_node **ret_node,
		struct engine_error *error);

/* Values of a weight tensor. */
size_t blueprint_weight_count(const struct blueprint_node *node);

/* How many nodes read a node's value. */
unsigned blueprint_readers(const struct blueprint *blueprint, unsigned node);

/* Replaces every use of node `old` by `new`. */
void blueprint_redirect(struct blueprint *blueprint, unsigned old, unsigned new);

/* Drops nodes that nothing reads and that are no features, renumbering. */
int blueprint_sweep(struct blueprint *blueprint, struct engine_error *error);

/* Sets the shape that a node's window makes of its input; false if none is left. */
bool blueprint_slide(const struct blueprint *blueprint, struct blueprint_node *node,
		     unsigned channels);

/* Adds value · scale[channel] + shift[channel]: batch normalisation, or arithmetic
 * with constants. It is a depthwise convolution of one tap until it is folded. */
int blueprint_affine(struct blueprint *blueprint, const char *name, unsigned input,
		     const float *scale, const float *shift, struct engine_error *error);

/* Folds affine nodes into the convolution or fully connected layer that they alone
 * read, clamps into what they alone read, and x · sigmoid(x) into one operator. */
int blueprint_simplify(struct blueprint *blueprint, struct engine_error *error);

/* Exchanges red and blue in the weights of every convolution that reads the
 * picture, for networks that want blue first. */
int blueprint_exchange_colours(struct blueprint *blueprint, struct engine_error *error);

/* Finds the features: classes is the output, which importers set; pool is what the last node with
 * weights reads, if that is one pixel; grid is the nearest value of more than one
 * pixel that the pool is made of. Names override: "" or NULL for this rule. */
int blueprint_find_features(struct blueprint *blueprint, const char *pool, const char *grid,
			  const char *classes, struct engine_error *error);

/* Replaces '/' and blanks, removes what the names have in common and suffixes
 * that say no more than the operator does, and makes each name unique and short
 * enough for GGUF. */
int blueprint_finish_names(struct blueprint *blueprint, struct engine_error *error);

/* Adds keys and tensors. The writer borrows the weights. */
void blueprint_write(const struct blueprint *blueprint, struct gguf_writer *writer);

#endif
