/* SPDX-License-Identifier: MIT
 * An array that an optimiser keeps beside the weights, in a format of its own. Narrow ones are
 * rounded stochastically: a moment moves by a thousandth a step, less than half a unit of bf16, and
 * would stay where it is if it were rounded to nearest. Those of 8 bits have a scale for every 32
 * numbers. Second moments stay in bf16 at least: they span more than the 2^18 between the largest
 * and the smallest number of f8e4m3, and one that became 0 would make a step without bound (Peng et
 * al., "FP8-LM", 2023, keep them in 16 bits as well). */
#ifndef MPNO_TRAIN_OPTIMIZER_STATES_H
#define MPNO_TRAIN_OPTIMIZER_STATES_H

#include "core/context.h"
#include "kernel/codec.h"
#include "mpno/optimizer.h"

/* name: of the state in checkpoints. */
mpno_format mpno_state_format(mpno_format wanted, const char *name, mpno_format arithmetic);
/* Of an array of n numbers, scales included. */
size_t mpno_state_bytes(mpno_format format, size_t n);

typedef struct mpno_optimizer_state {
    mpno_format format;
    bool coded; /* else of the arithmetic type */
    mpno_codec codec;
    const mpno_codec_kernels *kernels;
    void *data;
} mpno_optimizer_state;

/* n numbers, zero. */
MPNO_WARN_UNUSED mpno_status mpno_state_create(mpno_ctx *ctx, mpno_format format,
                                               mpno_format arithmetic, size_t n,
                                               mpno_optimizer_state *out);
void mpno_state_destroy(mpno_ctx *ctx, mpno_optimizer_state *state);
/* Of coded ones, from and to the arithmetic type; first and, but at the end of a weight, n are
 * multiples of MPNO_CODEC_BLOCK. */
void mpno_state_load(const mpno_optimizer_state *state, size_t first, void *dst, size_t n);
void mpno_state_store(const mpno_optimizer_state *state, size_t first, const void *src, size_t n);
/* What the rounding of the stores that follow depends on, beside the place. */
void mpno_state_seed(mpno_optimizer_state *state, uint64_t seed, int64_t step, int number);

#endif
