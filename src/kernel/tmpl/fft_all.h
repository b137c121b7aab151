/* SPDX-License-Identifier: MIT
 * The transform kernels of one ISA and one arithmetic type.
 * Parameters  T, its vector V of LANES, MASK; VERB(x) a verb of the vocabulary; NAME(x) the name of
 *             a function of this instance; ARITHMETIC the mpno_format of T; ROUND(x) what a row
 *             keeps of the vector x, here x itself, and ROUNDS, whether that is another; all
 *             undefined again at the end. */
#define ROUND(x) (x)
#define ROUNDS 0
#include "kernel/tmpl/fft_vector.h"
#include "kernel/tmpl/fft_rows.h"
#include "kernel/tmpl/fft_butterfly.h"
#include "kernel/tmpl/fft_pass.h"
#include "kernel/tmpl/fft_pass_all.h"
#include "kernel/tmpl/fft_real.h"
#include "kernel/tmpl/fft_direct.h"

#undef T
#undef V
#undef MASK
#undef VERB
#undef LANES
#undef NAME
#undef ROUND
#undef ROUNDS
#undef ARITHMETIC
