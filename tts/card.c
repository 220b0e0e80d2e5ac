/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * card.c: see card.h. PortAudio and ALSA are one per process, and so are the tricks
 * that keep them quiet and their way to JACK shut.
 */
#include "tts/card.h"

#include <alsa/asoundlib.h>
#include <dlfcn.h>
#include <pa_linux_alsa.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BUFFERS_PER_SECOND 50		/* the callback's buffer: 20 ms */
#define PERIODS 8			/* of the card's buffer: short ones, for a quick stop */
#define LATENCY_SECONDS 0.1		/* less underruns on several back ends */
#define LATENCY_SECONDS_LIMIT 0.5	/* what a card may ask for instead */

static bool library_ready;	/* touched by the one live thread only */

static void quiet_alsa(const char *file, int line, const char *function, int error,
		       const char *format, ...)
{
	(void)file, (void)line, (void)function, (void)error, (void)format;
}

static void quiet_jack(const char *message)
{
	(void)message;
}

/* ALSA, and the libjack behind its plug-in, print a page when a machine has no
 * sound card. libjack is there only where PortAudio was built with it. */
static void quiet(void)
{
	static const char *const setters[] = { "jack_set_error_function",
					       "jack_set_info_function" };

	snd_lib_error_set_handler(quiet_alsa);
	for (size_t i = 0; i < sizeof(setters) / sizeof(setters[0]); i++) {
		void (*set)(void (*)(const char *)) = NULL;

		*(void **)&set = dlsym(RTLD_DEFAULT, setters[i]);
		if (set)
			set(quiet_jack);
	}
}

/*
 * Descry plays through ALSA, which reaches PulseAudio, PipeWire and JACK alike.
 * PortAudio's own way to JACK is kept shut: it asserts, and so takes the whole
 * program down, when a JACK server has gone by the time of Pa_Terminate; it
 * prints when there is none, and asking for one costs 0.15 s. PortAudio has no
 * setting for that, so the one function that it asks with is answered here for
 * the client name that it uses. ALSA's JACK plug-in is passed on, and what it does
 * not ask is asked for it: to be told when the server goes, so that a stream that
 * is held goes at once.
 */
static _Thread_local struct card *opening;

static void server_gone(void *userdata)
{
	struct card *card = userdata;

	atomic_store(&card->server_gone, true);
	sem_post(card->changed);
}

void *jack_client_open(const char *name, unsigned options, unsigned *status, ...);

void *jack_client_open(const char *name, unsigned options, unsigned *status, ...)
{
	static const unsigned server_name_given = 0x04, failure = 0x01;
	void *(*next)(const char *, unsigned, unsigned *, ...) = NULL;
	void (*on_shutdown)(void *, void (*)(void *), void *) = NULL;
	uint32_t (*get_buffer_size)(void *) = NULL, (*get_sample_rate)(void *) = NULL;
	const char *server = NULL;
	void *client;
	va_list rest;

	if (!name || strcmp(name, "PortAudio"))
		*(void **)&next = dlsym(RTLD_NEXT, "jack_client_open");
	if (!next) {
		if (status)
			*status = failure;
		return NULL;
	}
	va_start(rest, status);
	if (options & server_name_given)
		server = va_arg(rest, const char *);
	va_end(rest);
	client = next(name, options, status, server);
	*(void **)&on_shutdown = dlsym(RTLD_NEXT, "jack_on_shutdown");
	*(void **)&get_buffer_size = dlsym(RTLD_NEXT, "jack_get_buffer_size");
	*(void **)&get_sample_rate = dlsym(RTLD_NEXT, "jack_get_sample_rate");
	if (client && on_shutdown && get_buffer_size && get_sample_rate && opening) {
		opening->server_period = (double)get_buffer_size(client) / get_sample_rate(client);
		on_shutdown(client, server_gone, opening);
	}
	return client;
}

void card_fail(struct card *card, const char *what, PaError code)
{
	const PaHostErrorInfo *host = code == paUnanticipatedHostError ?
		Pa_GetLastHostErrorInfo() : NULL;

	snprintf(card->message, sizeof(card->message), "%s: %s.", what,
		 host && host->errorText && *host->errorText ? host->errorText :
		 Pa_GetErrorText(code));
}

bool card_ready(void)
{
	return library_ready;
}

void card_use(struct card *card)
{
	opening = card;
}

bool card_search(struct card *card)
{
	PaError code;

	card->server_period = 0;
	atomic_store(&card->in_library, true);
	quiet();
	if (library_ready)
		Pa_Terminate();
	code = Pa_Initialize();
	PaAlsa_SetNumPeriods(PERIODS);
	library_ready = code == paNoError;
	atomic_store(&card->in_library, false);
	if (!library_ready)
		card_fail(card, "The sound system cannot be reached", code);
	return library_ready;
}

static PaDeviceIndex find_device(struct card *card)
{
	PaDeviceIndex count = Pa_GetDeviceCount();

	if (!card->name) {
		PaDeviceIndex index = Pa_GetDefaultOutputDevice();

		if (index == paNoDevice)
			snprintf(card->message, sizeof(card->message),
				 "This machine has no sound card that can be used now.");
		return index;
	}
	for (PaDeviceIndex i = 0; i < count; i++) {
		const PaDeviceInfo *info = Pa_GetDeviceInfo(i);

		if (info && info->maxOutputChannels > 0 && strcasestr(info->name, card->name))
			return i;
	}
	snprintf(card->message, sizeof(card->message),
		 "No sound card is called \"%.100s\"; check speech.device.", card->name);
	return paNoDevice;
}

PaError card_open_at(struct card *card, PaStreamCallback *callback, void *userdata,
		     unsigned rate, PaStream **ret_stream)
{
	PaStreamParameters parameters = {
		.device = find_device(card), .channelCount = 1, .sampleFormat = paInt16,
	};

	if (parameters.device == paNoDevice)
		return paInvalidDevice;
	parameters.suggestedLatency =
		Pa_GetDeviceInfo(parameters.device)->defaultHighOutputLatency;
	if (parameters.suggestedLatency < LATENCY_SECONDS)
		parameters.suggestedLatency = LATENCY_SECONDS;
	if (parameters.suggestedLatency > LATENCY_SECONDS_LIMIT)
		parameters.suggestedLatency = LATENCY_SECONDS_LIMIT;
	return Pa_OpenStream(ret_stream, NULL, &parameters, rate, rate / BUFFERS_PER_SECOND,
			     paClipOff, callback, userdata);
}

PaError card_open(struct card *card, PaStreamCallback *callback, void *userdata, unsigned *rate,
		  PaStream **ret_stream)
{
	PaDeviceIndex index = find_device(card);
	unsigned rates[4] = { *rate, 0, 48000, 44100 };
	PaError code = paInvalidDevice;

	if (index == paNoDevice)
		return code;
	rates[1] = (unsigned)Pa_GetDeviceInfo(index)->defaultSampleRate;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		if (i && (!rates[i] || rates[i] == rates[0]))
			continue;
		code = card_open_at(card, callback, userdata, rates[i], ret_stream);
		if (code == paNoError) {
			*rate = rates[i];
			return code;
		}
		*ret_stream = NULL;
	}
	card_fail(card, "The sound card cannot be opened", code);
	return code;
}

/* What PortAudio calls latency is the card's buffer less a period, so half of it
 * where there are only two periods; behind that, a JACK server holds one more. */
size_t card_tail(const struct card *card, PaStream *stream, double rate)
{
	const PaStreamInfo *info = Pa_GetStreamInfo(stream);
	double latency = info && info->outputLatency > LATENCY_SECONDS ? info->outputLatency :
		LATENCY_SECONDS;

	return (size_t)((2 * latency + card->server_period + 1.0 / BUFFERS_PER_SECOND) * rate) + 1;
}
