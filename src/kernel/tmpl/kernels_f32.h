/* SPDX-License-Identifier: MIT
 * All kernels of arithmetic f32 for the vocabulary included before.
 * Sets and clears the parameters of the bodies: T the C type, K(name) the name of a function of
 * this instance, V(verb) a verb of the vocabulary, VT and MASK its types, LANES the elements in a
 * vector, LOAD_F64 the verb that reads T as f64. TABLE_ISA is the mpno_isa of the table. */

#define T float
#define K(name) name##_f32
#define V(verb) vf32_##verb
#define VT vf32
#define MASK vf32_mask
#define LANES VF32_LANES
#define LOAD_F64 vf64_load_f32

#include "kernel/codec.h"
#include "kernel/tmpl/convert_f32.h"
#include "kernel/tmpl/convert.h"
#include "kernel/tmpl/elementwise.h"
#include "kernel/tmpl/functions_f32.h"
#include "kernel/tmpl/transpose.h"
#include "kernel/tmpl/gemm.h"
#include "kernel/tmpl/gemm_complex.h"
#include "kernel/tmpl/lines.h"
#include "kernel/tmpl/reduce.h"

#undef T
#undef K
#undef V
#undef VT
#undef MASK
#undef LANES
#undef LOAD_F64
