/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * resize_vector.h: both passes of the resize. A file for each instruction set
 * defines `lanes`, a vector of LANES numbers of 32 bits (4, 8 or 16), and what
 * GCC's vector types do not express well:
 *   widen(p)          LANES bytes as numbers
 *   spread_pixels(p)  LANES / 4 pixels of three bytes, each in four lanes
 *   spread_weights(w) LANES / 4 weights, each in four lanes
 *   add_pixels(v)     the sum of the groups of four lanes, as four numbers
 *   narrow(v, p)      stores LANES numbers as bytes, larger ones as 255
 *   narrow_four(v, p) likewise four
 * Sums of 32-bit integers do not depend on their order, so every width gives the
 * same bytes. The fourth lane of a pixel is idle.
 */
#define PIXELS (LANES / 4)

void ROW(const struct resize_filter *filter, const uint8_t *pixels, uint8_t *ret_pixels)
{
	for (size_t i = 0; i < filter->size; i++) {
		const int32_t *weights = filter->weights + i * filter->stride;
		const uint8_t *from = pixels + (size_t)filter->first[i] * 3;
		size_t count = filter->count[i];
		lanes sums = {0};

		for (size_t k = 0; k < count; k += PIXELS)
			sums += spread_pixels(from + 3 * k) * spread_weights(weights + k);
		narrow_four((add_pixels(sums) + RESIZE_HALF) >> RESIZE_FRACTION_BITS,
			    ret_pixels + 3 * i);
	}
}

static inline void sum_column(const uint8_t *const *rows, const int32_t *weights, size_t count,
			      size_t at, uint8_t *ret_bytes)
{
	lanes sums = {0};

	for (size_t k = 0; k < count; k++)
		sums += widen(rows[k] + at) * weights[k];
	narrow((sums + RESIZE_HALF) >> RESIZE_FRACTION_BITS, ret_bytes + at);
}

void COLUMN(const uint8_t *const *rows, const int32_t *weights, size_t count, size_t size,
	    uint8_t *ret_bytes)
{
	size_t at = 0;

	if (size < LANES) {
		resize_column_plain(rows, weights, count, size, ret_bytes);
		return;
	}
	for (; at + LANES <= size; at += LANES)
		sum_column(rows, weights, count, at, ret_bytes);
	/* the last bytes once more, with as many before them as a vector holds */
	if (at < size)
		sum_column(rows, weights, count, size - LANES, ret_bytes);
}
