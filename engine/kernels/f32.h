/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * f32.h: the 32-bit kernels that run everywhere: plain C for every operator (the
 * reference that faster kernels are tested against, and the fallback), and
 * OpenBLAS for the matrix products.
 */
#ifndef ENGINE_KERNELS_F32_H
#define ENGINE_KERNELS_F32_H

#include "engine/implicit_gemm.h"
#include "engine/kernels/kernels.h"

extern const struct kernel convolution_f32;
extern const struct kernel convolution_f32_once;
extern const struct kernel convolution_f32_winograd;
extern const struct kernel convolution_f32_ref;
extern const struct kernel convolution_f32_blas;
extern const struct kernel fully_connected_f32_once;
extern const struct kernel fully_connected_f32_ref;
extern const struct kernel fully_connected_f32_blas;
extern const struct kernel max_pool_f32;
extern const struct kernel average_pool_f32;
extern const struct kernel max_pool_f32_ref;
extern const struct kernel average_pool_f32_ref;
extern const struct kernel global_average_pool_f32_ref;
extern const struct kernel concat_f32_ref;
extern const struct kernel add_f32_ref;
extern const struct kernel multiply_f32_ref;
extern const struct kernel clamp_f32_ref;
extern const struct kernel sigmoid_f32_ref;
extern const struct kernel swish_f32_ref;

/* Weights and bias as floats. Weights that stand as F32 in the file are used in
 * place. */
struct f32_weights {
	const float *weights;
	float *widened;		/* NULL where `weights` is in the file */
	float *bias;
};

/* The `prepare` and `release` of kernels that need no more than that. */
int f32_weights_prepare(const struct kernel_task *task, void *packed,
			void **ret_prepared, struct engine_error *error);
void f32_weights_release(void *prepared);

/* The columns of output channels that implicit GEMM packs weights for, and their
 * memory, once it is allocated; all zero before they are opened. */
struct f32_columns {
	struct gemm_column *columns;
	size_t count;
	float *memory;
	size_t size;
};

/* For `pixels` at a time and `depth` weights an output channel. */
int f32_columns_open(struct f32_columns *columns, size_t pixels, unsigned channels, size_t depth,
		     struct engine_error *error);
int f32_columns_allocate(struct f32_columns *columns, size_t depth, struct engine_error *error);
void f32_columns_close(struct f32_columns *columns);

/* Of a convolution without dilation. */
struct gemm_window f32_window(const struct kernel_task *task);

static inline float f32_clamp(float value, float minimum, float maximum)
{
	return value < minimum ? minimum : value > maximum ? maximum : value;
}

static inline const float *f32_pixel(const struct kernel_view *view, unsigned y, unsigned x)
{
	return (const float *)view->data + y * view->row_stride + x * view->pixel_stride;
}

static inline float *f32_output_pixel(const struct kernel_view *view, unsigned y, unsigned x)
{
	return (float *)view->data + y * view->row_stride + x * view->pixel_stride;
}

#endif
