/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * curl_library.h: libcurl, loaded with the first network camera.
 *
 * It brings some thirty libraries, for protocols that no camera speaks, and with them
 * pages that a daemon without such a camera would hold for nothing.
 */
#ifndef DAEMON_CURL_LIBRARY_H
#define DAEMON_CURL_LIBRARY_H

#include <curl/curl.h>

/* libcurl's functions by their names without "curl_". */
struct curl_library {
	__typeof__(curl_easy_cleanup) *easy_cleanup;
	__typeof__(curl_easy_getinfo) *easy_getinfo;
	__typeof__(curl_easy_init) *easy_init;
	__typeof__(curl_easy_setopt) *easy_setopt;
	__typeof__(curl_easy_strerror) *easy_strerror;
	__typeof__(curl_multi_add_handle) *multi_add_handle;
	__typeof__(curl_multi_cleanup) *multi_cleanup;
	__typeof__(curl_multi_info_read) *multi_info_read;
	__typeof__(curl_multi_init) *multi_init;
	__typeof__(curl_multi_remove_handle) *multi_remove_handle;
	__typeof__(curl_multi_setopt) *multi_setopt;
	__typeof__(curl_multi_socket_action) *multi_socket_action;
};

/* The same each time, and for good; NULL where it is not installed. For one thread. */
const struct curl_library *curl_library_load(void);

#endif
