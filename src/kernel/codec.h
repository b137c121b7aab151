/* SPDX-License-Identifier: MIT
 * How values are stored beyond a plain format: rounding, scales that are powers of two, and the
 * formats that are coded (8 bits, tf32, simulated ones). Element i of a tensor stands where it
 * would without a codec; scales stand beside the values.
 *
 *   stored = round(x / 2^s), x = stored 2^s, s = the scale's byte - 127 (E8M0 of OCP Microscaling
 *   Formats 1.0, 2023, here 1 .. 253)
 *
 * Scales of blocks - up to 32 neighbours of a row, counted from its start - are found from the
 * values themselves as these are stored: the smallest s with max |x| / 2^s a number of the format.
 * The other scales stay as they are while a tensor is stored and the largest magnitudes are noted
 * meanwhile (mpno_codec_renew). With a scale, what is too large becomes the largest number of the
 * format ("saturates"); without, it overflows. Toward zero nothing finite overflows.
 *
 * Stochastic rounding takes its numbers from (key, index of the element in the tensor) alone: the
 * bits depend on no thread and no order. The chance of the upper neighbour is the exact one for
 * normal numbers of up to 32 dropped bits; below the smallest normal it is off by less than 2^-24.
 *
 * Error: of one rounding. Exact are the products with powers of two unless they leave the range of
 * f32 (f64). Nothing here is tuned by hand: plain C for the vectoriser, one table per ISA. Pure. */
#ifndef MPNO_KERNEL_CODEC_H
#define MPNO_KERNEL_CODEC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/cpu.h"
#include "mpno/format.h"

#define MPNO_CODEC_BLOCK 32

typedef struct mpno_codec {
    mpno_format format;
    mpno_rounding rounding;
    mpno_scaling scaling;
    uint32_t key[2];  /* of stochastic rounding */
    const void *base; /* element 0; unused where neither index nor scale is wanted */
    int64_t row;      /* values of a row: CHANNEL, BLOCK */
    int64_t inner;    /* SHELL: element i is of mode m = i / inner % count, in shell[m] */
    int64_t count;
    const int32_t *shell; /* NULL: each mode is one */
    unsigned char *scales;  /* TENSOR: 1; CHANNEL, SHELL: of each; BLOCK: [rows][blocks of a row] */
    _Atomic uint32_t *most; /* of each scale but BLOCK: bits (f32) of the largest |x| stored */
    int64_t n_scales;
} mpno_codec;

typedef struct mpno_codec_kernels {
    /* dst[n] of T <- n values from src on, which lie in a tensor of the codec. */
    void (*load)(const mpno_codec *codec, void *dst, const void *src, int64_t n);
    /* The way back. Returns 1 when a stored value is not finite, else 0. Blocks are stored whole:
     * dst begins at the start of one, n ends at the end of one or of a row. */
    int (*store)(const mpno_codec *codec, void *dst, const void *src, int64_t n);
} mpno_codec_kernels;

/* isa is a cap; arithmetic: MPNO_F32 or MPNO_F64, never NULL for them. */
const mpno_codec_kernels *mpno_codec_kernels_get(mpno_isa isa, mpno_format arithmetic);

/* A format alone: to nearest even, no scales. */
mpno_codec mpno_codec_plain(mpno_format format);
/* The scale that a largest magnitude asks for. */
unsigned char mpno_codec_scale(mpno_format format, float most);
/* Bytes of scales that a tensor of `rows` rows needs beside its values. */
int64_t mpno_codec_scales(mpno_scaling scaling, int64_t row, int64_t rows, int64_t shells);
/* Scales with which the first `rows` rows are zero where their values are. */
void mpno_codec_clear(const mpno_codec *codec, int64_t rows);
/* Takes the scales of the next pass from what was stored in the last one, with room for twice as
 * much; where nothing was stored they stay. Not for blocks. True when one has changed. */
bool mpno_codec_renew(mpno_codec *codec);

#endif
