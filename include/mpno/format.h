/* SPDX-License-Identifier: MIT
 * Number formats in which a tensor can be stored, and how values come into them. */
#ifndef MPNO_FORMAT_H
#define MPNO_FORMAT_H

#ifdef __cplusplus
extern "C" {
#endif

/* F8E4M3: OCP 8-bit floating point E4M3, without infinities, largest number 448. F8E5M2: as IEEE
 * 754 would have it, largest number 57344. TF32: 10 fraction bits with the range of f32, in 4
 * bytes. */
typedef enum mpno_format {
    MPNO_F64,
    MPNO_F32,
    MPNO_BF16,
    MPNO_F16,
    MPNO_F8E4M3,
    MPNO_F8E5M2,
    MPNO_TF32,
    MPNO_FORMAT_COUNT
} mpno_format;

/* A format to try: 2 to 8 exponent bits and 1 to 23 fraction bits as IEEE 754 would have it, its
 * values kept in f32. By name "e6m9". */
#define MPNO_FORMAT_SIMULATED(exponent, fraction) \
    ((mpno_format)(0x1000 + 32 * (exponent) + (fraction)))

/* Stochastic: to one of the two neighbours, with the probability that makes the mean error zero. */
typedef enum mpno_rounding {
    MPNO_ROUND_NEAREST_EVEN,
    MPNO_ROUND_TOWARD_ZERO,
    MPNO_ROUND_STOCHASTIC
} mpno_rounding;

/* What shares a power of two by which values are divided when they are stored: nothing, the
 * tensor, one channel of it, the modes of one frequency shell, or 32 neighbouring channels of a row
 * (OCP microscaling). */
typedef enum mpno_scaling {
    MPNO_SCALING_NONE,
    MPNO_SCALING_TENSOR,
    MPNO_SCALING_CHANNEL,
    MPNO_SCALING_SHELL,
    MPNO_SCALING_BLOCK,
    MPNO_SCALING_AUTO /* blocks for formats of 8 bits, nothing for others */
} mpno_scaling;

#ifdef __cplusplus
}
#endif

#endif
