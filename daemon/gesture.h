/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gesture.h: turns keys going down and up into gestures.
 *
 * A pure state machine: time comes in with each event, nothing is read from a
 * clock, so a test can replay any rhythm. It knows bindings (which keys, pressed
 * how, mean which action) and answers with two kinds of call: "pressed", at the
 * very moment a bound key goes down, so that the press can be acknowledged, and
 * "action", when it is certain which gesture it was.
 *
 * Certainty costs time only where a binding asks for it: a short press waits
 * for the end of the double-press window only if the same key has a double
 * binding; a long press acts while the key is still held; a chord acts as soon
 * as its last key is down, and then its keys mean nothing else until all are up.
 * Any other key held makes a single press void, so that a shortcut of the
 * desktop which happens to contain a bound key does not act here as well.
 */
#ifndef DAEMON_GESTURE_H
#define DAEMON_GESTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gesture_kind {
	GESTURE_SHORT,
	GESTURE_DOUBLE,
	GESTURE_LONG,
	GESTURE_CHORD,		/* two or more keys together */
};

enum { GESTURE_CHORD_KEYS = 4 };

struct gesture_binding {
	enum gesture_kind kind;
	unsigned keys[GESTURE_CHORD_KEYS];	/* key codes; one unless a chord */
	size_t key_count;
	int action;				/* passed through */
};

struct gesture_times {
	unsigned double_ms;	/* longest gap between the presses of a double press */
	unsigned long_ms;	/* from here on a press is long */
};

struct gesture;

/* A bound key went down, or a chord was completed. True: the press has been used
 * (it stopped the speech, say), and a short press is not reported any more;
 * double and long ones still are. */
typedef bool gesture_pressed_function(void *data, uint64_t now_ms);
typedef void gesture_action_function(void *data, int action, uint64_t now_ms);

/* Copies the bindings. 0, -ENOMEM, or -EINVAL: a binding without keys, or with
 * a number of them that does not fit its kind. */
int gesture_open(const struct gesture_binding *bindings, size_t count,
		 const struct gesture_times *times, gesture_pressed_function *pressed,
		 gesture_action_function *action, void *data, struct gesture **ret_gesture);
struct gesture *gesture_free(struct gesture *gesture);

/* Every key of the device is reported here, bound or not; repeats are not. */
void gesture_key(struct gesture *gesture, unsigned key, bool down, uint64_t now_ms);
/* To be called at the deadline. */
void gesture_advance(struct gesture *gesture, uint64_t now_ms);
/* When something will be decided without another key; UINT64_MAX: nothing waits. */
uint64_t gesture_deadline(const struct gesture *gesture);
/* The device went away or events were lost: everything counts as up, what was
 * undecided is dropped. */
void gesture_reset(struct gesture *gesture);

#endif
