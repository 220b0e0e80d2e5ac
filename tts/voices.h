/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * voices.h: eSpeak NG's voices as a list, and the choice of one from it.
 *
 * The process that speaks reads the list from eSpeak NG; the one that asks gets a
 * copy over the socket (synthesizer.h), so both choose by the same rules.
 */
#ifndef TTS_VOICES_H
#define TTS_VOICES_H

#include "tts/tts.h"

#define VOICE_BYTES 128		/* of what eSpeak NG is told, with its NUL */
#define VOICES_LIMIT 4096u

struct voice {
	char *languages;	/* eSpeak NG's own list: priority byte, name, NUL, …, NUL */
	size_t languages_bytes;
};

/* Begins as all zero. */
struct voices {
	struct tts_voice_info *infos;
	struct voice *voices;		/* as many, in the same order */
	size_t count;
	char **variants;		/* identifiers, "!v/f3" */
	char **variant_names;
	size_t variant_count;
};

/* Both copy what they are given. -EINVAL for a list of languages that does not end in
 * its own bytes, -E2BIG above VOICES_LIMIT, -ENOMEM. */
int voices_add(struct voices *voices, const struct tts_voice_info *info, const char *languages,
	       size_t languages_bytes);
int voices_add_variant(struct voices *voices, const char *identifier, const char *name);
/* Leaves it as it began. */
void voices_clear(struct voices *voices);

/* What eSpeak NG must be told for the voice a user asked for: an identifier
 * (gmw/en-US), its last part, a name (English (America)) or a language (en-us),
 * in any case, with or without +VARIANT. TTS_NO_VOICE where eSpeak NG would
 * have gone on in another voice. */
int voices_find(const struct voices *voices, const char *wanted, char ret_voice[VOICE_BYTES],
		struct tts_error *error);
/* The same for a language: `current` if it speaks it, otherwise the best voice
 * for it, a region that no voice has being ignored (de-AT: de). */
int voices_find_language(const struct voices *voices, const char *language, const char *current,
			 char ret_voice[VOICE_BYTES], struct tts_error *error);

/* The voice for languages in order of preference, ended by NULL; or NULL. Of the list. */
const struct tts_voice_info *voices_best(const struct voices *voices,
					 const char *const *languages);
/* The voice behind what voices_find gave, or NULL. */
const struct tts_voice_info *voices_info(const struct voices *voices, const char *voice);

#endif
