/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * flatbuffer.h: reads FlatBuffers without generated code and without trust. Debian
 * has the C++ library only, and its readers check nothing unless a verifier has
 * walked the whole file first; here every access checks itself.
 *
 * A file that points outside itself sets `damaged` and yields zeros from then on,
 * so callers may read on and look at the flag once. A table at 0 is "absent":
 * reading its fields gives their defaults.
 */
#ifndef LAB_FLATBUFFER_H
#define LAB_FLATBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flatbuffer {
	const uint8_t *data;
	size_t size;
	bool damaged;
};

/* Positions are offsets from the start of the file. */
typedef size_t flatbuffer_table;

struct flatbuffer_vector {
	size_t start;		/* of the first element */
	size_t count;
};

flatbuffer_table flatbuffer_root(struct flatbuffer *buffer);

/* Fields by their number in the schema. */
uint8_t flatbuffer_u8(struct flatbuffer *buffer, flatbuffer_table table, unsigned field,
		      uint8_t otherwise);
int32_t flatbuffer_i32(struct flatbuffer *buffer, flatbuffer_table table, unsigned field,
		       int32_t otherwise);
flatbuffer_table flatbuffer_field(struct flatbuffer *buffer, flatbuffer_table table,
				  unsigned field);
/* A vector of elements of `element_size` bytes; empty if absent. */
struct flatbuffer_vector flatbuffer_vector(struct flatbuffer *buffer, flatbuffer_table table,
					   unsigned field, size_t element_size);

/* Elements; an index beyond the vector counts as damage. */
flatbuffer_table flatbuffer_table_at(struct flatbuffer *buffer, struct flatbuffer_vector vector,
				     size_t index);
int32_t flatbuffer_i32_at(struct flatbuffer *buffer, struct flatbuffer_vector vector,
			  size_t index);
int64_t flatbuffer_i64_at(struct flatbuffer *buffer, struct flatbuffer_vector vector,
			  size_t index);
float flatbuffer_f32_at(struct flatbuffer *buffer, struct flatbuffer_vector vector, size_t index);

/* Copies a string, cut to fit, with its NUL; "" if absent. */
void flatbuffer_string(struct flatbuffer *buffer, flatbuffer_table table, unsigned field,
		       char *ret_text, size_t size);

#endif
