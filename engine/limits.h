/*
 * limits.h: every ceiling the engine puts on what comes from outside. They
 * stand together so that a reviewer can see at once what a hostile file may
 * cost; messages take their figures from here.
 */
#ifndef ENGINE_LIMITS_H
#define ENGINE_LIMITS_H

#define LIMIT_IMAGE_BYTES (64u << 20)
#define LIMIT_IMAGE_PIXELS 100000000u
#define LIMIT_IMAGE_SIDE 30000u

#define LIMIT_BEAM 10u
#define LIMIT_ALTERNATIVES 10u
#define LIMIT_WORDS 18u		/* of one caption */
#define LIMIT_THREADS 16u

#endif
