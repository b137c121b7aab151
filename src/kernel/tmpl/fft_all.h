/* SPDX-License-Identifier: MIT
 * The transform kernels of one ISA and one arithmetic type.
 * Parameters  T, its vector V of LANES, MASK; VERB(x) a verb of the vocabulary; NAME(x) the name of
 *             a function of this instance; all undefined again at the end. */
#include "kernel/tmpl/fft_vector.h"
#include "kernel/tmpl/fft_rows.h"
#include "kernel/tmpl/fft_butterfly.h"
#include "kernel/tmpl/fft_pass.h"
#include "kernel/tmpl/fft_real.h"
#include "kernel/tmpl/fft_direct.h"

#undef T
#undef V
#undef MASK
#undef VERB
#undef LANES
#undef NAME
