/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * limits.h: every ceiling the daemon puts on what its callers can make it hold.
 */
#ifndef DAEMON_LIMITS_H
#define DAEMON_LIMITS_H

#define LIMIT_JOBS 8u			/* running and waiting */
#define LIMIT_TICKETS_PER_JOB 64u	/* requests that joined one job */
#define LIMIT_OPTIONS 32u		/* entries of an options dictionary */
#define LIMIT_OPTION_BYTES 1024u	/* of one text */
#define LIMIT_SAY_BYTES 16384u
#define LIMIT_DOCUMENT_BYTES 65536u	/* what the worker may answer */
#define LIMIT_VARIANT_DEPTH 8u
#define LIMIT_PIPE_MS 10000		/* a picture through a pipe must be complete by then */
#define LIMIT_BUS_DISPATCH 32u		/* messages handled before the loop looks round */

#endif
