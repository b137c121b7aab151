/* SPDX-License-Identifier: MIT
 * Codecs of one ISA, from and to f32 and f64: plain C, vectorised by the compiler. Includes after
 * codec_begin.h. Parameters: TABLE, name of the table that is exported; FAST_BLOCKS, when the ISA has
 * fast_store_block and fast_load_block for blocks of 8 bits, rounded to nearest, from and to f32. */

#define T float
#define U uint32_t
#define U_FRACTION 23
#define U_BIAS 127
#define K(name) name##_f32
#ifdef FAST_BLOCKS
#define FAST_HERE
#endif
#include "kernel/tmpl/codec.h"

#undef FAST_HERE
#define T double
#define U uint64_t
#define U_FRACTION 52
#define U_BIAS 1023
#define K(name) name##_f64
#include "kernel/tmpl/codec.h"

const mpno_codec_kernels TABLE[MPNO_N_ARITHMETICS] = {
    [MPNO_F64] = {codec_load_f64, codec_store_f64}, [MPNO_F32] = {codec_load_f32, codec_store_f32}};
