/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pool_q8.c: maximum and average over a window in 8 bits, sixteen channels at a
 * time in vectors of the compiler. An average is rounded to the nearest, halves
 * up, as TFLite's reference does: (sum + count / 2) / count in whole numbers.
 * Any further change of scale is a table of 256 entries.
 */
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "engine/kernels/q8.h"
#include "engine/threadpool.h"

#define LANES 16u
/* 257 bytes add up to less than 2^16. */
#define SHORT_SUM_MAX 257u

typedef uint8_t byte16 __attribute__((vector_size(16)));
typedef uint8_t byte8 __attribute__((vector_size(8)));
typedef uint16_t short8 __attribute__((vector_size(16)));
typedef float float4 __attribute__((vector_size(16)));
typedef int32_t int4 __attribute__((vector_size(16)));
typedef uint16_t short4 __attribute__((vector_size(8)));

/* Where the window of an output pixel meets the input; bottom and right are
 * excluded. */
struct meeting {
	unsigned top, bottom, left, right, divisor;
};

static unsigned larger(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static struct meeting meet(const struct kernel_call *call, unsigned out_y, unsigned out_x)
{
	const struct graph_node *node = call->task->node;
	const struct graph_window *w = &node->window;
	const struct graph_shape *in = &call->inputs[0].shape;
	unsigned top = out_y * w->stride_height, left = out_x * w->stride_width;
	struct meeting m;

	if (node->operator == GRAPH_GLOBAL_AVERAGE_POOL)
		return (struct meeting){0, in->height, 0, in->width, in->height * in->width};
	m.top = larger(top, w->pad_top) - w->pad_top;
	m.bottom = smaller(top + w->kernel_height, w->pad_top + in->height) - w->pad_top;
	m.left = larger(left, w->pad_left) - w->pad_left;
	m.right = smaller(left + w->kernel_width, w->pad_left + in->width) - w->pad_left;
	m.divisor = node->count_padding ? w->kernel_height * w->kernel_width
					: (m.bottom - m.top) * (m.right - m.left);
	return m;
}

static byte16 larger16(byte16 a, byte16 b)
{
#if defined(__x86_64__)
	return (byte16)_mm_max_epu8((__m128i)a, (__m128i)b);
#elif defined(__aarch64__)
	return (byte16)vmaxq_u8((uint8x16_t)a, (uint8x16_t)b);
#else
	byte16 greater = (byte16)(a > b);

	return (a & greater) | (b & ~greater);
#endif
}

static byte16 maximum(const struct kernel_view *in, const struct meeting *m, unsigned channel)
{
	byte16 most = {0};

	for (unsigned y = m->top; y < m->bottom; y++) {
		const uint8_t *bytes = (const uint8_t *)in->data + y * in->row_stride +
				       m->left * in->pixel_stride + channel;

		for (unsigned x = m->left; x < m->right; x++, bytes += in->pixel_stride) {
			byte16 v;

			memcpy(&v, bytes, sizeof(v));
			most = larger16(most, v);
		}
	}
	return most;
}

/* trunc((sum + half + 0.5) / divisor): the 0.5 keeps the quotient so far from
 * whole numbers that the division may be a multiplication in floats. */
static byte8 divide(short8 sums, float half, float inverse)
{
	short4 low = {sums[0], sums[1], sums[2], sums[3]};
	short4 high = {sums[4], sums[5], sums[6], sums[7]};
	float4 a = (__builtin_convertvector(low, float4) + half) * inverse;
	float4 b = (__builtin_convertvector(high, float4) + half) * inverse;
	int4 x = __builtin_convertvector(a, int4), y = __builtin_convertvector(b, int4);

	return (byte8){(uint8_t)x[0], (uint8_t)x[1], (uint8_t)x[2], (uint8_t)x[3],
		       (uint8_t)y[0], (uint8_t)y[1], (uint8_t)y[2], (uint8_t)y[3]};
}

static byte16 average(const struct kernel_view *in, const struct meeting *m, unsigned channel)
{
	float half = (float)(m->divisor / 2) + 0.5f, inverse = 1.0f / (float)m->divisor;
	short8 low = {0}, high = {0};
	byte8 a, b;
	byte16 result;

	for (unsigned y = m->top; y < m->bottom; y++) {
		const uint8_t *bytes = (const uint8_t *)in->data + y * in->row_stride +
				       m->left * in->pixel_stride + channel;

		for (unsigned x = m->left; x < m->right; x++, bytes += in->pixel_stride) {
			memcpy(&a, bytes, sizeof(a));
			memcpy(&b, bytes + 8, sizeof(b));
			low += __builtin_convertvector(a, short8);
			high += __builtin_convertvector(b, short8);
		}
	}
	a = divide(low, half, inverse);
	b = divide(high, half, inverse);
	memcpy(&result, &a, sizeof(a));
	memcpy((char *)&result + 8, &b, sizeof(b));
	return result;
}

/* For windows too large for sums of 16 bits, and for padding that counts: it
 * stands for the value 0, which is stored as the zero point. */
static byte16 average_any(const struct kernel_view *in, const struct meeting *m, unsigned channel,
			  int32_t zero)
{
	uint32_t missing = m->divisor - (m->bottom - m->top) * (m->right - m->left);
	byte16 result;

	for (unsigned lane = 0; lane < LANES; lane++) {
		uint64_t sum = (uint64_t)missing * (uint32_t)zero + m->divisor / 2;

		for (unsigned y = m->top; y < m->bottom; y++)
			for (unsigned x = m->left; x < m->right; x++)
				sum += ((const uint8_t *)in->data)[y * in->row_stride +
								   x * in->pixel_stride + channel + lane];
		result[lane] = (uint8_t)(sum / m->divisor);
	}
	return result;
}

static byte16 pool(const struct kernel_call *call, const struct meeting *m, unsigned channel)
{
	const struct kernel_view *in = &call->inputs[0];
	const struct kernel_task *task = call->task;
	unsigned covered = (m->bottom - m->top) * (m->right - m->left);

	if (task->node->operator == GRAPH_MAX_POOL)
		return maximum(in, m, channel);
	if (covered == m->divisor && covered <= SHORT_SUM_MAX)
		return average(in, m, channel);
	return average_any(in, m, channel,
			   task->graph->nodes[task->node->inputs[0]].quantisation.zero_point);
}

struct pooling {
	const struct kernel_call *call;
	bool translate;
	uint8_t table[256];
};

static void pool_pixels(void *argument, unsigned index, unsigned count)
{
	const struct pooling *pooling = argument;
	const struct kernel_call *call = pooling->call;
	const struct graph_shape *shape = &call->output.shape;
	size_t blocks = (shape->channels + LANES - 1) / LANES, begin, end;

	/* By blocks of channels within pixels, so that one pixel can be shared. */
	threadpool_share((size_t)shape->height * shape->width * blocks, 1, index, count, &begin,
			 &end);
	for (size_t i = begin; i < end;) {
		size_t pixel = i / blocks, block = i % blocks;
		unsigned y = (unsigned)(pixel / shape->width), x = (unsigned)(pixel % shape->width);
		struct meeting m = meet(call, y, x);
		uint8_t *out = (uint8_t *)call->output.data + y * call->output.row_stride +
			       x * call->output.pixel_stride;

		for (; block < blocks && i < end; block++, i++) {
			unsigned channel = (unsigned)block * LANES;
			byte16 result = pool(call, &m, channel);

			if (pooling->translate)
				for (unsigned lane = 0; lane < LANES; lane++)
					result[lane] = pooling->table[result[lane]];
			memcpy(out + channel, &result, smaller(LANES, shape->channels - channel));
		}
	}
}

static void run(const struct kernel_call *call)
{
	const struct kernel_task *task = call->task;
	const struct graph_node *input = &task->graph->nodes[task->node->inputs[0]];
	struct pooling pooling = {.call = call};

	q8_table(input->quantisation, task, pooling.table);
	for (unsigned i = 0; i < 256; i++)
		if (pooling.table[i] != i)
			pooling.translate = true;
	threadpool_run(call->pool, pool_pixels, &pooling);
}

const struct kernel max_pool_q8 = {
	.name = "max_pool_q8",
	.operator = GRAPH_MAX_POOL,
	.type = KERNEL_Q8,
	.run = run,
};

const struct kernel average_pool_q8 = {
	.name = "average_pool_q8",
	.operator = GRAPH_AVERAGE_POOL,
	.type = KERNEL_Q8,
	.run = run,
};

const struct kernel global_average_pool_q8 = {
	.name = "global_average_pool_q8",
	.operator = GRAPH_GLOBAL_AVERAGE_POOL,
	.type = KERNEL_Q8,
	.run = run,
};
