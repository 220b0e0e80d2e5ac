/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * commands.h: the commands that exist, each defined in the file of its group.
 */
#ifndef CLIENT_COMMANDS_H
#define CLIENT_COMMANDS_H

#include "daemon/client/command.h"

/* describe.c */
extern const struct command command_describe;
/* look.c */
extern const struct command command_look, command_watch, command_press, command_devices;
extern const struct command command_focus, command_screen, command_clipboard;
/* voice.c */
extern const struct command command_say, command_repeat, command_stop, command_voices;
/* status.c */
extern const struct command command_status, command_set;
/* model.c */
extern const struct command command_model_info, command_model_import, command_classify;
/* train.c */
extern const struct command command_train, command_train_convert;
/* trust.c */
extern const struct command command_model_calibrate;
/* eval.c */
extern const struct command command_eval;
/* orca.c */
extern const struct command command_orca_install, command_orca_remove;
/* average.c */
extern const struct command command_model_average;
/* quantise.c */
extern const struct command command_model_quantise, command_model_quantize;

#endif
