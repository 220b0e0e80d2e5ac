/*
 * tts.h: the speech module's only public header.
 *
 * Text goes in, sound comes out of the loudspeaker: eSpeak NG in a process of its
 * own, a speaker thread, a lock-free ring, a PortAudio callback. Stop is immediate.
 *
 * Conventions: 0, or a negative errno, or a positive code of enum tts_status;
 * `error`, which may be NULL, then holds one plain sentence. `ret_` parameters
 * are written on success only. Nothing here prints or exits. All functions may
 * be called from any one thread (the owner's loop); none of them blocks on the
 * sound card. One struct tts per process: PortAudio's state is global.
 */
#ifndef TTS_H
#define TTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tts_status {
	TTS_OK = 0,
	TTS_NO_DEVICE = 1,	/* no sound card can be opened now; tried again at the next utterance */
	TTS_NO_VOICE = 2,	/* no such voice or language */
	TTS_OUT_OF_RANGE = 3,	/* rate, pitch or volume */
	TTS_QUEUE_FULL = 4,
	TTS_TEXT_TOO_LONG = 5,
	TTS_NO_DATA = 6,	/* eSpeak NG's data are missing */
	TTS_CRASHED = 7,	/* the text made eSpeak NG crash */
};

struct tts_error {
	char message[512];
};

struct tts;

/* When the sound card is held open, prepared and silent, so that a short sound is
 * heard at once. */
enum tts_hold {
	TTS_HOLD_SHARED,	/* where other programs can play beside it */
	TTS_HOLD_ALWAYS,	/* even where they cannot */
	TTS_HOLD_NEVER,
};

struct tts_options {
	/* The program that makes the samples: started with TTS_SYNTHESIS_ARGUMENT alone, it
	 * must call tts_synthesis_main(). NULL: this program's own file. */
	const char *program;
	const char *wav_path;	/* write what would be played here instead; NULL: play */
	const char *device;	/* PortAudio device name or part of it; NULL: default */
	enum tts_hold hold;
	const char *voice;	/* eSpeak NG voice or language; NULL: "en" */
	unsigned rate;		/* words a minute, 80 to 900; 0: 175 */
	unsigned pitch;		/* 0 to 100; 50 is the voice's own */
	unsigned volume;	/* 0 to 200 per cent; 100 is the voice's own */
};

/* Some texts make eSpeak NG crash, and none may take its speaker away: so it runs in a
 * process, which is started again when it ends. This is the whole of that process;
 * returns its exit status. `lock_in`, or NULL, is called when eSpeak NG is loaded,
 * before the first text: a sandbox must leave files to read, memory and the
 * descriptors up to 3. */
#define TTS_SYNTHESIS_ARGUMENT "--synthesis"
#define TTS_SYNTHESIS_SOCKET 3
int tts_synthesis_main(void (*lock_in)(void));

/* Starts that process and the speaker thread, and waits for the first. A missing sound card is no error: the reason
 * arrives as an event, and every utterance tries again. */
int tts_open(const struct tts_options *options, struct tts **ret_tts, struct tts_error *error);
/* Silences, joins the threads, completes a WAV file. */
struct tts *tts_free(struct tts *tts);

enum tts_priority {
	TTS_NOW,	/* stop what is spoken and queued, then say this */
	TTS_NEXT,	/* after what is being spoken, before what is queued as idle */
	TTS_IDLE,	/* only when nothing else is waiting */
};

/* Queues plain text (UTF-8; no markup is interpreted, control characters are
 * dropped). `language` overrides the voice for this utterance, or NULL. */
int tts_say(struct tts *tts, const char *text, enum tts_priority priority,
	    const char *language, uint64_t *ret_utterance, struct tts_error *error);
/* Whether tts_say would take this text in this language; says nothing. */
int tts_check(struct tts *tts, const char *text, const char *language, struct tts_error *error);
/* Says the last utterance again, at once. -ENOENT when there was none. */
int tts_repeat(struct tts *tts, uint64_t *ret_utterance, struct tts_error *error);
/* Silence within one audio buffer; the queue is emptied. */
void tts_stop(struct tts *tts);
/* For a machine that has slept: silence, and sound cards are looked for and opened
 * anew before the next utterance. */
void tts_renew(struct tts *tts);
bool tts_speaking(const struct tts *tts);
/* For a watchdog: nudges the synthesis thread and says whether it has answered
 * since the last call; true the first time. Call it at most every 10 s: opening
 * a sound card that hangs takes that long before it is given up. */
bool tts_alive(struct tts *tts);

enum tts_sound {
	TTS_SOUND_TICK,		/* working */
	TTS_SOUND_SHUTTER,	/* camera taken */
	TTS_SOUND_ERROR,
	TTS_SOUND_PRESS,	/* a key press was noticed */
	TTS_SOUND_PAUSE,	/* lens covered */
	TTS_SOUND_RESUME,	/* lens uncovered */
};
/* Heard within milliseconds where the sound card is held; else after it is opened.
 * Dropped while speech plays or waits; after a stop it is played beside what is
 * still on its way out. The next sound cuts it short; speech waits for its end. */
int tts_play(struct tts *tts, enum tts_sound sound);

int tts_set_voice(struct tts *tts, const char *voice, struct tts_error *error);
int tts_set_rate(struct tts *tts, unsigned rate, struct tts_error *error);
int tts_set_pitch(struct tts *tts, unsigned pitch, struct tts_error *error);
int tts_set_volume(struct tts *tts, unsigned volume, struct tts_error *error);
const char *tts_voice(const struct tts *tts);
unsigned tts_rate(const struct tts *tts);
unsigned tts_pitch(const struct tts *tts);
unsigned tts_volume(const struct tts *tts);

struct tts_voice_info {
	const char *name, *language, *identifier;
	char gender;	/* 'm', 'f' or '-' */
};
/* The list is owned by `tts` and lives as long. */
void tts_voices(const struct tts *tts, const struct tts_voice_info **ret_voices,
		size_t *ret_count);

enum tts_event_kind {
	TTS_EVENT_STARTED,	/* first sample handed to the device */
	TTS_EVENT_FINISHED,	/* last sample played */
	TTS_EVENT_STOPPED,	/* cut short or dropped from the queue */
	TTS_EVENT_FAILED,	/* could not be spoken; `message` says why */
	TTS_EVENT_CRASHED,	/* the same, because the text made eSpeak NG crash */
	TTS_EVENT_DEVICE,	/* the sound card came or went; `message` says which */
};
struct tts_event {
	enum tts_event_kind kind;
	uint64_t utterance;	/* 0 for TTS_EVENT_DEVICE */
	char message[256];
};
/* Readable when events wait; owned by `tts`. */
int tts_event_fd(const struct tts *tts);
/* False when none waits. */
bool tts_next_event(struct tts *tts, struct tts_event *ret_event);

#endif
