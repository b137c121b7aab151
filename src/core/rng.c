/* SPDX-License-Identifier: MIT
 * Philox4x32-10: ten rounds of two 32x32 -> 64 multiplications on a counter of four words under a
 * key of two. Counter = (index / 4 low, index / 4 high, sub, stream), key = seed; number `index` is
 * word index % 4 of its block. Constants and rounds: Salmon et al., SC 2011, section 4.3; the test
 * holds the authors' known answers. */
#include "core/rng.h"

#include <math.h>

void mpno_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void mpno_rng_key(uint64_t seed, uint64_t step, uint32_t number, uint32_t stream, uint32_t key[2]) {
    const uint32_t counter[4] = {(uint32_t)step, (uint32_t)(step >> 32), number, stream},
                   from[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t words[4];
    mpno_philox4x32(counter, from, words);
    key[0] = words[0], key[1] = words[1];
}

mpno_rng mpno_rng_make(uint64_t seed, mpno_stream stream, uint32_t sub) {
    return (mpno_rng){.seed = seed, .stream = (uint32_t)stream, .sub = sub, .index = 0};
}

/* The next n words; a block is computed once for all of its words that are asked for together. */
static void next_words(mpno_rng *rng, int n, uint32_t *out) {
    const uint32_t key[2] = {(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)};
    uint32_t block[4];
    for (int i = 0; i < n; i++) {
        uint64_t number = rng->index / 4;
        if (i == 0 || rng->index % 4 == 0) {
            const uint32_t counter[4] = {(uint32_t)number, (uint32_t)(number >> 32), rng->sub,
                                         rng->stream};
            mpno_philox4x32(counter, key, block);
        }
        out[i] = block[rng->index % 4];
        rng->index++;
    }
}

static uint64_t join(uint32_t low, uint32_t high) {
    return (uint64_t)high << 32 | low;
}
static double to_uniform(uint64_t bits) {
    return (double)(bits >> 11) * 0x1p-53;
}

uint32_t mpno_rng_u32(mpno_rng *rng) {
    uint32_t word;
    next_words(rng, 1, &word);
    return word;
}

double mpno_rng_uniform(mpno_rng *rng) {
    uint32_t w[2];
    next_words(rng, 2, w);
    return to_uniform(join(w[0], w[1]));
}

double mpno_rng_normal(mpno_rng *rng) {
    const double two_pi = 6.283185307179586;
    uint32_t w[4];
    next_words(rng, 4, w);
    double radius = sqrt(-2.0 * log(1.0 - to_uniform(join(w[0], w[1])))); /* argument in (0, 1] */
    return radius * cos(two_pi * to_uniform(join(w[2], w[3])));
}

uint64_t mpno_rng_below(mpno_rng *rng, uint64_t n) {
    if (n == 0) return 0;
    /* 2^64 mod n numbers at the low end would favour small remainders: draw again when one of them
     * comes. */
    uint64_t unfair = (0 - n) % n;
    for (;;) {
        uint32_t w[2];
        next_words(rng, 2, w);
        uint64_t x = join(w[0], w[1]);
        if (x >= unfair) return x % n;
    }
}

void mpno_rng_permutation(mpno_rng *rng, int64_t n, int64_t *out) {
    for (int64_t i = 0; i < n; i++) out[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)mpno_rng_below(rng, (uint64_t)i + 1);
        int64_t swapped = out[i];
        out[i] = out[j];
        out[j] = swapped;
    }
}
