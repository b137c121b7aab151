/* SPDX-License-Identifier: MIT
 * See periodic.h. */
#include "pde/periodic.h"

mpno_status mpno_periodic_create(mpno_ctx *ctx, int ndim, const int64_t *size, const int64_t *keep,
                                 mpno_fft **out) {
    mpno_fft_problem problem = {.kind = MPNO_FFT_REAL, .arithmetic = MPNO_F64, .ndim = ndim};
    for (int t = 0; t < ndim; t++) problem.size[t] = size[t], problem.keep[t] = keep[t];
    return mpno_fft_create(ctx, &problem, out);
}

size_t mpno_periodic_scratch_bytes(const mpno_fft *solve, const mpno_fft *store,
                                   const mpno_random_field *random) {
    const size_t sizes[] = {mpno_fft_scratch_bytes(solve, 1, 1),
                            mpno_fft_scratch_bytes(store, 1, 1),
                            mpno_random_field_scratch_bytes(random)};
    size_t most = 0;
    for (int i = 0; i < 3; i++) most = sizes[i] > most ? sizes[i] : most;
    return most;
}

static mpno_fft_call call_of(double scale, mpno_fft_weighting weighting, mpno_format field_format,
                             void *scratch) {
    return (mpno_fft_call){.batch = 1,
                           .channels = 1,
                           .scale = scale,
                           .weighting = weighting,
                           .field_format = field_format,
                           .spectrum_format = MPNO_F64,
                           .n_threads = 1,
                           .scratch = scratch};
}

void mpno_periodic_find(const mpno_fft *fft, const double *field, double *coefficients,
                        void *scratch) {
    const double scale = 1 / (double)mpno_fft_points(fft);
    const mpno_fft_call call = call_of(scale, MPNO_FFT_PLAIN, MPNO_F64, scratch);
    (void)mpno_fft_forward(fft, &call, field, coefficients);
}

void mpno_periodic_store(const mpno_fft *fft, const double *coefficients,
                         const mpno_pde_common *common, void *out, void *scratch) {
    const mpno_format format = common->format ? MPNO_F64 : MPNO_F32;
    const mpno_fft_call call = call_of(1, MPNO_FFT_HERMITIAN, format, scratch);
    (void)mpno_fft_inverse(fft, &call, coefficients, out);
}
