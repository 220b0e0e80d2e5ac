/*
 * lab.h: the laboratory's only public header: import, train, evaluate,
 * quantise. It is an archive of its own (liblab.a) on top of the engine, linked
 * by the command-line client and never by the daemon. Conventions are those of
 * engine.h.
 */
#ifndef LAB_H
#define LAB_H

#include "engine/engine.h"

#endif
