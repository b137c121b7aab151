/* SPDX-License-Identifier: MIT
 * Real fields on periodic grids as sums of waves: the way of a sample into a solver and into the
 * file.
 *   field(x_n) = sum over kept k of c(k) exp(2 pi i k n / N),   c(-k) = conj c(k)
 * Coefficients are f64, [K1]..[Kd][2], kept frequencies as transform/fft/fft.h has them. */
#ifndef MPNO_PDE_PERIODIC_H
#define MPNO_PDE_PERIODIC_H

#include "pde/pde.h"
#include "pde/random_field.h"
#include "transform/fft/fft.h"

MPNO_WARN_UNUSED mpno_status mpno_periodic_create(mpno_ctx *ctx, int ndim, const int64_t *size,
                                                  const int64_t *keep, mpno_fft **out);
/* Of what follows and of random fields, in one thread. */
size_t mpno_periodic_scratch_bytes(const mpno_fft *solve, const mpno_fft *store,
                                   const mpno_random_field *random);
/* Coefficients of a finite field. scratch: 64-byte aligned, here and below. */
void mpno_periodic_find(const mpno_fft *fft, const double *field, double *coefficients,
                        void *scratch);
/* The field, in the format of the file; whether it is finite is for those who solved it. */
void mpno_periodic_store(const mpno_fft *fft, const double *coefficients,
                         const mpno_pde_common *common, void *out, void *scratch);

#endif
