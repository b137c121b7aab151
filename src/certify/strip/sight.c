/* SPDX-License-Identifier: MIT
 * What a run on the grid in f64 shows to the strip bound: the coefficients of every field, and of
 * every spectrum that is transformed back, with a rigorous bound of how far they are from the exact
 * grid network's (running.h). See walk.h. */
#include <math.h>
#include <string.h>

#include "certify/strip/walk.h"
#include "certify/upwards.h"
#include "core/memory.h"

static const double TWO_PI = 6.2831853071795865;

/* -------- coefficients -------- */

static void transform(mpno_strip_walk *w, int64_t channels, const double *field) {
    const mpno_fft_call call = {.batch = 1,
                                .channels = channels,
                                .scale = 1.0 / (double)mpno_fft_points(w->fft),
                                .weighting = MPNO_FFT_PLAIN,
                                .field_format = MPNO_F64,
                                .spectrum_format = MPNO_F64,
                                .n_threads = w->ctx->n_threads,
                                .scratch = w->scratch};
    (void)mpno_fft_forward(w->fft, &call, field, w->modes);
}

/* Of coefficients of a field of this norm: B7, two roundings more for the scale, and underflow. */
static double transform_error(const mpno_strip_walk *w, double norm, int64_t channels) {
    const double share = (mpno_fft_growth(w->fft, false) + 2) * 0x1p-53;
    return MPNO_ENLARGED * (share / (1 - share) * norm + 1e-290 * sqrt((double)channels));
}

void mpno_strip_weigh(int64_t channels, const double *shells, int last, double radius, double *by,
                      double *bent) {
    for (int64_t c = 0; c <= channels; c++) by[c] = bent[c] = 0;
    for (int s = 0; s <= last; s++) {
        const double *from = shells + s * (channels + 2), angle = TWO_PI * radius * s,
                     grown = exp(angle), bend = sinh(angle);
        if (from[channels] == 0) continue; /* 0 times what may have overflowed */
        for (int64_t c = 0; c <= channels; c++) by[c] += from[c] * grown, bent[c] += from[c] * bend;
    }
}

/* The same for all radii, enlarged. */
static void weigh(const mpno_strip_walk *w, int64_t channels, const double *shells, int last,
                  double *sums) {
    for (int r = 0; r < MPNO_RADII; r++) {
        double *by = sums + r * 2 * (channels + 1);
        mpno_strip_weigh(channels, shells, last, w->waves.radius[r], by, by + channels + 1);
    }
    for (int64_t i = 0; i < MPNO_RADII * 2 * (channels + 1); i++) sums[i] *= MPNO_ENLARGED;
}

static mpno_status make_room(mpno_strip_walk *w, int64_t channels, int parts, mpno_strip_sight *s) {
    const size_t shells = (size_t)(w->waves.n_shells * (channels + 2)),
                 sums = (size_t)(parts * MPNO_RADII * 2 * (channels + 1));
    if (s->shells != NULL) return MPNO_OK;
    MPNO_TRY(mpno_alloc_array(w->ctx, shells, sizeof *s->shells, &s->shells));
    return mpno_alloc_array(w->ctx, sums, sizeof *s->sums, &s->sums);
}

static mpno_status look_at_field(mpno_strip_walk *w, int edge, const double *data) {
    const int64_t channels = w->graph->edges[edge].channels;
    const mpno_bound *b = mpno_running_edge(w->running, edge);
    mpno_strip_sight *s = &w->sights[edge];
    MPNO_TRY(make_room(w, channels, MPNO_BALLS, s));
    transform(w, channels, data);
    mpno_waves_sum(w->shells, mpno_fft_modes(w->fft), channels, w->waves.n_shells, w->modes,
                   s->shells);
    for (int k = 0; k < MPNO_BALLS; k++)
        weigh(w, channels, s->shells, w->waves.ball[k],
              s->sums + k * MPNO_RADII * 2 * (channels + 1));
    s->off = b->error + transform_error(w, b->norm, channels);
    return MPNO_OK;
}

/* The coefficients that node `inverse` makes a field of. */
static mpno_status look_at_spectrum(mpno_strip_walk *w, const mpno_node *inverse,
                                    const double *data) {
    const int edge = inverse->in[0];
    const int64_t channels = w->graph->edges[edge].channels;
    const int64_t modes = mpno_fft_modes(inverse->attr.fft);
    mpno_strip_sight *s = &w->sights[edge];
    mpno_mode_shell *shells;
    MPNO_TRY(make_room(w, channels, 1, s));
    if (s->noise == NULL)
        MPNO_TRY(mpno_alloc_array(w->ctx, 2 * MPNO_RADII, sizeof *s->noise, &s->noise));
    MPNO_TRY(mpno_alloc_array(w->ctx, (size_t)modes, sizeof *shells, &shells));
    mpno_waves_shells(inverse->attr.fft, shells);
    mpno_waves_sum(shells, modes, channels, w->waves.n_shells, data, s->shells);
    weigh(w, channels, s->shells, w->waves.n_shells - 1, s->sums);
    for (int r = 0; r < MPNO_RADII; r++) {
        double all = 0, imag = 0;
        for (int64_t m = 0; m < modes; m++) {
            const double angle = TWO_PI * w->waves.radius[r] * shells[m].shell, grown = exp(angle),
                         bent = sinh(angle);
            all += shells[m].weight * grown * grown, imag += shells[m].weight * bent * bent;
        }
        s->noise[r] = MPNO_ENLARGED * sqrt(all);
        s->noise[MPNO_RADII + r] = MPNO_ENLARGED * sqrt(imag);
    }
    s->off = mpno_running_edge(w->running, edge)->error;
    mpno_free(w->ctx, shells);
    return MPNO_OK;
}

/* -------- the run -------- */

static void look(void *user, const mpno_sight *sight) {
    mpno_strip_walk *w = user;
    const int edge = sight->edge;
    if (w->status != MPNO_OK || edge >= w->graph->n_edges) return;
    const mpno_edge *e = &w->graph->edges[edge];
    if (e->kind == MPNO_EDGE_FIELD) w->status = look_at_field(w, edge, sight->data);
    if (e->kind != MPNO_EDGE_SPECTRUM) return;
    for (int n = 0; n < w->graph->n_nodes && w->status == MPNO_OK; n++) {
        const mpno_node *node = &w->graph->nodes[n];
        if (node->op == &mpno_op_fft_inverse && node->in[0] == edge)
            w->status = look_at_spectrum(w, node, sight->data);
    }
}

/* Twice the same bits: errors are known when the first run is over. */
mpno_status mpno_strip_look(mpno_strip_walk *w, const double *x, double *y) {
    const mpno_observer observer = {look, w};
    MPNO_TRY(mpno_running_run(w->running, x, NULL, 0, y));
    w->status = MPNO_OK;
    mpno_network_observe(w->network, &observer);
    const mpno_status status = mpno_network_forward(w->network, 1, x, y);
    mpno_network_observe(w->network, NULL);
    MPNO_TRY(status);
    MPNO_TRY(w->status);
    return look_at_field(w, w->edges->input, x);
}
