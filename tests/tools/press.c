/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * press.c: a virtual keyboard named "Descry test" by uinput, played from a pipe
 * until its writers are gone:
 *
 *   press KEY           down and up
 *   hold KEY MS         down, and up after so many milliseconds
 *   chord KEY KEY       both down, both up
 */
#include <errno.h>
#include <fcntl.h>
#include <libevdev/libevdev-uinput.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/keys.h"

static struct libevdev_uinput *output;

static void key(const char *name, int value)
{
	int code = keys_code(name);

	if (code < 0) {
		fprintf(stderr, "press: there is no key %s\n", name);
		exit(1);
	}
	libevdev_uinput_write_event(output, EV_KEY, (unsigned)code, value);
	libevdev_uinput_write_event(output, EV_SYN, SYN_REPORT, 0);
}

int main(int argc, char **argv)
{
	static const char *const keys[] = { "f9", "leftctrl", "d" };
	struct libevdev *device = libevdev_new();
	char line[128], first[32], second[32];
	FILE *input;
	int r;

	if (argc != 2 || !device) {
		fputs("usage: press PIPE\n", stderr);
		return 2;
	}
	libevdev_set_name(device, "Descry test keyboard");
	libevdev_enable_event_type(device, EV_KEY);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		libevdev_enable_event_code(device, EV_KEY, (unsigned)keys_code(keys[i]), NULL);
	r = libevdev_uinput_create_from_device(device, LIBEVDEV_UINPUT_OPEN_MANAGED, &output);
	if (r < 0) {
		fprintf(stderr, "press: no virtual keyboard: %s\n", strerror(-r));
		return 1;
	}
	input = fopen(argv[1], "r");
	while (input && fgets(line, sizeof(line), input)) {
		if (sscanf(line, "press %31s", first) == 1) {
			key(first, 1);
			usleep(60000);
			key(first, 0);
			usleep(120000);
		} else if (sscanf(line, "hold %31s %31s", first, second) == 2) {
			key(first, 1);
			usleep((useconds_t)atoi(second) * 1000);
			key(first, 0);
		} else if (sscanf(line, "chord %31s %31s", first, second) == 2) {
			key(first, 1);
			usleep(40000);
			key(second, 1);
			usleep(60000);
			key(second, 0);
			key(first, 0);
		}
	}
	if (input)
		fclose(input);
	libevdev_uinput_destroy(output);
	libevdev_free(device);
	return 0;
}
