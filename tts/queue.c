/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * queue.c: three first-in, first-out lists that are emptied in order.
 */
#include "tts/queue.h"

#include <stdlib.h>
#include <string.h>

struct utterance *utterance_free(struct utterance *utterance)
{
	if (utterance) {
		free(utterance->text);
		free(utterance->language);
		free(utterance);
	}
	return NULL;
}

struct utterance *utterance_new(uint64_t id, const char *text, const char *language)
{
	struct utterance *utterance = calloc(1, sizeof(*utterance));

	if (!utterance)
		return NULL;
	utterance->id = id;
	utterance->text = strdup(text);
	utterance->language = language ? strdup(language) : NULL;
	if (!utterance->text || (language && !utterance->language))
		return utterance_free(utterance);
	return utterance;
}

struct utterance *utterance_sound(enum tts_sound sound)
{
	struct utterance *utterance = calloc(1, sizeof(*utterance));

	if (utterance)
		utterance->sound = sound;
	return utterance;
}

bool queue_push(struct queue *queue, enum queue_lane lane, struct utterance *utterance)
{
	size_t *count = lane == QUEUE_SOUND ? &queue->sounds : &queue->utterances;
	size_t limit = lane == QUEUE_SOUND ? QUEUE_SOUNDS_LIMIT : QUEUE_UTTERANCES_LIMIT;

	if (*count >= limit)
		return false;
	utterance->next = NULL;
	if (queue->tail[lane])
		queue->tail[lane]->next = utterance;
	else
		queue->head[lane] = utterance;
	queue->tail[lane] = utterance;
	++*count;
	return true;
}

const struct utterance *queue_peek(const struct queue *queue)
{
	for (int lane = 0; lane < QUEUE_LANES; lane++)
		if (queue->head[lane])
			return queue->head[lane];
	return NULL;
}

struct utterance *queue_pop(struct queue *queue)
{
	for (int lane = 0; lane < QUEUE_LANES; lane++) {
		struct utterance *utterance = queue->head[lane];

		if (!utterance)
			continue;
		queue->head[lane] = utterance->next;
		if (!utterance->next)
			queue->tail[lane] = NULL;
		utterance->next = NULL;
		if (lane == QUEUE_SOUND)
			queue->sounds--;
		else
			queue->utterances--;
		return utterance;
	}
	return NULL;
}

struct utterance *queue_take(struct queue *queue, bool sounds_too)
{
	struct utterance *first = NULL, **end = &first;

	for (int lane = sounds_too ? QUEUE_SOUND : QUEUE_NEXT; lane < QUEUE_LANES; lane++) {
		*end = queue->head[lane];
		if (queue->tail[lane])
			end = &queue->tail[lane]->next;
		queue->head[lane] = queue->tail[lane] = NULL;
	}
	queue->utterances = 0;
	if (sounds_too)
		queue->sounds = 0;
	return first;
}
