/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * kernels.c: the table.
 */
#include "engine/kernels/kernels.h"

#include "engine/kernels/f32.h"
#include "engine/kernels/q8.h"

/* Which of the paths take a kernel. */
enum {
	FAST = 1 << ENGINE_PATH_AUTO | 1 << ENGINE_PATH_FLOAT,
	PLAIN = 1 << ENGINE_PATH_REFERENCE,
	BLAS = 1 << ENGINE_PATH_BLAS,
	ONCE = 1 << KERNEL_PATH_ONCE,
};

/* Best first among those of one operator and type. */
static const struct {
	unsigned paths;
	const struct kernel *kernel;
} table[] = {
	{ FAST, &convolution_q8 },
	{ FAST, &fully_connected_q8 },
	{ FAST, &max_pool_q8 },
	{ FAST, &average_pool_q8 },
	{ FAST, &global_average_pool_q8 },
	{ FAST, &concat_q8 },
	{ FAST, &clamp_q8 },
	{ FAST, &depthwise_q8 },
	{ FAST, &add_q8 },
	{ FAST, &multiply_q8 },
	{ FAST, &sigmoid_q8 },
	{ FAST, &swish_q8 },
	{ ONCE, &convolution_f32_once },
	{ ONCE, &fully_connected_f32_once },
	{ FAST, &convolution_f32_winograd },
	{ FAST, &convolution_f32 },
	{ FAST | BLAS, &convolution_f32_blas },
	{ FAST | PLAIN | BLAS, &convolution_f32_ref },
	{ FAST | BLAS, &fully_connected_f32_blas },
	{ FAST | PLAIN | BLAS, &fully_connected_f32_ref },
	{ FAST | ONCE, &max_pool_f32 },
	{ FAST | ONCE, &average_pool_f32 },
	{ FAST | ONCE | PLAIN | BLAS, &max_pool_f32_ref },
	{ FAST | ONCE | PLAIN | BLAS, &average_pool_f32_ref },
	{ FAST | ONCE | PLAIN | BLAS, &global_average_pool_f32_ref },
	{ FAST | ONCE | PLAIN | BLAS, &concat_f32_ref },
	{ FAST | ONCE | PLAIN | BLAS, &add_f32_ref },
	{ FAST | ONCE | PLAIN | BLAS, &multiply_f32_ref },
	{ FAST | ONCE | PLAIN | BLAS, &clamp_f32_ref },
	{ FAST | ONCE | PLAIN | BLAS, &sigmoid_f32_ref },
	{ FAST | ONCE | PLAIN | BLAS, &swish_f32_ref },
};

size_t kernel_type_size(enum kernel_type type)
{
	return type == KERNEL_F32 ? sizeof(float) : sizeof(uint8_t);
}

const struct kernel *kernel_find(const struct kernel_task *task, enum engine_path path)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct kernel *kernel = table[i].kernel;

		if (kernel->operator == task->node->operator && kernel->type == task->type &&
		    (table[i].paths & 1u << path) &&
		    (!kernel->available || kernel->available()) &&
		    (!kernel->fits || kernel->fits(task)))
			return kernel;
	}
	return NULL;
}
