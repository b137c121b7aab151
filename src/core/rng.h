/* SPDX-License-Identifier: MIT
 * Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). A number is a pure function of (seed, stream, index): no state to save for a
 * bitwise resume, the same numbers for any thread count. Streams in use are listed here so that no
 * two purposes share one. */
#ifndef MPNO_CORE_RNG_H
#define MPNO_CORE_RNG_H

#include <stdint.h>

typedef enum mpno_stream {
    MPNO_STREAM_INIT = 1,      /* initial weights: stream_sub = index of the parameter */
    MPNO_STREAM_SHUFFLE = 2,   /* order of samples: stream_sub = epoch */
    MPNO_STREAM_BENCH = 3,     /* random data of benches */
    MPNO_STREAM_TEST = 4,      /* tests */
    MPNO_STREAM_FIELD = 5,     /* random fields: stream_sub = sample */
    MPNO_STREAM_AUGMENT = 6,   /* symmetries of samples: stream_sub = epoch */
    MPNO_STREAM_ROLLOUT = 7,   /* noise on inputs, lengths of roll-outs: stream_sub = epoch */
    MPNO_STREAM_BLOCKS = 8,    /* order of blocks of streamed data: stream_sub = epoch */
    MPNO_STREAM_DROPOUT = 9,   /* dropped values: stream_sub = place in the network and step */
    MPNO_STREAM_ROUNDING = 10, /* stochastic rounding of copies of weights; of tensors of a network,
                                  whose number stands where the stream would (graph/exec_codec.c) */
    MPNO_STREAM_MOMENTS = 11   /* the same of states of optimisers */
} mpno_stream;

typedef struct mpno_rng {
    uint64_t seed;
    uint32_t stream, sub;
    uint64_t index; /* next number to give */
} mpno_rng;

mpno_rng mpno_rng_make(uint64_t seed, mpno_stream stream, uint32_t sub);
/* The raw block function: counter and key to four words (tested against the published vectors). */
void mpno_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
/* A key for the block function itself, its own of each (seed, step, number, stream): for kernels
 * that number what they round. stream: an mpno_stream, or what stands for it. */
void mpno_rng_key(uint64_t seed, uint64_t step, uint32_t number, uint32_t stream, uint32_t key[2]);
uint32_t mpno_rng_u32(mpno_rng *rng);
double mpno_rng_uniform(mpno_rng *rng);             /* [0, 1), 53 bits */
double mpno_rng_normal(mpno_rng *rng);              /* Box-Muller, one normal per call */
uint64_t mpno_rng_below(mpno_rng *rng, uint64_t n); /* 0 .. n-1, unbiased */
void mpno_rng_permutation(mpno_rng *rng, int64_t n, int64_t *out); /* Fisher-Yates over 0 .. n-1 */

#endif
