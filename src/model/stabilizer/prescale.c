/* SPDX-License-Identifier: MIT
 * y = x. Transforms with 16-bit arithmetic multiply the rows of each axis by a power of two before
 * they add them, and the spectrum by its inverse (transform/fft/fft.h). Others carry 1/n already
 * where they round. */
#include "model/stabilizer.h"

const mpno_stabilizer_member mpno_stabilizer_prescale = {.bound = mpno_stabilizer_bound_largest,
                                                         .prescale = true};
