/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gesture.c: one small state machine per key that has a short, double or long
 * binding, and a set of held keys from which chords are read.
 *
 * An event may arrive late (the loop was busy, the machine was suspended), but
 * carries the time at which it happened. So the deadlines before it are settled
 * first, in their order, and the outcome does not depend on when the loop woke.
 */
#include "daemon/gesture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { held_limit = 32 };

enum phase {
	IDLE,
	DOWN,		/* first press, still held */
	BETWEEN,	/* released, a second press may follow */
	SPENT,		/* held, but decided */
};

struct single {
	unsigned key;
	const struct gesture_binding *on_short, *on_double, *on_long;
	enum phase phase;
	bool used;		/* its short press has been used up */
	uint64_t deadline;	/* UINT64_MAX: none */
};

struct gesture {
	struct gesture_binding *bindings;
	size_t binding_count;
	struct single *singles;
	size_t single_count;
	struct gesture_times times;
	gesture_pressed_function *pressed;
	gesture_action_function *action;
	void *data;
	unsigned held[held_limit];
	size_t held_count;
	bool chord_spent;	/* until every key is up */
};

static struct single *find_single(struct gesture *gesture, unsigned key)
{
	for (size_t i = 0; i < gesture->single_count; i++)
		if (gesture->singles[i].key == key)
			return &gesture->singles[i];
	return NULL;
}

static void add_single(struct gesture *gesture, const struct gesture_binding *binding)
{
	struct single *single = find_single(gesture, binding->keys[0]);

	if (!single) {
		single = &gesture->singles[gesture->single_count++];
		single->key = binding->keys[0];
		single->deadline = UINT64_MAX;
	}
	if (binding->kind == GESTURE_SHORT)
		single->on_short = binding;
	else if (binding->kind == GESTURE_DOUBLE)
		single->on_double = binding;
	else
		single->on_long = binding;
}

int gesture_open(const struct gesture_binding *bindings, size_t count,
		 const struct gesture_times *times, gesture_pressed_function *pressed,
		 gesture_action_function *action, void *data, struct gesture **ret_gesture)
{
	struct gesture *gesture;

	for (size_t i = 0; i < count; i++) {
		const struct gesture_binding *binding = &bindings[i];
		bool chord = binding->kind == GESTURE_CHORD;

		if (chord ? binding->key_count < 2 || binding->key_count > GESTURE_CHORD_KEYS
			  : binding->key_count != 1)
			return -EINVAL;
	}
	gesture = calloc(1, sizeof(*gesture));
	if (!gesture)
		return -ENOMEM;
	gesture->bindings = calloc(count ? count : 1, sizeof(*bindings));
	gesture->singles = calloc(count ? count : 1, sizeof(*gesture->singles));
	if (!gesture->bindings || !gesture->singles) {
		gesture_free(gesture);
		return -ENOMEM;
	}
	if (count)
		memcpy(gesture->bindings, bindings, count * sizeof(*bindings));
	gesture->binding_count = count;
	gesture->times = *times;
	gesture->pressed = pressed;
	gesture->action = action;
	gesture->data = data;
	for (size_t i = 0; i < count; i++)
		if (bindings[i].kind != GESTURE_CHORD)
			add_single(gesture, &gesture->bindings[i]);
	*ret_gesture = gesture;
	return 0;
}

struct gesture *gesture_free(struct gesture *gesture)
{
	if (gesture) {
		free(gesture->bindings);
		free(gesture->singles);
		free(gesture);
	}
	return NULL;
}

static void act(struct gesture *gesture, const struct gesture_binding *binding, uint64_t now_ms)
{
	if (binding)
		gesture->action(gesture->data, binding->action, now_ms);
}

static void settle(struct single *single, enum phase phase)
{
	single->phase = phase;
	single->deadline = UINT64_MAX;
}

static void expire(struct gesture *gesture, struct single *single)
{
	uint64_t now_ms = single->deadline;

	if (single->phase == DOWN) {
		settle(single, SPENT);
		act(gesture, single->on_long, now_ms);
	} else {
		bool used = single->used;

		settle(single, IDLE);
		if (!used)
			act(gesture, single->on_short, now_ms);
	}
}

void gesture_advance(struct gesture *gesture, uint64_t now_ms)
{
	for (;;) {
		struct single *next = NULL;

		for (size_t i = 0; i < gesture->single_count; i++) {
			struct single *single = &gesture->singles[i];

			if (single->deadline <= now_ms && (!next || single->deadline < next->deadline))
				next = single;
		}
		if (!next || next->deadline == UINT64_MAX)
			return;
		expire(gesture, next);
	}
}

uint64_t gesture_deadline(const struct gesture *gesture)
{
	uint64_t deadline = UINT64_MAX;

	for (size_t i = 0; i < gesture->single_count; i++)
		if (gesture->singles[i].deadline < deadline)
			deadline = gesture->singles[i].deadline;
	return deadline;
}

static bool is_held(const struct gesture *gesture, unsigned key)
{
	for (size_t i = 0; i < gesture->held_count; i++)
		if (gesture->held[i] == key)
			return true;
	return false;
}

/* The chord that consists of exactly the held keys. */
static const struct gesture_binding *find_chord(const struct gesture *gesture)
{
	for (size_t i = 0; i < gesture->binding_count; i++) {
		const struct gesture_binding *binding = &gesture->bindings[i];
		bool all = binding->kind == GESTURE_CHORD &&
			   binding->key_count == gesture->held_count;

		for (size_t k = 0; all && k < binding->key_count; k++)
			all = is_held(gesture, binding->keys[k]);
		if (all)
			return binding;
	}
	return NULL;
}

/* Another key has joined: none of the held ones is a press of its own now. A
 * press that was released before stays what it was. */
static void void_held(struct gesture *gesture)
{
	for (size_t i = 0; i < gesture->single_count; i++)
		if (gesture->singles[i].phase == DOWN)
			settle(&gesture->singles[i], SPENT);
}

static void press_single(struct gesture *gesture, struct single *single, uint64_t now_ms)
{
	bool second = single->phase == BETWEEN;
	bool used = gesture->pressed(gesture->data, now_ms);

	if (second) {
		settle(single, SPENT);
		act(gesture, single->on_double, now_ms);
		return;
	}
	settle(single, DOWN);
	single->used = used;
	if (single->on_long)
		single->deadline = now_ms + gesture->times.long_ms;
}

static void release_single(struct gesture *gesture, struct single *single, uint64_t now_ms)
{
	if (single->phase == DOWN && single->on_double) {
		single->phase = BETWEEN;
		single->deadline = now_ms + gesture->times.double_ms;
	} else {
		bool is_short = single->phase == DOWN && !single->used;

		settle(single, IDLE);
		if (is_short)
			act(gesture, single->on_short, now_ms);
	}
}

static void key_down(struct gesture *gesture, unsigned key, uint64_t now_ms)
{
	const struct gesture_binding *chord;
	struct single *single = find_single(gesture, key);

	if (is_held(gesture, key) || gesture->held_count == held_limit)
		return;
	gesture->held[gesture->held_count++] = key;
	if (gesture->held_count > 1)
		void_held(gesture);
	chord = gesture->chord_spent ? NULL : find_chord(gesture);
	if (chord) {
		if (single)
			settle(single, SPENT);
		gesture->chord_spent = true;
		gesture->pressed(gesture->data, now_ms);
		act(gesture, chord, now_ms);
	} else if (single && gesture->held_count == 1) {
		press_single(gesture, single, now_ms);
	} else if (single) {
		settle(single, SPENT);
	}
}

static void key_up(struct gesture *gesture, unsigned key, uint64_t now_ms)
{
	struct single *single = find_single(gesture, key);

	for (size_t i = 0; i < gesture->held_count; i++) {
		if (gesture->held[i] != key)
			continue;
		gesture->held[i] = gesture->held[--gesture->held_count];
		if (!gesture->held_count)
			gesture->chord_spent = false;
		if (single)
			release_single(gesture, single, now_ms);
		return;
	}
}

void gesture_key(struct gesture *gesture, unsigned key, bool down, uint64_t now_ms)
{
	gesture_advance(gesture, now_ms);
	if (down)
		key_down(gesture, key, now_ms);
	else
		key_up(gesture, key, now_ms);
}

void gesture_reset(struct gesture *gesture)
{
	for (size_t i = 0; i < gesture->single_count; i++)
		settle(&gesture->singles[i], IDLE);
	gesture->held_count = 0;
	gesture->chord_spent = false;
}
