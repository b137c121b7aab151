/* SPDX-License-Identifier: MIT
 * The transform kernels of one ISA, for f64, f32, f16 and bf16 arithmetic, in the vocabulary
 * included before (vec_*.h).
 * Parameter  FFT_ISA, the mpno_isa of the table
 * Makes   FFT_TABLE(isa): initialiser of mpno_fft_kernels[MPNO_N_FFT_ARITHMETICS]
 * Tested  portable, avx2, avx512 (tests/unit/transform/test_fft.c). */
#include <math.h>
#include <string.h>

#include "number/format.h"

#include "kernel/tmpl/convert_f32.h"
#include "kernel/tmpl/convert_f64.h"

#define FFT_INLINE static inline __attribute__((always_inline))

/* Before a loop with a constant bound, whose array then lives in registers. */
#if defined(__clang__)
#define FFT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define FFT_UNROLL _Pragma("GCC unroll 16")
#endif

#define FFT_AHEAD 6 /* rows in which memory answers */

#define T float
#define V vf32
#define MASK vf32_mask
#define VERB(x) vf32_##x
#define LANES VF32_LANES
#define NAME(x) x##_f32
#define ARITHMETIC MPNO_F32
#include "kernel/tmpl/fft_all.h"

#define T double
#define V vf64
#define MASK vf64_mask
#define VERB(x) vf64_##x
#define LANES VF64_LANES
#define NAME(x) x##_f64
#define ARITHMETIC MPNO_F64
#include "kernel/tmpl/fft_all.h"

#define T float
#define V vf32
#define MASK vf32_mask
#define VERB(x) vf32_##x
#define LANES VF32_LANES
#define NAME(x) x##_r16
#define ARITHMETIC MPNO_F32
#define STORED(x) vf32_##x##_f16
#include "kernel/tmpl/fft_rounded.h"

#define T float
#define V vf32
#define MASK vf32_mask
#define VERB(x) vf32_##x
#define LANES VF32_LANES
#define NAME(x) x##_rb16
#define ARITHMETIC MPNO_F32
#define STORED(x) vf32_##x##_bf16
#include "kernel/tmpl/fft_rounded.h"

#include "kernel/tmpl/fft_sums.h"

/* What all rows of a table have. */
#define FFT_TABLE_ROW(isa_, format, rounding_, lanes_, radix, suffix)                              \
    .arithmetic = format, .rounding = rounding_, .isa = isa_, .lanes = lanes_,                     \
    .largest_radix = radix, .load = load_##suffix, .store = store_##suffix, .copy = copy_##suffix, \
    .zero = zero_##suffix, .pass = pass_##suffix, .multiply = multiply_##suffix,                   \
    .split = split_##suffix, .join = join_##suffix
#define FFT_TABLE_DIRECT(suffix)                                                          \
    .direct_forward = direct_forward_##suffix, .direct_inverse = direct_inverse_##suffix, \
    .combine = combine_##suffix, .separate = separate_##suffix, .column_sums = column_sums
#define FFT_TABLE(isa)                                                                \
    {                                                                                 \
        [MPNO_F64] = {FFT_TABLE_ROW(isa, MPNO_F64, MPNO_F64, VF64_LANES,              \
                                    (isa) == MPNO_ISA_AVX512 ? 16 : 8, f64),          \
                      FFT_TABLE_DIRECT(f64)},                                         \
        [MPNO_F32] = {FFT_TABLE_ROW(isa, MPNO_F32, MPNO_F32, VF32_LANES, 8, f32),     \
                      FFT_TABLE_DIRECT(f32)},                                         \
        [MPNO_BF16] = {FFT_TABLE_ROW(isa, MPNO_F32, MPNO_BF16, VF32_LANES, 2, rb16)}, \
        [MPNO_F16] = {FFT_TABLE_ROW(isa, MPNO_F32, MPNO_F16, VF32_LANES, 2, r16)},    \
    }
