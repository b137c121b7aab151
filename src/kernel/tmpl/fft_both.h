/* SPDX-License-Identifier: MIT
 * The transform kernels of one ISA, for f32 and f64 arithmetic, in the vocabulary included before
 * (vec_*.h).
 * Makes   FFT_TABLE(isa): initialiser of mpno_fft_kernels[MPNO_N_ARITHMETICS]
 * Tested  portable, avx2, avx512 (tests/unit/transform/test_fft.c). */
#include <math.h>
#include <string.h>

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
#include "kernel/tmpl/fft_all.h"

#define T double
#define V vf64
#define MASK vf64_mask
#define VERB(x) vf64_##x
#define LANES VF64_LANES
#define NAME(x) x##_f64
#include "kernel/tmpl/fft_all.h"

#include "kernel/tmpl/fft_sums.h"

#define FFT_TABLE_ROW(isa_, format, lanes_, suffix)                                          \
    [format] = {.arithmetic = format,                                                        \
                .isa = isa_,                                                                 \
                .lanes = lanes_,                                                             \
                .largest_radix = (isa_) == MPNO_ISA_AVX512 && (format) == MPNO_F64 ? 16 : 8, \
                .load = load_##suffix,                                                       \
                .store = store_##suffix,                                                     \
                .copy = copy_##suffix,                                                       \
                .zero = zero_##suffix,                                                       \
                .pass = pass_##suffix,                                                       \
                .multiply = multiply_##suffix,                                               \
                .split = split_##suffix,                                                     \
                .join = join_##suffix,                                                       \
                .direct_forward = direct_forward_##suffix,                                   \
                .direct_inverse = direct_inverse_##suffix,                                   \
                .combine = combine_##suffix,                                                 \
                .separate = separate_##suffix,                                               \
                .column_sums = column_sums}
#define FFT_TABLE(isa) \
    { FFT_TABLE_ROW(isa, MPNO_F64, VF64_LANES, f64), FFT_TABLE_ROW(isa, MPNO_F32, VF32_LANES, f32) }
