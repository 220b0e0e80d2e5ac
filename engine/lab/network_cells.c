/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * network_cells.c: one time step of the recurrent cells and of attention, and
 * their gradients.
 */
#pragma GCC optimize("O3")

#include "engine/lab/network_parts.h"

/* `gates` holds sums and becomes the activated i, f, o, u. */
void lstm_cell(size_t rows, size_t hidden, real *gates, const real *c_before, real *c,
	       real *h)
{
	for (size_t r = 0; r < rows; r++) {
		real *gate = gates + r * 4 * hidden;
		const real *i = gate, *f = gate + hidden, *o = gate + 2 * hidden, *u = gate + 3 * hidden;
		const real *before = c_before + r * hidden;
		real *now = c + r * hidden, *out = h + r * hidden;

		sigmoids(gate, 3 * hidden);
		tangents(gate + 3 * hidden, hidden);
		for (size_t k = 0; k < hidden; k++)
			out[k] = now[k] = f[k] * before[k] + i[k] * u[k];
		tangents(out, hidden);
		for (size_t k = 0; k < hidden; k++)
			out[k] *= o[k];
	}
}

/* From dh and dc (of this step's outputs) to the gates' sums; dc becomes that
 * of the step before. */
void lstm_cell_back(size_t rows, size_t hidden, const real *gates, const real *c_before,
		    const real *c, const real *dh, real *dc, real *dgates)
{
	for (size_t r = 0; r < rows; r++) {
		const real *i = gates + r * 4 * hidden, *f = i + hidden, *o = f + hidden, *u = o + hidden;
		const real *before = c_before + r * hidden, *out = dh + r * hidden;
		real *di = dgates + r * 4 * hidden, *df = di + hidden, *d_o = df + hidden, *du = d_o + hidden;
		real *cell = dc + r * hidden;

		memcpy(du, c + r * hidden, hidden * sizeof(*du));
		tangents(du, hidden);
		for (size_t k = 0; k < hidden; k++) {
			real t = du[k], sum = cell[k] + out[k] * o[k] * (1 - t * t);

			d_o[k] = out[k] * t * o[k] * (1 - o[k]);
			di[k] = sum * u[k] * i[k] * (1 - i[k]);
			df[k] = sum * before[k] * f[k] * (1 - f[k]);
			du[k] = sum * i[k] * (1 - u[k] * u[k]);
			cell[k] = sum * f[k];
		}
	}
}

/* `a` = input sums, `b` = hidden sums; `a` becomes the activated r, z, n. */
void gru_cell(size_t rows, size_t hidden, real *a, const real *b, const real *h_before,
	      real *h)
{
	for (size_t row = 0; row < rows; row++) {
		real *r = a + row * 3 * hidden, *z = r + hidden, *n = z + hidden;
		const real *b_r = b + row * 3 * hidden, *b_n = b_r + 2 * hidden;
		const real *before = h_before + row * hidden;
		real *out = h + row * hidden;

		add_to(r, b_r, 2 * hidden);
		sigmoids(r, 2 * hidden);
		for (size_t k = 0; k < hidden; k++)
			n[k] += r[k] * b_n[k];
		tangents(n, hidden);
		for (size_t k = 0; k < hidden; k++)
			out[k] = (1 - z[k]) * n[k] + z[k] * before[k];
	}
}

/* dh of this step's output becomes the part that flows straight to the step
 * before. */
void gru_cell_back(size_t rows, size_t hidden, const real *a, const real *b,
		   const real *h_before, real *dh, real *da, real *db)
{
	for (size_t row = 0; row < rows; row++) {
		const real *r = a + row * 3 * hidden, *z = r + hidden, *n = z + hidden;
		const real *b_n = b + row * 3 * hidden + 2 * hidden, *before = h_before + row * hidden;
		real *da_r = da + row * 3 * hidden, *da_z = da_r + hidden, *da_n = da_z + hidden;
		real *db_r = db + row * 3 * hidden, *db_z = db_r + hidden, *db_n = db_z + hidden;
		real *out = dh + row * hidden;

		for (size_t k = 0; k < hidden; k++) {
			real dn = out[k] * (1 - z[k]) * (1 - n[k] * n[k]);

			da_n[k] = dn;
			db_n[k] = dn * r[k];
			da_r[k] = db_r[k] = dn * b_n[k] * r[k] * (1 - r[k]);
			da_z[k] = db_z[k] = out[k] * (before[k] - n[k]) * z[k] * (1 - z[k]);
			out[k] *= z[k];
		}
	}
}

/* --- Attention ------------------------------------------------------------------ */

/* Calls for each run of rows of the same photo: first row, number, photo. */
#define FOR_EACH_PHOTO(photos, rows, first, number) \
	for (size_t first = 0, number; first < (rows) && \
	     (number = run_length((photos) + first, (rows) - first), true); first += number)

static inline size_t run_length(const size_t *photos, size_t rows)
{
	size_t n = 1;

	while (n < rows && photos[n] == photos[0])
		n++;
	return n;
}

/* q → a, z for the rows of one time step */
void attention_forward(const struct network_shape *s, const struct network_prepared *p, size_t rows,
		       const size_t *photos, const real *q, real *a, real *z)
{
	size_t hidden = s->hidden, cells = s->cells;
	real scale = (real)(1 / sqrt((double)hidden));

	FOR_EACH_PHOTO(photos, rows, first, number) {
		size_t offset = photos[first] * cells * hidden;

		GEMM(CblasRowMajor, CblasNoTrans, CblasTrans, (int)number, (int)cells, (int)hidden,
		     scale, q + first * hidden, (int)hidden, p->keys + offset, (int)hidden, 0,
		     a + first * cells, (int)cells);
		for (size_t r = first; r < first + number; r++)
			softmax(a + r * cells, cells);
		GEMM(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)number, (int)hidden, (int)cells, 1,
		     a + first * cells, (int)cells, p->regions + offset, (int)hidden, 0,
		     z + first * hidden, (int)hidden);
	}
}

/* dz → ds (gradient of the scaled scores' sums, times the scale) and dq */
void attention_backward(const struct network_shape *s, const struct network_prepared *p,
			size_t rows, const size_t *photos, const real *a, const real *dz, real *ds,
			real *dq)
{
	size_t hidden = s->hidden, cells = s->cells;
	real scale = (real)(1 / sqrt((double)hidden));

	FOR_EACH_PHOTO(photos, rows, first, number) {
		size_t offset = photos[first] * cells * hidden;

		GEMM(CblasRowMajor, CblasNoTrans, CblasTrans, (int)number, (int)cells, (int)hidden, 1,
		     dz + first * hidden, (int)hidden, p->regions + offset, (int)hidden, 0,
		     ds + first * cells, (int)cells);
		for (size_t r = first; r < first + number; r++) {
			const real *weight = a + r * cells;
			real *gradient = ds + r * cells, dot = 0;

			for (size_t k = 0; k < cells; k++)
				dot += weight[k] * gradient[k];
			for (size_t k = 0; k < cells; k++)
				gradient[k] = weight[k] * (gradient[k] - dot) * scale;
		}
		GEMM(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)number, (int)hidden, (int)cells, 1,
		     ds + first * cells, (int)cells, p->keys + offset, (int)hidden, 0,
		     dq + first * hidden, (int)hidden);
	}
}
