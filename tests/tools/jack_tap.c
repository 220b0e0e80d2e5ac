/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * jack_tap.c: listens to everything that plays through a JACK server and prints
 * when sound begins and ends, in microseconds of the monotonic clock (JACK's
 * own is another). This is the listener's side: what is no longer heard here is silent,
 * whatever buffers lie before it. Ends at end of file on standard input.
 *
 * Output: "on MICROSECONDS" and "off MICROSECONDS" for each stretch of sound;
 * a stretch ends after GAP frames of digital silence.
 * With an argument, the samples are also written there, 32-bit floats, and "at INDEX
 * MICROSECONDS" for each period says when which of them played.
 */
#include <jack/jack.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EDGES 4096
#define SAMPLES (1u << 23)
#define PERIODS (1u << 17)

static jack_client_t *client;
static jack_port_t *port;
static struct { bool on; unsigned long long time; } edges[EDGES];
static _Atomic unsigned edge_count;
static float *samples;
static _Atomic unsigned sample_count;
static unsigned gap, rate;
static struct { unsigned index; unsigned long long time; } periods[PERIODS];
static unsigned period_count;

static unsigned long long microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000;
}

static void edge(bool on, unsigned long long time)
{
	if (edge_count < EDGES) {
		edges[edge_count].on = on;
		edges[edge_count].time = time;
		edge_count++;
	}
}

static int process(jack_nframes_t frames, void *userdata)
{
	static bool on;
	static unsigned silent;
	static unsigned long long last;
	const float *in = jack_port_get_buffer(port, frames);
	unsigned long long begin = microseconds();

	(void)userdata;
	if (period_count < PERIODS) {
		periods[period_count].index = sample_count;
		periods[period_count++].time = begin;
	}
	for (jack_nframes_t i = 0; i < frames; i++) {
		if (in[i] != 0.0f) {
			unsigned long long now = begin + i * 1000000ull / rate;

			if (!on)
				edge(true, now);
			on = true;
			silent = 0;
			last = now;
		} else if (on && ++silent > gap) {
			on = false;
			edge(false, last);
		}
		if (sample_count < SAMPLES)
			samples[sample_count++] = in[i];
	}
	if (on && silent > gap)
		on = false;
	return 0;
}

int main(int count, char **arguments)
{
	char byte;

	client = jack_client_open("tap", JackNoStartServer, NULL);
	samples = malloc(SAMPLES * sizeof(*samples));
	if (!client || !samples) {
		fprintf(stderr, "No JACK server.\n");
		return 1;
	}
	rate = jack_get_sample_rate(client);
	gap = rate / 2;
	port = jack_port_register(client, "in", JACK_DEFAULT_AUDIO_TYPE, JackPortIsInput, 0);
	jack_set_process_callback(client, process, NULL);
	jack_activate(client);
	printf("rate %u buffer %u\n", rate, jack_get_buffer_size(client));
	fflush(stdout);
	/* whoever plays connects to system:playback; join each of them */
	for (;;) {
		struct timeval wait = { .tv_usec = 1000 };
		fd_set set;
		const char **ports = jack_get_ports(client, NULL, JACK_DEFAULT_AUDIO_TYPE,
						    JackPortIsOutput);

		for (const char **p = ports; p && *p; p++)
			if (strncmp(*p, "system:", 7) &&
			    !jack_port_connected_to(port, *p))
				jack_connect(client, *p, jack_port_name(port));
		jack_free(ports);
		FD_ZERO(&set);
		FD_SET(0, &set);
		if (select(1, &set, NULL, NULL, &wait) > 0 && read(0, &byte, 1) <= 0)
			break;
	}
	jack_deactivate(client);
	for (unsigned i = 0; i < edge_count; i++)
		printf("%s %llu\n", edges[i].on ? "on" : "off", edges[i].time);
	if (count > 1) {
		FILE *file = fopen(arguments[1], "wb");

		for (unsigned i = 0; i < period_count; i++)
			printf("at %u %llu\n", periods[i].index, periods[i].time);
		if (file) {
			fwrite(samples, sizeof(*samples), sample_count, file);
			fclose(file);
		}
	}
	jack_client_close(client);
	return 0;
}
