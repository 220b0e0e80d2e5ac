/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * about.h: what was known of a picture before it was looked at: where it comes
 * from and how its program describes it. Travels with a job as the key "about" of
 * its options and comes back as details.about.
 */
#ifndef DAEMON_ABOUT_H
#define DAEMON_ABOUT_H

#include <jansson.h>
#include <stdio.h>

/* Adds `about` (NULL: nothing) to the details of the worker's document, and words
 * a refusal for a picture of a screen as one. */
void about_apply(json_t *document, json_t *about);

/* Writes the description that the picture already has, as a sentence with a space
 * after it, if it has one. */
void about_write_description(FILE *out, json_t *details);

#endif
