/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * card.h: the sound card as PortAudio has it: which one it is, how a stream on it is
 * opened, what lies in its buffers. All functions belong to one thread, the one that
 * called card_use; each may take as long as the card likes.
 */
#ifndef TTS_CARD_H
#define TTS_CARD_H

#include <portaudio.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

struct card {
	const char *name;		/* or part of it; NULL: the default. Borrowed */
	sem_t *changed;			/* posted when the JACK server goes. Borrowed */
	_Atomic bool server_gone;
	_Atomic bool in_library;	/* inside Pa_Initialize or Pa_Terminate */
	double server_period;		/* seconds, of the JACK server behind it; 0: none */
	char message[256];		/* why the last call failed */
};

/* This thread opens streams on this card from now on. */
void card_use(struct card *card);
/* Whether PortAudio has looked for cards. */
bool card_ready(void);
/* Lets it look, anew; every stream has to be closed. */
bool card_search(struct card *card);

/* A stream of one channel of 16 bits, without a callback where that is NULL, at the
 * rate asked for or at the next best that the card takes. */
PaError card_open(struct card *card, PaStreamCallback *callback, void *userdata, unsigned *rate,
		  PaStream **ret_stream);
/* The same at this rate only. */
PaError card_open_at(struct card *card, PaStreamCallback *callback, void *userdata,
		     unsigned rate, PaStream **ret_stream);
/* Frames that may lie between the callback and the loudspeaker, and one buffer. */
size_t card_tail(const struct card *card, PaStream *stream, double rate);
/* Puts into `message` what failed and what the host API says; PortAudio's own text is
 * often vague. */
void card_fail(struct card *card, const char *what, PaError code);

#endif
