/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * describe.c: `descry describe`, through the daemon or, with --local, with
 * nothing but the engine and the voice in this process. Both ways print the same
 * document. Of several pictures each sentence is spoken in turn, so the client
 * asks for silent descriptions and queues the speech itself.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/client/commands.h"
#include "daemon/client/picture.h"
#include "daemon/describe.h"
#include "daemon/phrase.h"
#include "daemon/program.h"
#include "daemon/quality.h"
#include "daemon/trust.h"
#include "daemon/variant.h"
#include "tts/tts.h"

static const struct client_option options_table[] = {
	{ "local", NULL, "Describe in this process: no daemon and no bus.", 'l' },
	{ "quiet", NULL, "Do not speak. This is the default with --json.", 'q' },
	{ "speak", NULL, "Speak, with --json too.", 's' },
	{ "anything", NULL, "Describe it however bad the picture looks.", 'A' },
	{ "beam", "N", "Sentences weighed side by side, 1 to 10.", 'b' },
	{ "alternatives", "N", "Different sentences wanted, 1 to 10.", 'a' },
	{ "verbosity", "LEVEL", "brief, normal or full: how much is printed and spoken.", 'v' },
	{ "model", "FILE", "With --local: the model file.", 'm' },
	{ "threads", "N", "With --local: processor threads, 1 to 16.", 't' },
	{ "wav", "FILE", "With --local: write the speech into this WAV file.", 'w' },
};

struct session {
	struct client *client;
	struct describe_options options;
	enum config_verbosity verbosity;
	bool speak, many;
	/* --local */
	struct config *config;
	struct engine_model *model;
	struct engine_context *context;
	struct tts *tts;
	unsigned unspoken;	/* utterances not finished yet */
	json_t *told;		/* what was said about the voice, as keys */
};

/* --- Through the daemon ----------------------------------------------------- */

static DBusMessage *describe_call(const struct session *session, int fd)
{
	DBusMessage *call = client_call_new("Describe");
	json_t *options = json_pack("{s:b, s:s}", "speak", session->speak && !session->many,
				    "verbosity", config_verbosities[session->verbosity]);

	if (session->options.anything)
		json_object_set_new(options, "anything", json_true());
	if (session->options.beam)
		json_object_set_new(options, "beam", json_integer(session->options.beam));
	if (session->options.alternatives)
		json_object_set_new(options, "alternatives",
				    json_integer(session->options.alternatives));
	if (call) {
		dbus_message_append_args(call, DBUS_TYPE_UNIX_FD, &fd, DBUS_TYPE_INVALID);
		client_append_options(call, options);
	}
	json_decref(options);
	return call;
}

static int describe_by_daemon(struct session *session, int fd, json_t **ret_document,
			      struct failure *failure)
{
	DBusMessage *reply;
	DBusMessageIter iter;
	json_t *caption, *details;
	int r;

	r = client_call(session->client, describe_call(session, fd), true, &reply, failure);
	if (r)
		return r;
	dbus_message_iter_init(reply, &iter);
	caption = variant_read(&iter);
	dbus_message_iter_next(&iter);
	details = variant_read(&iter);
	dbus_message_unref(reply);
	if (!json_is_string(caption) || !json_is_object(details)) {
		json_decref(caption);
		json_decref(details);
		return failure_set(failure, FAILURE_FAILED, "The daemon's answer cannot be read.");
	}
	*ret_document = json_pack("{s:o, s:o}", "caption", caption, "details", details);
	return 0;
}

static int say_by_daemon(struct session *session, const char *text, struct failure *failure)
{
	DBusMessage *call = client_call_new("Say");
	json_t *options = json_pack("{s:s}", "priority", "next");

	if (call) {
		dbus_message_append_args(call, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
		client_append_options(call, options);
	}
	json_decref(options);
	return client_call(session->client, call, true, NULL, failure);
}

/* --- Alone ------------------------------------------------------------------ */

static int open_engine(struct session *session, struct failure *failure)
{
	const char *path = client_value(session->client, "model");
	struct engine_context_options options = { .threads = session->config->model_threads };
	struct engine_error error = { "" };
	int r;

	r = client_number(session->client, "threads", 1, 16, options.threads, &options.threads,
			  failure);
	if (r)
		return r;
	if (!path)
		path = config_model_path(session->config);
	r = engine_model_open(path, &session->model, &error);
	if (r == 0)
		r = engine_context_open(session->model, &options, &session->context, &error);
	if (r == 0)
		return 0;
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return failure_set(failure, FAILURE_BAD_MODEL, "There is no model file %s. Install "
				   "the package descry-model-en, or give another with --model FILE.",
				   path);
	failure_from_engine(failure, r, error.message);
	failure->kind = FAILURE_BAD_MODEL;
	return 1;
}

static int open_voice(struct session *session, struct failure *failure)
{
	const struct config *config = session->config;
	const char *wav = client_value(session->client, "wav");
	char *program = program_find("descry-speech");
	struct tts_options options = {
		.program = program, .wav_path = wav ? wav : config->speech_wav, .device = config->speech_device,
		.voice = config->speech_voice, .rate = config->speech_rate,
		.pitch = config->speech_pitch, .volume = config->speech_volume,
	};
	struct tts_error error = { "" };
	int r = tts_open(&options, &session->tts, &error);

	free(program);
	return r ? failure_from_tts(failure, r, error.message) : 0;
}

/* A reason that holds for every sentence is given once. */
static void tell(struct session *session, const char *message)
{
	if (json_object_get(session->told, message))
		return;
	json_object_set_new(session->told, message, json_true());
	fprintf(stderr, "descry: %s\n", message);
}

/* Handles what the voice reports; with `wait`, until all has been spoken. */
static void listen(struct session *session, bool wait)
{
	struct tts_event event;

	while (session->unspoken > 0) {
		struct pollfd poller = { .fd = tts_event_fd(session->tts), .events = POLLIN };

		if (poll(&poller, 1, wait ? -1 : 0) <= 0 && !wait)
			return;
		while (tts_next_event(session->tts, &event)) {
			if (event.kind == TTS_EVENT_FAILED || event.kind == TTS_EVENT_CRASHED ||
			    event.kind == TTS_EVENT_DEVICE)
				tell(session, event.message);
			if (event.kind == TTS_EVENT_FINISHED || event.kind == TTS_EVENT_STOPPED ||
			    event.kind == TTS_EVENT_FAILED || event.kind == TTS_EVENT_CRASHED)
				session->unspoken--;
		}
	}
}

static int say_alone(struct session *session, const char *text, struct failure *failure)
{
	struct tts_error error = { "" };
	uint64_t utterance;
	int r;

	listen(session, false);
	r = tts_say(session->tts, text, TTS_NEXT, NULL, &utterance, &error);
	if (r)
		return failure_from_tts(failure, r, error.message);
	session->unspoken++;
	return 0;
}

/* --- Both ------------------------------------------------------------------- */

static void print_document(const struct session *session, const char *path, json_t *document)
{
	json_t *details = json_object_get(document, "details");
	const char *caption = json_string_value(json_object_get(document, "caption"));
	json_t *warning;
	char *text;
	size_t i;

	if (session->client->json) {
		json_object_set_new(document, "file", json_string(path));
		client_print_json(json_incref(document));
		return;
	}
	if (session->verbosity != VERBOSITY_BRIEF)
		json_array_foreach(json_object_get(details, "warnings"), i, warning)
			fprintf(stderr, "descry: %s: %s\n", path, json_string_value(warning));
	if (session->many)
		printf("%s: ", path);
	/* warnings stand on standard error already */
	text = session->verbosity == VERBOSITY_FULL
		       ? phrase_caption(caption, details, VERBOSITY_FULL) : NULL;
	puts(text ? text : caption);
	free(text);
	fflush(stdout);
}

static int speak_document(struct session *session, json_t *document, struct failure *failure)
{
	const char *caption = json_string_value(json_object_get(document, "caption"));
	char *text = phrase_caption(caption, json_object_get(document, "details"),
				    session->verbosity);
	int r;

	if (!text)
		return failure_set(failure, FAILURE_FAILED, "Out of memory.");
	r = session->tts ? say_alone(session, text, failure)
			 : say_by_daemon(session, text, failure);
	free(text);
	return r;
}

static int describe_file(struct session *session, const char *path)
{
	struct client *client = session->client;
	bool local = session->context != NULL;
	struct failure failure;
	json_t *document = NULL;
	int fd, r;

	if (picture_open(path, &fd, &failure))
		return client_fail(client, path, &failure);
	r = local ? describe_picture(session->model, session->context, fd, NULL, &session->options,
				     NULL, &document, &failure)
		  : describe_by_daemon(session, fd, &document, &failure);
	close(fd);
	if (r)
		return client_fail(client, path, &failure);
	print_document(session, path, document);
	/* the sentence is there; that it cannot be heard is worth a word, no more */
	if (session->speak && (local || session->many) &&
	    speak_document(session, document, &failure))
		tell(session, failure.message);
	r = phrase_refused(json_object_get(document, "details"))
		    ? failure_info(FAILURE_REFUSED)->exit_status : 0;
	json_decref(document);
	return r;
}

static int read_session(struct session *session, struct failure *failure)
{
	struct client *client = session->client;
	const char *verbosity = client_value(client, "verbosity");
	int r;

	session->speak = client_has(client, "speak") || client_has(client, "wav") ||
			 !(client->json || client_has(client, "quiet"));
	session->options.anything = client_has(client, "anything");
	session->verbosity = VERBOSITY_NORMAL;
	for (unsigned i = 0; verbosity && i <= VERBOSITY_COUNT; i++) {
		if (i == VERBOSITY_COUNT)
			return failure_set(failure, FAILURE_USAGE,
					   "--verbosity must be brief, normal or full.");
		if (strcmp(config_verbosities[i], verbosity) == 0) {
			session->verbosity = (enum config_verbosity)i;
			break;
		}
	}
	r = client_number(client, "beam", 1, 10, 0, &session->options.beam, failure);
	if (r == 0)
		r = client_number(client, "alternatives", 1, 10, 0,
				  &session->options.alternatives, failure);
	return r;
}

static int open_alone(struct session *session, struct failure *failure)
{
	struct failure silent;
	int r = client_config(session->client, &session->config, failure);

	if (r == 0) {
		quality_limits(session->config, &session->options.limits);
		session->options.trust = trust_bounds(session->config);
		r = open_engine(session, failure);
	}
	if (r == 0 && session->speak && open_voice(session, &silent)) {
		tell(session, silent.message);
		session->speak = false;
	}
	return r;
}

static int run_describe(struct client *client, int argc, char **argv)
{
	struct session session = { .client = client, .many = argc > 1 };
	struct failure failure;
	int status = 0;

	if (argc == 0)
		return client_usage(client, "Name a picture, or - for standard input.");
	if (!client_has(client, "local") &&
	    (client_has(client, "model") || client_has(client, "threads") ||
	     client_has(client, "wav")))
		return client_usage(client, "--model, --threads and --wav go with --local.");
	session.told = json_object();
	if (read_session(&session, &failure) ||
	    (client_has(client, "local") && open_alone(&session, &failure))) {
		status = client_fail(client, NULL, &failure);
	} else {
		for (int i = 0; i < argc; i++) {
			int r = describe_file(&session, argv[i]);

			if (status == 0)
				status = r;
		}
		if (session.tts)
			listen(&session, true);
	}
	tts_free(session.tts);
	engine_context_free(session.context);
	engine_model_free(session.model);
	config_free(session.config);
	json_decref(session.told);
	return status;
}

const struct command command_describe = {
	.name = "describe", .arguments = "FILE…|-",
	.help = "Describes pictures and speaks the sentences. A picture is a JPEG or PNG file; - is "
		"standard input. Of several pictures that fail, the first decides the exit status.",
	.options = options_table, .option_count = sizeof(options_table) / sizeof(*options_table),
	.run = run_describe,
};
