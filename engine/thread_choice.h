/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * thread_choice.h: how many threads are fastest, found out on the pictures that
 * are described anyway. On a desktop it is all cores; on a small board whose
 * cores share one narrow path to memory, or beside other work, it may be fewer.
 *
 * The first picture, whose data come from disk, says nothing. The next are timed
 * with all threads, then one with a thread less. Is that not faster, the matter
 * is settled, and only this one picture was slow; is it faster, a second one must
 * confirm it before the search goes on from there. The shorter of two times
 * counts, because other programs make times longer, never shorter.
 */
#ifndef ENGINE_THREAD_CHOICE_H
#define ENGINE_THREAD_CHOICE_H

#include <stdbool.h>

struct thread_choice {
	unsigned threads;	/* for the next picture */
	bool settled;
	/* The rest is the choice's own. */
	unsigned runs;		/* with `threads` */
	double least, best;	/* time with `threads`, and with one more */
};

/* 1 ≤ threads. */
struct thread_choice thread_choice(unsigned threads);

/* Takes the time of a picture encoded with choice->threads, in any unit. */
void thread_choice_note(struct thread_choice *choice, double time);

#endif
