/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mjpeg.c: the splitter, a state machine over JPEG's marker syntax (ITU-T T.81,
 * annex B).
 *
 * It reads each byte once. Long stretches (entropy-coded data, segment bodies,
 * the rubbish between pictures) are copied or skipped by the run, so the cost
 * is that of memchr and memcpy. No picture data are interpreted here: a picture
 * that this file passes on may still be damaged inside.
 */
#include "daemon/mjpeg.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum state {
	SEEK,		/* outside a picture */
	SEEK_FF,	/* outside, after FF */
	MARKER,		/* a marker's FF must come */
	MARKER_FF,	/* after FF, its code or a fill byte must come */
	LENGTH_HIGH,
	LENGTH_LOW,
	SEGMENT,	/* `left` bytes of a segment's body */
	SCAN,		/* entropy-coded data */
	SCAN_FF,	/* in it, after FF */
};

enum {
	CODE_RST0 = 0xd0,
	CODE_RST7 = 0xd7,
	CODE_SOI = 0xd8,
	CODE_EOI = 0xd9,
	CODE_SOS = 0xda,
	CODE_TEM = 0x01,
};

static const size_t first_capacity = 64 * 1024;

struct mjpeg {
	uint8_t *data;
	size_t size, capacity, limit;
	enum state state;
	uint8_t code;		/* of the segment at hand */
	size_t left;
	uint64_t started_us;
	struct mjpeg_counts counts;
};

int mjpeg_open(size_t limit, struct mjpeg **ret_mjpeg)
{
	struct mjpeg *mjpeg = calloc(1, sizeof(*mjpeg));

	if (!mjpeg)
		return -ENOMEM;
	mjpeg->limit = limit;
	*ret_mjpeg = mjpeg;
	return 0;
}

struct mjpeg *mjpeg_free(struct mjpeg *mjpeg)
{
	if (mjpeg) {
		free(mjpeg->data);
		free(mjpeg);
	}
	return NULL;
}

void mjpeg_reset(struct mjpeg *mjpeg)
{
	mjpeg->size = 0;
	mjpeg->state = SEEK;
}

struct mjpeg_counts mjpeg_counts(const struct mjpeg *mjpeg)
{
	return mjpeg->counts;
}

/* 0, -E2BIG (the picture was dropped) or -ENOMEM (likewise). */
static int append(struct mjpeg *mjpeg, const uint8_t *data, size_t size)
{
	size_t needed;

	if (__builtin_add_overflow(mjpeg->size, size, &needed) || needed > mjpeg->limit) {
		mjpeg->counts.too_large++;
		mjpeg_reset(mjpeg);
		return -E2BIG;
	}
	if (needed > mjpeg->capacity) {
		size_t capacity = mjpeg->capacity ? mjpeg->capacity : first_capacity;
		uint8_t *grown;

		while (capacity < needed)
			capacity *= 2;
		if (capacity > mjpeg->limit)
			capacity = mjpeg->limit;
		grown = realloc(mjpeg->data, capacity);
		if (!grown) {
			mjpeg_reset(mjpeg);
			return -ENOMEM;
		}
		mjpeg->data = grown;
		mjpeg->capacity = capacity;
	}
	memcpy(mjpeg->data + mjpeg->size, data, size);
	mjpeg->size = needed;
	return 0;
}

static int begin(struct mjpeg *mjpeg, uint64_t now_us)
{
	static const uint8_t start[] = { 0xff, CODE_SOI };

	mjpeg->size = 0;
	mjpeg->state = MARKER;
	mjpeg->started_us = now_us;
	return append(mjpeg, start, sizeof(start));
}

/* The code of a marker inside a picture; FF before it is stored already. */
static int take_code(struct mjpeg *mjpeg, uint8_t code, uint64_t now_us, mjpeg_function *function, void *user)
{
	int r;

	if (code == CODE_SOI) {
		mjpeg->counts.damaged++;
		return begin(mjpeg, now_us);
	}
	if (code == 0x00) {
		mjpeg->counts.damaged++;
		mjpeg_reset(mjpeg);
		return 0;
	}
	r = append(mjpeg, &code, 1);
	if (r)
		return r;
	if (code == CODE_EOI) {
		mjpeg->counts.pictures++;
		mjpeg->state = SEEK;
		function(mjpeg->data, mjpeg->size, mjpeg->started_us, user);
		mjpeg->size = 0;
	} else if (code == CODE_TEM || (code >= CODE_RST0 && code <= CODE_RST7)) {
		mjpeg->state = MARKER;
	} else {
		mjpeg->code = code;
		mjpeg->state = LENGTH_HIGH;
	}
	return 0;
}

int mjpeg_feed(struct mjpeg *mjpeg, const void *data, size_t size, uint64_t now_us,
	       mjpeg_function *function, void *user)
{
	const uint8_t *p = data, *const end = p + size;
	int failed = 0;

	while (p < end) {
		const uint8_t *found;
		size_t run;
		int r = 0;

		switch (mjpeg->state) {
		case SEEK:
			found = memchr(p, 0xff, (size_t)(end - p));
			if (!found)
				return failed;
			p = found + 1;
			mjpeg->state = SEEK_FF;
			break;
		case SEEK_FF:
			if (*p == CODE_SOI)
				r = begin(mjpeg, now_us);
			else if (*p != 0xff)
				mjpeg->state = SEEK;
			p++;
			break;
		case MARKER:
			if (*p != 0xff) {
				mjpeg->counts.damaged++;
				mjpeg_reset(mjpeg);
				break;
			}
			mjpeg->state = MARKER_FF;
			r = append(mjpeg, p++, 1);
			break;
		case MARKER_FF:
			if (*p == 0xff)
				r = append(mjpeg, p, 1);
			else
				r = take_code(mjpeg, *p, now_us, function, user);
			p++;
			break;
		case LENGTH_HIGH:
			mjpeg->left = (size_t)*p << 8;
			mjpeg->state = LENGTH_LOW;
			r = append(mjpeg, p++, 1);
			break;
		case LENGTH_LOW:
			mjpeg->left |= *p;
			if (mjpeg->left < 2) {
				mjpeg->counts.damaged++;
				mjpeg_reset(mjpeg);
				break;
			}
			mjpeg->left -= 2;
			mjpeg->state = SEGMENT;
			r = append(mjpeg, p++, 1);
			break;
		case SEGMENT:
			run = (size_t)(end - p);
			if (run > mjpeg->left)
				run = mjpeg->left;
			mjpeg->left -= run;
			if (!mjpeg->left)
				mjpeg->state = mjpeg->code == CODE_SOS ? SCAN : MARKER;
			r = append(mjpeg, p, run);
			p += run;
			break;
		case SCAN:
			found = memchr(p, 0xff, (size_t)(end - p));
			run = found ? (size_t)(found - p) + 1 : (size_t)(end - p);
			if (found)
				mjpeg->state = SCAN_FF;
			r = append(mjpeg, p, run);
			p += run;
			break;
		case SCAN_FF:
			if (*p == 0x00 || (*p >= CODE_RST0 && *p <= CODE_RST7)) {
				mjpeg->state = SCAN;
				r = append(mjpeg, p, 1);
			} else if (*p == 0xff) {
				r = append(mjpeg, p, 1);
			} else {
				r = take_code(mjpeg, *p, now_us, function, user);
			}
			p++;
			break;
		}
		if (r == -ENOMEM)
			failed = r;
	}
	return failed;
}
