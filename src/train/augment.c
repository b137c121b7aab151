/* SPDX-License-Identifier: MIT
 * Data augmentation: see augment.h. */
#include "train/augment.h"

#include "core/rng.h"

enum { WORDS_A_SAMPLE = 1 << 12 }; /* of random numbers: far more than a draw takes */

bool mpno_augment_wanted(const mpno_settings *s) {
    return s->augment.flip.n > 0 || s->augment.shift.n > 0 || s->augment.transpose ||
           s->augment.rotate;
}

static mpno_status check_axes(mpno_ctx *ctx, const char *key, const mpno_int_list *axes,
                              int64_t ndim) {
    for (int64_t i = 0; i < axes->n; i++) {
        MPNO_CHECK(ctx, axes->v[i] < ndim, MPNO_E_CONFIG,
                   "%s: there is no axis %lld, the %lld of model.n_modes are counted from 0", key,
                   (long long)axes->v[i], (long long)ndim);
        for (int64_t k = 0; k < i; k++)
            MPNO_CHECK(ctx, axes->v[k] != axes->v[i], MPNO_E_CONFIG,
                       "%s: axis %lld stands twice, expected each axis once", key,
                       (long long)axes->v[i]);
    }
    return MPNO_OK;
}

/* Groups of ndim channels that do not overlap. */
static mpno_status check_vectors(mpno_ctx *ctx, const char *key, const mpno_int_list *first,
                                 int64_t ndim) {
    for (int64_t i = 0; i < first->n; i++) {
        for (int64_t k = 0; k < i; k++) {
            const int64_t apart = first->v[i] - first->v[k];
            MPNO_CHECK(ctx, apart >= ndim || -apart >= ndim, MPNO_E_CONFIG,
                       "%s: the vectors that start at channels %lld and %lld overlap: each has "
                       "%lld components",
                       key, (long long)first->v[k], (long long)first->v[i], (long long)ndim);
        }
    }
    return MPNO_OK;
}

mpno_status mpno_augment_check(mpno_ctx *ctx, const mpno_settings *s) {
    const int64_t ndim = s->model.n_modes.n;
    const bool vectors = s->augment.x_vectors.n > 0 || s->augment.y_vectors.n > 0;
    MPNO_TRY(check_axes(ctx, "augment.flip", &s->augment.flip, ndim));
    MPNO_TRY(check_axes(ctx, "augment.shift", &s->augment.shift, ndim));
    MPNO_TRY(check_vectors(ctx, "augment.x_vectors", &s->augment.x_vectors, ndim));
    MPNO_TRY(check_vectors(ctx, "augment.y_vectors", &s->augment.y_vectors, ndim));
    MPNO_CHECK(ctx, !vectors || mpno_augment_wanted(s), MPNO_E_CONFIG,
               "augment.x_vectors and augment.y_vectors say how vectors are augmented, but nothing "
               "is: give augment.flip, transpose, rotate or shift, or leave them out");
    return MPNO_OK;
}

/* Whether the two axes may be exchanged. */
static bool alike(const mpno_dataset *data, int a, int b) {
    return data->grid[a] == data->grid[b] && data->out_grid[a] == data->out_grid[b];
}

static int64_t common_divisor(int64_t a, int64_t b) {
    while (b > 0) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static mpno_status check_exchange(mpno_ctx *ctx, const char *key, const mpno_dataset *data) {
    for (int a = 0; a < data->ndim; a++)
        for (int b = 0; b < a; b++)
            if (alike(data, a, b)) return MPNO_OK;
    char x[128], y[128];
    MPNO_CHECK(ctx, false, MPNO_E_CONFIG,
               "%s exchanges axes with equal numbers of points, but the training data have none: "
               "inputs on %s, outputs on %s; leave it out",
               key, mpno_shape_text(data->ndim, data->grid, x, sizeof x),
               mpno_shape_text(data->ndim, data->out_grid, y, sizeof y));
    return MPNO_OK;
}

static mpno_status check_channels(mpno_ctx *ctx, const char *key, const mpno_int_list *first,
                                  int ndim, int64_t channels) {
    for (int64_t i = 0; i < first->n; i++)
        MPNO_CHECK(ctx, first->v[i] + ndim <= channels, MPNO_E_CONFIG,
                   "%s: a vector of %d components at channel %lld does not fit into the %lld "
                   "channels of the training data",
                   key, ndim, (long long)first->v[i], (long long)channels);
    return MPNO_OK;
}

mpno_status mpno_augment_check_data(mpno_ctx *ctx, const mpno_settings *s,
                                    const mpno_dataset *data) {
    if (s->augment.transpose) MPNO_TRY(check_exchange(ctx, "augment.transpose", data));
    if (s->augment.rotate) MPNO_TRY(check_exchange(ctx, "augment.rotate", data));
    for (int64_t i = 0; i < s->augment.shift.n; i++) {
        const int64_t d = s->augment.shift.v[i], in = data->grid[d], out = data->out_grid[d];
        MPNO_CHECK(ctx, common_divisor(in, out) > 1, MPNO_E_CONFIG,
                   "augment.shift: on axis %lld inputs have %lld points and outputs %lld: no shift "
                   "moves points onto points in both; leave the axis out",
                   (long long)d, (long long)in, (long long)out);
    }
    MPNO_TRY(check_channels(ctx, "augment.x_vectors", &s->augment.x_vectors, data->ndim,
                            data->in_channels));
    return check_channels(ctx, "augment.y_vectors", &s->augment.y_vectors, data->ndim,
                          data->out_channels);
}

static void exchange(int *a, int *b) {
    const int kept = *a;
    *a = *b;
    *b = kept;
}

/* Any order of the axes that are alike. */
static void draw_order(mpno_rng *rng, const mpno_dataset *data, mpno_symmetry *s) {
    for (int d = data->ndim - 1; d > 0; d--) {
        int others[MPNO_MAX_DIMS] = {0}, n = 0;
        for (int e = 0; e <= d; e++)
            if (alike(data, d, e)) others[n++] = e;
        const int with = others[mpno_rng_below(rng, (uint64_t)n)];
        exchange(&s->axis[d], &s->axis[with]);
    }
}

/* Any turn of the axes that are alike into each other, without a mirror image: the last axis of
 * each kind makes the number of flips and exchanges even. */
static void draw_rotation(mpno_rng *rng, const mpno_dataset *data, mpno_symmetry *s) {
    bool done[MPNO_MAX_DIMS] = {false};
    draw_order(rng, data, s);
    for (int first = 0; first < data->ndim; first++) {
        int kind[MPNO_MAX_DIMS] = {0}, n = 0;
        bool odd = false;
        for (int d = first; d < data->ndim && !done[first]; d++)
            if (alike(data, first, d)) kind[n++] = d;
        for (int i = 0; i < n; i++) {
            done[kind[i]] = true;
            for (int k = 0; k < i; k++) odd = odd != (s->axis[kind[k]] > s->axis[kind[i]]);
            if (i + 1 < n) s->flip[kind[i]] = mpno_rng_below(rng, 2) == 1;
            odd = odd != s->flip[kind[i]];
        }
        if (n > 0) s->flip[kind[n - 1]] = odd;
    }
}

mpno_symmetry mpno_augment_draw(const mpno_settings *settings, const mpno_dataset *data,
                                int64_t epoch, int64_t sample) {
    const mpno_int_list *flip = &settings->augment.flip, *shift = &settings->augment.shift;
    int64_t parts[MPNO_MAX_DIMS];
    for (int d = 0; d < data->ndim; d++)
        parts[d] = common_divisor(data->grid[d], data->out_grid[d]);
    mpno_rng rng = mpno_rng_make((uint64_t)settings->seed, MPNO_STREAM_AUGMENT, (uint32_t)epoch);
    rng.index = (uint64_t)sample * WORDS_A_SAMPLE;
    const mpno_symmetry nothing = mpno_symmetry_identity(data->ndim, parts);
    mpno_symmetry all = nothing, next = nothing;
    if (settings->augment.rotate) draw_rotation(&rng, data, &all);
    if (settings->augment.transpose) {
        draw_order(&rng, data, &next);
        all = mpno_symmetry_compose(&all, &next);
    }
    next = nothing;
    for (int64_t i = 0; i < flip->n; i++) next.flip[flip->v[i]] = mpno_rng_below(&rng, 2) == 1;
    for (int64_t i = 0; i < shift->n; i++)
        next.shift[shift->v[i]] = (int64_t)mpno_rng_below(&rng, (uint64_t)parts[shift->v[i]]);
    return mpno_symmetry_compose(&all, &next);
}
