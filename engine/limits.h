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
/* for a JPEG of several scans: coefficients kept until the last of them */
#define LIMIT_IMAGE_MEMORY (512u << 20)
#define LIMIT_IMAGE_SCANS 100u
#define LIMIT_PNG_CHUNK_BYTES (1u << 20)	/* of a chunk that is not pixels */

#define LIMIT_MODEL_BYTES (4ull << 30)
#define LIMIT_MODEL_ENTRIES 4096u	/* pieces of metadata */
#define LIMIT_MODEL_TENSORS 16384u
#define LIMIT_MODEL_NAME 256u		/* bytes of a key or a tensor's name */
#define LIMIT_MODEL_NODES 2048u	/* of the encoder's graph */
#define LIMIT_MODEL_SIDE 4096u		/* width and height of any layer */
#define LIMIT_MODEL_CHANNELS 65536u	/* of any layer */
#define LIMIT_MODEL_OPERATIONS 1000000000000ull	/* multiply-accumulates of a run */
#define LIMIT_MODEL_ARENA (1u << 30)	/* bytes for the activations of one context */

#define LIMIT_DECODER_HIDDEN 4096u
#define LIMIT_DECODER_LAYERS 8u
#define LIMIT_DECODER_CELLS 1024u	/* regions under attention */
#define LIMIT_VOCABULARY 65536u
#define LIMIT_WORD_BYTES 64u

#define LIMIT_BEAM 10u
#define LIMIT_ALTERNATIVES 10u
#define LIMIT_WORDS 18u		/* of one caption */
#define LIMIT_THREADS 16u

#endif
