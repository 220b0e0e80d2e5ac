/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thread_choice.c: see thread_choice.h. */
#include "engine/thread_choice.h"

/* Fewer threads must win by this to be worth it. */
#define CLEARLY 0.97

/* With all threads: the one that says nothing, and two that do. */
#define FIRST_RUNS 3u
#define RUNS 2u

struct thread_choice thread_choice(unsigned threads)
{
	return (struct thread_choice){.threads = threads, .settled = threads == 1};
}

static void settle(struct thread_choice *choice, unsigned threads)
{
	choice->threads = threads;
	choice->settled = true;
}

static void try_fewer(struct thread_choice *choice)
{
	choice->best = choice->least;
	choice->runs = 0;
	if (choice->threads == 1)
		choice->settled = true;
	else
		choice->threads--;
}

void thread_choice_note(struct thread_choice *choice, double time)
{
	bool first = choice->best == 0;

	if (choice->settled)
		return;
	choice->runs++;
	if (first) {
		if (choice->runs == 2 || (choice->runs > 2 && time < choice->least))
			choice->least = time;
		if (choice->runs == FIRST_RUNS)
			try_fewer(choice);
		return;
	}
	if (time > choice->best * CLEARLY) {
		settle(choice, choice->threads + 1);
		return;
	}
	if (choice->runs == 1 || time < choice->least)
		choice->least = time;
	if (choice->runs == RUNS)
		try_fewer(choice);
}
