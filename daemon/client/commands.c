/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * commands.c: the table of commands, in the order in which help lists them.
 */
#include "daemon/client/commands.h"

const struct command *const commands[] = {
	&command_describe,
	&command_look,
	&command_focus,
	&command_screen,
	&command_clipboard,
	&command_watch,
	&command_press,
	&command_devices,
	&command_say,
	&command_repeat,
	&command_stop,
	&command_status,
	&command_set,
	&command_voices,
	&command_classify,
	&command_model_info,
	&command_model_import, &command_model_calibrate, &command_model_quantise, &command_model_quantize,
	&command_model_average,
	&command_train_convert,
	&command_train,
	&command_eval,
	&command_orca_install,
	&command_orca_remove,
	NULL,
};

const struct client_option client_global_options[] = {
	{ "json", NULL, "Print one JSON object on each line.", 'j' },
	{ "system", NULL, "Use the daemon of the system bus.", 0 },
	{ "help", NULL, "Print this.", 'h' },
};
const size_t client_global_option_count =
	sizeof(client_global_options) / sizeof(*client_global_options);
