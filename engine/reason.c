/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * reason.c: the names of why a caption may be wrong. Apart from what finds the
 * reasons, so that who only passes them on does not link the decoder.
 */
#include "engine/engine.h"

const char *engine_reason_name(enum engine_reason reason)
{
	static const char *const names[ENGINE_REASONS] = {
		[ENGINE_REASON_WORDS] = "words",
		[ENGINE_REASON_DISAGREEMENT] = "disagreement",
		[ENGINE_REASON_UNFAMILIAR] = "unfamiliar",
		[ENGINE_REASON_QUALITY] = "quality",
	};

	return (unsigned)reason < ENGINE_REASONS ? names[reason] : "";
}
