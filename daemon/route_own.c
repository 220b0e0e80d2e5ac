/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * route_own.c: the daemon's own voice, eSpeak NG over PortAudio. The only route
 * on a machine without a desktop, and the last one everywhere. The speech module
 * belongs to speech.c; this is its face as a route.
 */
#include "daemon/route.h"

static int own_open(struct loop *loop, struct routes *routes, void **ret_driver)
{
	(void)loop;
	*ret_driver = routes;
	return 0;
}

static void own_free(void *driver)
{
	(void)driver;
}

static void own_say(void *driver, const struct route_text *text)
{
	const struct routes_options *options = route_options(driver);
	char why[256] = "";

	if (options->own_say(options->data, text->text, text->priority, text->language, why,
			     sizeof(why)))
		route_taken(driver, "the daemon's own voice");
	else
		route_refused(driver, why);
}

static void own_cancel(void *driver)
{
	(void)driver;
}

static void own_stop(void *driver)
{
	const struct routes_options *options = route_options(driver);

	options->own_stop(options->data);
}

static bool own_speaking(void *driver)
{
	const struct routes_options *options = route_options(driver);

	return options->own_speaking(options->data);
}

const struct route_driver route_own = {
	.name = "own", .open = own_open, .free = own_free, .say = own_say,
	.cancel = own_cancel, .stop = own_stop, .speaking = own_speaking,
};
