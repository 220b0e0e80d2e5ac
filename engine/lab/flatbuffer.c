/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * flatbuffer.c: the format in brief. Offsets are 32 bits, relative to where they
 * stand. A table begins with the signed distance back to its vtable; a vtable is
 * its own length, the table's length, then for each field its place in the table,
 * or 0. Vectors and strings begin with their count.
 */
#include "engine/lab/flatbuffer.h"

#include <string.h>

static bool holds(struct flatbuffer *buffer, size_t position, size_t size)
{
	if (position <= buffer->size && size <= buffer->size - position)
		return true;
	buffer->damaged = true;
	return false;
}

static uint16_t read_u16(struct flatbuffer *buffer, size_t position)
{
	uint16_t value = 0;

	if (holds(buffer, position, sizeof(value)))
		memcpy(&value, buffer->data + position, sizeof(value));
	return value;
}

static uint32_t read_u32(struct flatbuffer *buffer, size_t position)
{
	uint32_t value = 0;

	if (holds(buffer, position, sizeof(value)))
		memcpy(&value, buffer->data + position, sizeof(value));
	return value;
}

/* Where the offset at `position` points. */
static size_t follow(struct flatbuffer *buffer, size_t position)
{
	uint32_t offset = read_u32(buffer, position);

	if (!offset || !holds(buffer, position, offset)) {
		buffer->damaged = true;
		return 0;
	}
	return position + offset;
}

/* Where a field stands in the file; 0 if it is absent. */
static size_t locate(struct flatbuffer *buffer, flatbuffer_table table, unsigned field)
{
	int64_t vtable;
	uint16_t length, place;

	if (!table)
		return 0;
	vtable = (int64_t)table - (int32_t)read_u32(buffer, table);
	if (vtable < 0 || (uint64_t)vtable > buffer->size) {
		buffer->damaged = true;
		return 0;
	}
	length = read_u16(buffer, (size_t)vtable);
	if (4u + 2u * field + 2u > length)
		return 0;
	place = read_u16(buffer, (size_t)vtable + 4 + 2 * field);
	return place && holds(buffer, table, place) ? table + place : 0;
}

flatbuffer_table flatbuffer_root(struct flatbuffer *buffer)
{
	return follow(buffer, 0);
}

uint8_t flatbuffer_u8(struct flatbuffer *buffer, flatbuffer_table table, unsigned field,
		      uint8_t otherwise)
{
	size_t position = locate(buffer, table, field);

	return position && holds(buffer, position, 1) ? buffer->data[position] : otherwise;
}

int32_t flatbuffer_i32(struct flatbuffer *buffer, flatbuffer_table table, unsigned field,
		       int32_t otherwise)
{
	size_t position = locate(buffer, table, field);

	return position ? (int32_t)read_u32(buffer, position) : otherwise;
}

flatbuffer_table flatbuffer_field(struct flatbuffer *buffer, flatbuffer_table table,
				  unsigned field)
{
	size_t position = locate(buffer, table, field);

	return position ? follow(buffer, position) : 0;
}

struct flatbuffer_vector flatbuffer_vector(struct flatbuffer *buffer, flatbuffer_table table,
					   unsigned field, size_t element_size)
{
	static const struct flatbuffer_vector none;
	size_t start = flatbuffer_field(buffer, table, field), size;
	uint32_t count;

	if (!start)
		return none;
	count = read_u32(buffer, start);
	if (__builtin_mul_overflow(element_size, (size_t)count, &size) ||
	    !holds(buffer, start + 4, size)) {
		buffer->damaged = true;
		return none;
	}
	return (struct flatbuffer_vector){ start + 4, count };
}

/* Where an element stands; false beyond the end. */
static bool element(struct flatbuffer *buffer, struct flatbuffer_vector vector, size_t index,
		    size_t size, size_t *ret_position)
{
	if (index >= vector.count) {
		buffer->damaged = true;
		return false;
	}
	*ret_position = vector.start + index * size;
	return true;
}

flatbuffer_table flatbuffer_table_at(struct flatbuffer *buffer, struct flatbuffer_vector vector,
				     size_t index)
{
	size_t position;

	return element(buffer, vector, index, 4, &position) ? follow(buffer, position) : 0;
}

int32_t flatbuffer_i32_at(struct flatbuffer *buffer, struct flatbuffer_vector vector,
			  size_t index)
{
	size_t position;

	return element(buffer, vector, index, 4, &position) ? (int32_t)read_u32(buffer, position) : 0;
}

int64_t flatbuffer_i64_at(struct flatbuffer *buffer, struct flatbuffer_vector vector,
			  size_t index)
{
	size_t position;
	int64_t value = 0;

	if (element(buffer, vector, index, 8, &position) && holds(buffer, position, 8))
		memcpy(&value, buffer->data + position, sizeof(value));
	return value;
}

float flatbuffer_f32_at(struct flatbuffer *buffer, struct flatbuffer_vector vector, size_t index)
{
	int32_t bits = flatbuffer_i32_at(buffer, vector, index);
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

void flatbuffer_string(struct flatbuffer *buffer, flatbuffer_table table, unsigned field,
		       char *ret_text, size_t size)
{
	struct flatbuffer_vector text = flatbuffer_vector(buffer, table, field, 1);
	size_t length = text.count < size ? text.count : size - 1;

	if (length)
		memcpy(ret_text, buffer->data + text.start, length);
	ret_text[length] = '\0';
}
