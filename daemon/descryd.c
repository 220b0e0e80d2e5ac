/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * descryd.c: the daemon's main(): command line, start, reload, end.
 *
 * Order of the start: block signals before the first thread exists; read the
 * configuration; open the voice; start the worker and connect to the bus; take
 * the name; only then say to systemd that the daemon is ready. Nothing is spoken
 * at the start, unless the configuration has a mistake: who has only a button
 * would hear nothing of it otherwise.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "daemon/config.h"
#include "daemon/failure.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/sandbox.h"
#include "daemon/service.h"
#include "daemon/speech.h"
#include "daemon/watchdog.h"

#define OVERRIDES_MAX 64
#define BUS_WAIT 60	/* seconds */
#define BUS_WAIT_MAX 86400

struct daemon {
	struct service service;
	const char *config_path;	/* --config, or NULL to look for one */
	char *found_path;
	const char *overrides[OVERRIDES_MAX];
	size_t override_count;
	bool system;
};

static const struct option long_options[] = {
	{ "system", no_argument, NULL, 's' },
	{ "config", required_argument, NULL, 'c' },
	{ "set", required_argument, NULL, 'o' },
	{ "bus-wait", required_argument, NULL, 'w' },
	{ "print-config", no_argument, NULL, 'p' },
	{ "print-manual", no_argument, NULL, 'm' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ NULL, 0, NULL, 0 },
};

static void print_help(void)
{
	size_t count;
	const struct config_section *sections = config_sections(&count);
	char allowed[256];

	fputs("Usage: descryd [OPTION…]\n"
	      "Describes pictures and speaks the descriptions, for programs that ask over D-Bus.\n\n"
	      "  --system               serve the system bus instead of the session bus\n"
	      "  --config FILE          the configuration; see descry.conf(5)\n"
	      "  --set SECTION.KEY=VALUE  overrides one key; may be repeated\n"
	      "  --bus-wait SECONDS     end when the bus is gone for so long and nothing else\n"
	      "                         needs the daemon; default: 60\n"
	      "  --print-config         print a configuration file with every default\n"
	      "  --help, --version\n\n"
	      "Keys of the configuration:\n", stdout);
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < sections[i].key_count; j++) {
			const struct config_key *key = &sections[i].keys[j];

			config_describe_key(key, allowed, sizeof(allowed));
			printf("  %s%s.%s: %s; default: %s\n", sections[i].name,
			       sections[i].most ? " NAME" : "", key->name, allowed,
			       *key->initial ? key->initial : "empty");
		}
	}
}

static bool parse_seconds(const char *text, unsigned *ret_seconds)
{
	char *end;
	unsigned long seconds = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || seconds < 1 || seconds > BUS_WAIT_MAX)
		return false;
	*ret_seconds = (unsigned)seconds;
	return true;
}

/* Returns -1 to go on, or the exit status. */
static int parse_arguments(struct daemon *daemon, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) >= 0) {
		switch (option) {
		case 's':
			daemon->system = true;
			break;
		case 'c':
			daemon->config_path = optarg;
			break;
		case 'o':
			if (daemon->override_count == OVERRIDES_MAX) {
				fprintf(stderr, "descryd: --set can be given %d times.\n",
					OVERRIDES_MAX);
				return 2;
			}
			daemon->overrides[daemon->override_count++] = optarg;
			break;
		case 'w':
			if (!parse_seconds(optarg, &daemon->service.bus_wait)) {
				fprintf(stderr, "descryd: --bus-wait must be a whole number from "
					"1 to %d.\n", BUS_WAIT_MAX);
				return 2;
			}
			break;
		case 'p':
			config_write_file(stdout);
			return 0;
		case 'm':
			config_write_manual(stdout);
			return 0;
		case 'v':
			puts("descryd " DESCRY_VERSION);
			return 0;
		case 'h':
			print_help();
			return 0;
		default:
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "descryd: \"%s\" is not an option.\n", argv[optind]);
		return 2;
	}
	return -1;
}

static const char *find_config(struct daemon *daemon)
{
	if (daemon->config_path)
		return daemon->config_path;
	free(daemon->found_path);
	return daemon->found_path = config_find(daemon->system);
}

/* The configuration of the start: what of it is right, and what is wrong with the
 * rest as service.mistake. Only a wrong command line fails. */
static int load_first(struct daemon *daemon, struct config_error *error)
{
	struct service *service = &daemon->service;
	int r = config_load_usable(find_config(daemon), daemon->overrides, daemon->override_count,
				   &service->config, error);

	service->mistake = *error;
	/* a file that was found and not asked for by name */
	if (r < 0 && r != -ENOMEM && !daemon->config_path)
		r = config_load(NULL, daemon->overrides, daemon->override_count,
				&service->config, error);
	return r;
}

static void say_mistake(struct daemon *daemon, const char *consequence)
{
	const struct config_error *mistake = &daemon->service.mistake;
	struct failure failure;
	char what[64] = "cannot be used", text[160];

	if (mistake->line)
		snprintf(what, sizeof(what), "has a mistake in line %u", mistake->line);
	snprintf(text, sizeof(text), "The configuration %s. %s", what, consequence);
	log_error("%s %s", mistake->message, consequence);
	speech_play(daemon->service.speech, TTS_SOUND_ERROR);
	speech_say(daemon->service.speech, text, TTS_NEXT, "en", &failure);
}

static void reload(struct daemon *daemon)
{
	struct config_error *mistake = &daemon->service.mistake;
	struct config *config;

	sd_notify(0, "RELOADING=1");
	if (config_load(find_config(daemon), daemon->overrides, daemon->override_count, &config,
			mistake) == 0) {
		log_set_level((enum log_level)config->log_level);
		service_configure(&daemon->service, config);
		log_info("The configuration was read again.");
	} else {
		say_mistake(daemon, "The old one stays.");
	}
	sd_notify(0, "READY=1");
}

static void on_signal(void *data, int number)
{
	struct daemon *daemon = data;

	if (number == SIGHUP)
		reload(daemon);
	else
		loop_quit(daemon->service.loop, 0);
}

static void on_speaking(void *data, bool speaking)
{
	struct daemon *daemon = data;

	(void)speaking;
	if (daemon->service.bus)
		service_changed(&daemon->service, "Speaking");
}

static int serve(struct daemon *daemon)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, 0 };
	struct speech_options speech = { .on_speaking = on_speaking, .data = daemon };
	struct service *service = &daemon->service;
	struct watchdog *watchdog = NULL;
	struct loop_source *signal_source;
	struct failure failure;
	int r;

	r = loop_add_signals(service->loop, signals, on_signal, daemon, &signal_source);
	if (r == 0)
		r = speech_open(service->loop, service->config, &speech, &service->speech);
	if (r < 0) {
		log_error("The daemon cannot start: %s.", strerror(-r));
		return 1;
	}
	if (service_open(service, daemon->system, &failure) ||
	    bus_own_name(service->bus, &failure)) {
		log_error("%s", failure.message);
		return failure_info(failure.kind)->exit_status;
	}
	if (watchdog_open(service, &watchdog) < 0)
		log_warning("The watchdog will not be fed.");
	sd_notify(0, "READY=1");
	if (*service->mistake.message)
		say_mistake(daemon, service->mistake.line ? "What is right in it is used."
							  : "The defaults are used.");
	r = loop_run(service->loop);
	sd_notify(0, "STOPPING=1");
	watchdog_free(watchdog);
	if (r < 0)
		log_error("The event loop failed: %s.", strerror(-r));
	return r < 0 ? 1 : r;
}

int main(int argc, char **argv)
{
	struct daemon daemon = { .service.bus_wait = BUS_WAIT };
	struct config_error error;
	int status;

	status = parse_arguments(&daemon, argc, argv);
	if (status >= 0)
		return status;
	signal(SIGPIPE, SIG_IGN);
	sandbox_forbid_core_dumps();
	if (load_first(&daemon, &error)) {
		log_error("%s", error.message);
		free(daemon.found_path);
		return 2;
	}
	log_set_level((enum log_level)daemon.service.config->log_level);
	status = 1;
	if (loop_open(&daemon.service.loop) == 0)
		status = serve(&daemon);
	service_close(&daemon.service);
	speech_free(daemon.service.speech);
	loop_free(daemon.service.loop);
	config_free(daemon.service.config);
	free(daemon.found_path);
	return status;
}
