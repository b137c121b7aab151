/* SPDX-License-Identifier: MIT
 * The captured error of a transform of real fields (captured.h says what that is): the transform is
 * done once more, axis by axis as exact products of leading parts and small products of the rest,
 * in pairs of f64 numbers, some 100 bits, and compared. Costs about four such products an axis.
 * Theory: docs/theory/certificates.md, statement B11. */
#ifndef MPNO_CERTIFY_CAPTURED_TRANSFORM_H
#define MPNO_CERTIFY_CAPTURED_TRANSFORM_H

#include "transform/fft/fft.h"

/* One sample: field [points][channels], spectrum [modes][2][channels], f64, of which one was
 * computed from the other: forward with the scale 1 / points, plain, or inverse with the scale 1,
 * Hermitian. error: a bound of the computed one's distance from the exact one, in the norm of
 * spectra or of fields (graph/bound.h). problem: of real data. */
MPNO_WARN_UNUSED mpno_status mpno_captured_transform(mpno_ctx *ctx, const mpno_fft_problem *problem,
                                                     bool inverse, int64_t channels,
                                                     const double *field, const double *spectrum,
                                                     double *error);

#endif
