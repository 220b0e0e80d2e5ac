/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * curl_library.c: see curl_library.h. It is never unloaded: the libraries beneath it do
 * not all bear that.
 */
#include "daemon/curl_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>

/* The name of the interface that <curl/curl.h> declares. */
#define LIBRARY "libcurl.so.4"

static struct curl_library library;

static const struct {
	const char *name;
	void *pointer;		/* to a member of `library` */
} functions[] = {
	{ "curl_easy_cleanup", &library.easy_cleanup },
	{ "curl_easy_getinfo", &library.easy_getinfo },
	{ "curl_easy_init", &library.easy_init },
	{ "curl_easy_setopt", &library.easy_setopt },
	{ "curl_easy_strerror", &library.easy_strerror },
	{ "curl_multi_add_handle", &library.multi_add_handle },
	{ "curl_multi_cleanup", &library.multi_cleanup },
	{ "curl_multi_info_read", &library.multi_info_read },
	{ "curl_multi_init", &library.multi_init },
	{ "curl_multi_remove_handle", &library.multi_remove_handle },
	{ "curl_multi_setopt", &library.multi_setopt },
	{ "curl_multi_socket_action", &library.multi_socket_action },
};

const struct curl_library *curl_library_load(void)
{
	static bool loaded;
	void *file;

	if (loaded)
		return &library;
	file = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!file)
		return NULL;
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		void *function = dlsym(file, functions[i].name);

		if (!function)
			return NULL;
		*(void **)functions[i].pointer = function;
	}
	loaded = true;
	return &library;
}
