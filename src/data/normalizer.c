/* SPDX-License-Identifier: MIT
 * Scalar normaliser: see normalizer.h. */
#include "data/normalizer.h"

#include <math.h>

static double value_at(mpno_format format, const void *data, int64_t i) {
    return format == MPNO_F64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}

mpno_status mpno_normalizer_fit_parts(mpno_ctx *ctx, mpno_format format, const mpno_values *parts,
                                      size_t n_parts, mpno_normalizer *out) {
    double sum = 0, squares = 0;
    int64_t n = 0;
    MPNO_CHECK(ctx, format == MPNO_F32 || format == MPNO_F64, MPNO_E_ARGUMENT,
               "a normaliser is fitted to f32 or f64 values only");
    for (size_t p = 0; p < n_parts; p++) n += parts[p].n;
    MPNO_CHECK(ctx, n >= 2, MPNO_E_ARGUMENT, "a normaliser needs at least 2 values, not %lld",
               (long long)n);
    for (size_t p = 0; p < n_parts; p++)
        for (int64_t i = 0; i < parts[p].n; i++) sum += value_at(format, parts[p].data, i);
    const double mean = sum / (double)n;
    for (size_t p = 0; p < n_parts; p++) {
        for (int64_t i = 0; i < parts[p].n; i++) {
            const double deviation = value_at(format, parts[p].data, i) - mean;
            squares += deviation * deviation;
        }
    }
    const double std = sqrt(squares / (double)(n - 1));
    MPNO_CHECK(
        ctx, isfinite(mean) && isfinite(std), MPNO_E_NUMERIC,
        "mean %g and standard deviation %g of the values are not finite: clean the data first",
        mean, std);
    *out = (mpno_normalizer){mean, std};
    return MPNO_OK;
}

mpno_status mpno_normalizer_fit(mpno_ctx *ctx, mpno_format format, const void *data, int64_t n,
                                mpno_normalizer *out) {
    const mpno_values all = {data, n};
    return mpno_normalizer_fit_parts(ctx, format, &all, 1, out);
}

mpno_status mpno_normalizer_restore(mpno_ctx *ctx, double mean, double std, mpno_normalizer *out) {
    MPNO_CHECK(ctx, isfinite(mean) && isfinite(std) && std >= 0, MPNO_E_FORMAT,
               "a normaliser with mean %g and standard deviation %g is not possible", mean, std);
    *out = (mpno_normalizer){mean, std};
    return MPNO_OK;
}

void mpno_normalizer_encode(const mpno_normalizer *normalizer, mpno_format format, void *data,
                            int64_t n) {
    double mean = normalizer->mean, scale = normalizer->std + MPNO_NORMALIZER_EPS;
    if (format == MPNO_F64) {
        double *x = data;
        for (int64_t i = 0; i < n; i++) x[i] = (x[i] - mean) / scale;
    } else {
        float *x = data;
        for (int64_t i = 0; i < n; i++) x[i] = (float)((x[i] - mean) / scale);
    }
}

void mpno_normalizer_decode(const mpno_normalizer *normalizer, mpno_format format, void *data,
                            int64_t n) {
    double mean = normalizer->mean, scale = normalizer->std + MPNO_NORMALIZER_EPS;
    if (format == MPNO_F64) {
        double *x = data;
        for (int64_t i = 0; i < n; i++) x[i] = x[i] * scale + mean;
    } else {
        float *x = data;
        for (int64_t i = 0; i < n; i++) x[i] = (float)(x[i] * scale + mean);
    }
}
