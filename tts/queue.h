/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * queue.h: what is still to be said, and in which order. Plain data without a
 * lock: its owner guards it.
 *
 * Sounds come first (they are short and belong to what just happened), then
 * the utterances asked for with TTS_NOW or TTS_NEXT, then the idle ones; first
 * come, first served within each. A ceiling keeps a runaway caller from
 * filling memory with speech that nobody will hear.
 */
#ifndef TTS_QUEUE_H
#define TTS_QUEUE_H

#include "tts/tts.h"

#define QUEUE_UTTERANCES_LIMIT 64u
#define QUEUE_SOUNDS_LIMIT 4u

struct utterance {
	struct utterance *next;
	uint64_t id;		/* 0: a sound */
	enum tts_sound sound;
	char *text;		/* clean UTF-8; owned */
	char *language;		/* or NULL; owned */
};
struct utterance *utterance_new(uint64_t id, const char *text, const char *language);
struct utterance *utterance_sound(enum tts_sound sound);
struct utterance *utterance_free(struct utterance *utterance);

enum queue_lane { QUEUE_SOUND, QUEUE_NEXT, QUEUE_IDLE, QUEUE_LANES };

struct queue {
	struct utterance *head[QUEUE_LANES], *tail[QUEUE_LANES];
	size_t sounds, utterances;
};

/* Takes `utterance` when it returns true; false: the lane is full. */
bool queue_push(struct queue *queue, enum queue_lane lane, struct utterance *utterance);
/* The next in order, now the caller's; NULL when empty. */
struct utterance *queue_pop(struct queue *queue);
/* What queue_pop would return; the queue's own. */
const struct utterance *queue_peek(const struct queue *queue);
/* Removes all utterances, and the sounds too if asked, as a list that is the caller's. */
struct utterance *queue_take(struct queue *queue, bool sounds_too);
static inline bool queue_empty(const struct queue *queue)
{
	return !queue->sounds && !queue->utterances;
}

#endif
