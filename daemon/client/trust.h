/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * trust.h: how sure a model is and how right, fitted or only judged.
 */
#ifndef CLIENT_TRUST_H
#define CLIENT_TRUST_H

#include "daemon/client/command.h"
#include "engine/lab/lab.h"

/* Runs the calibration and prints its report; writes it into the folder that the
 * option --report names. `output` NULL: no model is written. Returns the exit status. */
int trust_run(struct client *client, struct lab_calibrate_options *options, const char *output);

#endif
