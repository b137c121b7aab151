/* SPDX-License-Identifier: MIT
 * Random sums of sines: see waves.h. */
#include "pde/waves.h"

#include <math.h>

#include "core/rng.h"

#define PI 3.14159265358979323846
#define EDGE 0.01 /* width of the edges of a window: they are 1e-8 where the box closes */

void mpno_waves_draw(const mpno_waves_opts *opts, uint64_t seed, uint32_t sample, mpno_waves *out) {
    mpno_rng rng = mpno_rng_make(seed, MPNO_STREAM_FIELD, sample);
    *out = (mpno_waves){.n = opts->n};
    for (int64_t i = 0; i < opts->n; i++) {
        out->amplitude[i] = mpno_rng_uniform(&rng);
        out->k[i] = 1 + (double)mpno_rng_below(&rng, (uint64_t)opts->k_max);
        out->phase[i] = 2 * PI * mpno_rng_uniform(&rng);
    }
    const bool absolute = mpno_rng_uniform(&rng) < opts->absolute;
    const double sign = mpno_rng_uniform(&rng) < 0.5 ? -1 : 1;
    out->sign = absolute ? sign : 0;
    out->window = mpno_rng_uniform(&rng) < opts->window;
    out->from = 0.1 + 0.35 * mpno_rng_uniform(&rng);
    out->to = 0.55 + 0.35 * mpno_rng_uniform(&rng);
}

double mpno_waves_at(const mpno_waves *w, double s) {
    double u = 0;
    s -= floor(s);
    for (int64_t i = 0; i < w->n; i++) {
        u += w->amplitude[i] * sin(2 * PI * w->k[i] * s + w->phase[i]);
    }
    if (w->sign > 0 || w->sign < 0) u = w->sign * fabs(u);
    if (w->window) u *= 0.5 * (tanh((s - w->from) / EDGE) - tanh((s - w->to) / EDGE));
    return u;
}
