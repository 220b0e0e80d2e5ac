/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * image_exif.c: the one thing the engine wants from EXIF, which side is up.
 * libexif reads it, because cameras write EXIF in every way the standard allows
 * and some that it does not.
 */
#include <libexif/exif-data.h>

#include "engine/image.h"

enum image_orientation image_exif_orientation(const uint8_t *data, size_t size)
{
	enum image_orientation orientation = IMAGE_UPRIGHT;
	ExifData *exif;
	ExifEntry *entry;

	exif = exif_data_new();
	if (!exif)
		return orientation;
	/* a faulty tag is left as it is; nothing is written back */
	exif_data_unset_option(exif, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
	exif_data_load_data(exif, data, (unsigned)size);
	entry = exif_content_get_entry(exif->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
	if (entry && entry->format == EXIF_FORMAT_SHORT && entry->components >= 1 &&
	    entry->data && entry->size >= 2) {
		unsigned value = exif_get_short(entry->data, exif_data_get_byte_order(exif));

		if (value >= IMAGE_UPRIGHT && value <= IMAGE_ROTATED_270)
			orientation = value;
	}
	exif_data_unref(exif);
	return orientation;
}
