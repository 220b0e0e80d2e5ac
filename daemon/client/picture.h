/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * picture.h: a picture that the user named, as a descriptor to hand over.
 */
#ifndef CLIENT_PICTURE_H
#define CLIENT_PICTURE_H

#include "daemon/failure.h"

/* Opens a file, or standard input for "-". What is not a regular file is copied
 * into memory first, so that a slow pipe holds up nobody but its owner. */
int picture_open(const char *path, int *ret_fd, struct failure *failure);

#endif
