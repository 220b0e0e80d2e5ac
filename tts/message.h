/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * message.h: what goes over the socket between the speech module and the process
 * that makes its samples, one packet of a SOCK_SEQPACKET pair each.
 *
 *   to the process    SPEAK    number: none; settings; bytes: voice NUL text NUL
 *                     STOP     ends what is being spoken, if anything is
 *   to the module     VOICE    number: gender; bytes: name NUL identifier NUL languages
 *                     VARIANT  bytes: identifier NUL name NUL
 *                     READY    number: samples a second, once, after those two
 *                     SAMPLES  bytes: 16-bit samples
 *                     END      of a SPEAK, or instead of READY: number: as tts.h's
 *                              functions return; bytes: the error's sentence NUL
 *
 * Both ends are the same program, so a packet is the structure as it lies in memory.
 * What arrives is checked all the same: the process may have been taken over by a text.
 */
#ifndef TTS_MESSAGE_H
#define TTS_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "tts/text.h"
#include "tts/voices.h"

#define MESSAGE_BYTES (TEXT_BYTES_LIMIT + VOICE_BYTES + 2)

enum message_kind {
	MESSAGE_SPEAK = 1,
	MESSAGE_STOP,
	MESSAGE_VOICE,
	MESSAGE_VARIANT,
	MESSAGE_READY,
	MESSAGE_SAMPLES,
	MESSAGE_END,
};

struct message {
	uint32_t kind;
	int32_t number;
	uint32_t rate, pitch, volume;
	size_t size;		/* of what is used of `bytes` */
	_Alignas(int16_t) char bytes[MESSAGE_BYTES];
};

/* Appends to `bytes`; false when there is no room. */
bool message_add(struct message *message, const void *bytes, size_t size);
/* The string at `*at` of `bytes`, and `*at` past it; NULL when none ends there. */
const char *message_string(const struct message *message, size_t *at);

/* `flags` are send's and recv's. 0 or a negative errno; -EAGAIN: not without waiting. */
int message_send(int socket, const struct message *message, int flags);
/* 1, 0 at the end, or a negative errno: -EBADMSG for what is no message. */
int message_receive(int socket, struct message *message, int flags);

#endif
