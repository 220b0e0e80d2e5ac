/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as the configuration file, read strictly and for what can be used. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[32];
	struct config_error error = { 0 };
	struct config *config = NULL;
	int r;

	if (fd < 0) {
		fd = memfd_create("descry.conf", MFD_CLOEXEC);
		if (fd < 0)
			abort();
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		return 0;
	r = config_load(path, NULL, 0, &config, &error);
	if (r ? error.message[0] == '\0' || config : !config)
		abort();
	config = config_free(config);
	/* what can be used of it, which no mistake may deny */
	if (config_load_usable(path, NULL, 0, &config, &error) ||
	    (error.message[0] != '\0') != (r != 0))
		abort();
	config_free(config);
	return 0;
}
