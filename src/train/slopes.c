/* SPDX-License-Identifier: MIT
 * See slopes.h. */
#include "train/slopes.h"

#include "core/memory.h"
#include "number/format.h"

static void add_sample(mpno_slopes *s, double each) {
    for (int64_t i = 0; i < mpno_spectrum_modes(&s->spectrum); i++) {
        const mpno_wave wave = mpno_spectrum_wave(&s->spectrum, i);
        double power = 0;
        for (int64_t c = 0; c < s->spectrum.channels; c++)
            power += mpno_spectrum_power(&s->spectrum, i, c);
        power *= wave.length * wave.length * each;
        s->power[i] += power;
        s->sum += wave.weight * power;
    }
}

mpno_status mpno_slopes_measure(mpno_ctx *ctx, const mpno_slope_fields *f, const void *minus,
                                mpno_slopes *out) {
    double *values;
    *out = (mpno_slopes){.points = 1};
    for (int d = 0; d < f->ndim; d++) out->points *= f->grid[d];
    const int64_t n = out->points * f->planes * f->channels;
    MPNO_TRY(mpno_spectrum_create(ctx, f->ndim, f->grid, f->planes, f->channels, &out->spectrum));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)mpno_spectrum_modes(&out->spectrum), sizeof *out->power,
                              &out->power));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)(2 * n), sizeof *values, &values));
    for (int64_t s = 0; s < f->n; s++) {
        const size_t at = (size_t)(s * n) * mpno_format_bytes(f->format);
        mpno_cast(values, MPNO_F64, (const char *)f->data + at, f->format, (size_t)n);
        if (minus != NULL)
            mpno_cast(values + n, MPNO_F64, (const char *)minus + at, f->format, (size_t)n);
        for (int64_t i = 0; i < n && minus != NULL; i++) values[i] -= values[n + i];
        mpno_spectrum_transform(&out->spectrum, MPNO_F64, values);
        add_sample(out, 1 / (double)(f->n * f->channels));
    }
    mpno_free(ctx, values);
    return MPNO_OK;
}

void mpno_slopes_clear(mpno_slopes *s) {
    if (s->spectrum.ctx == NULL) return;
    mpno_free(s->spectrum.ctx, s->power);
    mpno_spectrum_destroy(&s->spectrum);
    *s = (mpno_slopes){0};
}
