/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * average.c: `descry model average`: one decoder of several that were trained on
 * from the same parameters.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/client/commands.h"
#include "engine/lab/lab.h"

static const struct client_option average_options[] = {
	{ "output", "FILE", "Write the mean here.", 'o' },
	{ "shares", "NUMBERS", "What each model counts, with commas; equal when not given.", 0 },
};

static int read_shares(const char *text, double *ret_shares, int count, struct failure *failure)
{
	for (int i = 0; i < count; i++) {
		char *end;

		ret_shares[i] = strtod(text, &end);
		if (end == text || *end != (i + 1 == count ? '\0' : ','))
			return failure_set(failure, FAILURE_BAD_OPTION,
					   "--shares wants %d numbers with commas between them.", count);
		text = end + 1;
	}
	return 0;
}

static int run_average(struct client *client, int argc, char **argv)
{
	const char *output = client_value(client, "output"), *text = client_value(client, "shares");
	double shares[LAB_AVERAGE_MAX];
	struct engine_error error = { "" };
	struct failure failure;
	int r;

	if (argc < 2 || argc > (int)LAB_AVERAGE_MAX || !output)
		return client_usage(client,
				    "model average takes 2 to 16 model files and --output FILE.");
	for (int i = 0; i < argc; i++)
		shares[i] = 1;
	if (text && read_shares(text, shares, argc, &failure))
		return client_fail(client, NULL, &failure);
	r = lab_average((const char *const *)argv, shares, (size_t)argc, output, &error);
	if (r) {
		failure_from_engine(&failure, r, error.message);
		return client_fail(client, NULL, &failure);
	}
	return 0;
}

const struct command command_model_average = {
	.name = "model average", .arguments = "FILE…",
	.help = "Writes a model whose decoder is the mean of several that were trained on from the "
		"same parameters; it often describes better than each. All else is the first one's.",
	.options = average_options,
	.option_count = sizeof(average_options) / sizeof(*average_options),
	.run = run_average,
};
