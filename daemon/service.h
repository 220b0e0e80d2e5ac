/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * service.h: the object /org/descry/Descry1 and what its groups of methods share.
 *
 * Each service_*.c file implements one group: a table of methods, properties and
 * signals. The introspection data, the argument checks and the standard
 * Properties interface come from these tables; to add a group, write its file
 * and name it in service.c. A method replies at once or keeps a
 * service_caller and replies later; nothing may block.
 */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

#include <dbus/dbus.h>
#include <jansson.h>
#include <stdbool.h>

#include "daemon/bus.h"
#include "daemon/config.h"
#include "daemon/failure.h"
#include "daemon/job.h"
#include "daemon/loop.h"
#include "daemon/speech.h"

struct arrivals;
struct keys;
struct look;
struct service_screen;
struct sleep;
struct watch;

struct service {
	struct loop *loop;
	struct bus *bus;
	struct jobs *jobs;
	struct speech *speech;
	struct config *config;
	struct config_error mistake;		/* in its file; an empty message: none */
	enum config_verbosity verbosity;	/* spoken by default; a property */
	json_t *model;				/* of the worker, NULL until it is open */
	struct failure model_failure;		/* why it is not */
	struct look *look;
	struct watch *watch;
	struct keys *keys;
	struct service_screen *screen;
	struct sleep *sleep;			/* NULL where nobody tells of one */
	struct arrivals *arrivals;		/* in folders (service_look.c) */
	char *last_caption;			/* described last, for "more detail" */
	json_t *last_details;
	unsigned last_turn;			/* how often more detail of it was told */
	struct loop_source *flush;
	struct loop_source *lonely;		/* runs while the bus is gone */
	unsigned bus_wait;			/* seconds; see is_needed() in service.c */
	uint64_t dirty;				/* bits of properties to announce */
};

typedef void service_method_function(struct service *service, DBusMessage *call);

struct service_method {
	const char *name;
	const char *in, *out;		/* complete signatures */
	const char *names;		/* of the arguments, in then out, separated by spaces */
	service_method_function *function;
};

struct service_property {
	const char *name;
	const char *type;		/* "b", "u", "s" or another basic type */
	/* A new reference of the fitting JSON type. */
	json_t *(*get)(struct service *service);
	/* NULL: read-only. `value` has been checked to be of the type. */
	int (*set)(struct service *service, json_t *value, struct failure *failure);
};

struct service_signal {
	const char *name, *signature, *names;
};

struct service_group {
	const struct service_method *methods;
	size_t method_count;
	const struct service_property *properties;
	size_t property_count;
	const struct service_signal *signals;
	size_t signal_count;
};

extern const struct service_group service_describe_group;
extern const struct service_group service_look_group;
extern const struct service_group service_screen_group;
extern const struct service_group service_speech_group;
extern const struct service_group service_status_group;

/* `service` holds loop, config, speech and bus_wait; the rest is set up here. Answers calls
 * only after bus_own_name(). */
int service_open(struct service *service, bool system, struct failure *failure);
void service_close(struct service *service);
/* Applies another configuration and takes it over. */
void service_configure(struct service *service, struct config *config);

/* The queue and its worker, which the describing methods own. */
int service_describe_open(struct service *service, struct failure *failure);
void service_describe_configure(struct service *service, const struct config *old);

/* Cameras, buttons and watching. */
int service_look_open(struct service *service, struct failure *failure);
void service_look_close(struct service *service);
void service_look_configure(struct service *service);
/* Pictures of the screen. */
int service_screen_open(struct service *service, struct failure *failure);
/* Asks the desktop for the keys of this connection to the bus. 0 or -ENOMEM. */
int service_screen_bind_keys(struct service *service);
void service_screen_close(struct service *service);
/* The worker's options of a job, with the limits of quality; a new reference. */
json_t *service_job_options(struct service *service, unsigned beam, unsigned alternatives,
			    bool anything);
/* The same for one that nobody gave options for. */
json_t *service_look_job_options(struct service *service);

/* Announces a property of any group before the loop next waits. */
void service_changed(struct service *service, const char *property);

/* --- For groups ----------------------------------------------------------- */

/* Who to answer later; keeps neither the message nor its descriptors. */
struct service_caller {
	char *name;
	dbus_uint32_t serial;
	bool wants_reply;
};
int service_caller_copy(struct service_caller *caller, DBusMessage *call);
void service_caller_clear(struct service_caller *caller);
/* An empty reply to fill and hand to bus_send(). */
DBusMessage *service_caller_reply(const struct service_caller *caller);
void service_caller_fail(struct service *service, const struct service_caller *caller,
			 const struct failure *failure);

/* A caller who waits for a job: hand service_request_done() and the request to
 * jobs_submit(). `by_signal`: the answer is the signal Described or Failed instead
 * of a reply. NULL when out of memory. */
struct service_request;
struct service_request *service_request_new(struct service *service, DBusMessage *call,
					    bool by_signal);
struct service_request *service_request_free(struct service_request *request);
const char *service_request_owner(const struct service_request *request);
void service_request_done(void *data, uint64_t ticket, const struct job_outcome *outcome);
void service_reply_ticket(struct service *service, DBusMessage *call, uint64_t ticket);

/* Replies without arguments, and with an error. */
void service_reply(struct service *service, DBusMessage *call);
void service_fail(struct service *service, DBusMessage *call, const struct failure *failure);

#endif
